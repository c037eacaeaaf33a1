/** Elastic Load Balancing, application and network. Reference: Elastic Load Balancing API reference, version 2015-12-01. */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { elbv2Access } from './access.ts';
import { addListenerCertificatesOperation } from './add-listener-certificates.ts';
import { addTagsOperation } from './add-tags.ts';
import { createListenerOperation } from './create-listener.ts';
import { createLoadBalancerOperation } from './create-load-balancer.ts';
import { createRuleOperation } from './create-rule.ts';
import { createTargetGroupOperation } from './create-target-group.ts';
import { deleteListenerOperation } from './delete-listener.ts';
import { deleteLoadBalancerOperation } from './delete-load-balancer.ts';
import { deleteRuleOperation } from './delete-rule.ts';
import { deleteTargetGroupOperation } from './delete-target-group.ts';
import { deregisterTargetsOperation } from './deregister-targets.ts';
import { describeAccountLimitsOperation } from './describe-account-limits.ts';
import { describeCapacityReservationOperation } from './describe-capacity-reservation.ts';
import { describeListenerAttributesOperation } from './describe-listener-attributes.ts';
import { describeListenerCertificatesOperation } from './describe-listener-certificates.ts';
import { describeListenersOperation } from './describe-listeners.ts';
import { describeLoadBalancerAttributesOperation } from './describe-load-balancer-attributes.ts';
import { describeLoadBalancersOperation } from './describe-load-balancers.ts';
import { describeRulesOperation } from './describe-rules.ts';
import { describeSSLPoliciesOperation } from './describe-ssl-policies.ts';
import { describeTagsOperation } from './describe-tags.ts';
import { describeTargetGroupAttributesOperation } from './describe-target-group-attributes.ts';
import { describeTargetGroupsOperation } from './describe-target-groups.ts';
import { describeTargetHealthOperation } from './describe-target-health.ts';
import { elbv2Errors } from './errors.ts';
import { modifyListenerAttributesOperation } from './modify-listener-attributes.ts';
import { modifyListenerOperation } from './modify-listener.ts';
import { modifyLoadBalancerAttributesOperation } from './modify-load-balancer-attributes.ts';
import { modifyRuleOperation } from './modify-rule.ts';
import { modifyTargetGroupAttributesOperation } from './modify-target-group-attributes.ts';
import { modifyTargetGroupOperation } from './modify-target-group.ts';
import { registerTargetsOperation } from './register-targets.ts';
import { removeListenerCertificatesOperation } from './remove-listener-certificates.ts';
import { removeTagsOperation } from './remove-tags.ts';
import { setIpAddressTypeOperation } from './set-ip-address-type.ts';
import { setRulePrioritiesOperation } from './set-rule-priorities.ts';
import { setSecurityGroupsOperation } from './set-security-groups.ts';
import { setSubnetsOperation } from './set-subnets.ts';

/** The caller makes sure that the account and region have their defaults first (intent's `ensureRegion`). */
export function createElbv2Api(deps: IntentDeps): ApiSpec {
  const make = [
    addListenerCertificatesOperation,
    addTagsOperation,
    createListenerOperation,
    createLoadBalancerOperation,
    createRuleOperation,
    createTargetGroupOperation,
    deleteListenerOperation,
    deleteLoadBalancerOperation,
    deleteRuleOperation,
    deleteTargetGroupOperation,
    deregisterTargetsOperation,
    describeAccountLimitsOperation,
    describeCapacityReservationOperation,
    describeListenerAttributesOperation,
    describeListenerCertificatesOperation,
    describeListenersOperation,
    describeLoadBalancerAttributesOperation,
    describeLoadBalancersOperation,
    describeRulesOperation,
    describeSSLPoliciesOperation,
    describeTagsOperation,
    describeTargetGroupAttributesOperation,
    describeTargetGroupsOperation,
    describeTargetHealthOperation,
    modifyListenerOperation,
    modifyListenerAttributesOperation,
    modifyLoadBalancerAttributesOperation,
    modifyRuleOperation,
    modifyTargetGroupOperation,
    modifyTargetGroupAttributesOperation,
    registerTargetsOperation,
    removeListenerCertificatesOperation,
    removeTagsOperation,
    setIpAddressTypeOperation,
    setRulePrioritiesOperation,
    setSecurityGroupsOperation,
    setSubnetsOperation,
  ];
  return {
    service: 'elasticloadbalancing',
    protocol: 'query',
    target: '2015-12-01',
    schemaPackage: '@aws-sdk/client-elastic-load-balancing-v2',
    errors: elbv2Errors,
    operations: guarded(elbv2Access(deps), make.map((operation) => operation(deps))), // prettier-ignore
  };
}
