/** What was made for an Express gateway service, as DescribeServiceRevisions tells it (`aws ecs monitor-express-gateway-service` reads that). */
import type { ECSManagedResources, ManagedResourceStatus } from '@aws-sdk/client-ecs';
import { certificateArn } from '#domain/certificate.ts';
import { listenerArn, loadBalancerArn, ruleArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import type { ServiceRecord, ServiceRevisionRecord } from '#domain/service.ts';
import type { ReadTx } from '#store/types.ts';
import type { ServiceFront } from '../service/service-members.ts';

/** undefined for any other service, and once what was made is gone. */
export async function managedResources(
  tx: ReadTx,
  service: ServiceRecord | undefined,
  revision: ServiceRevisionRecord,
): Promise<ECSManagedResources | undefined> {
  const managed = service?.desired.managed;
  const express = (service?.desired.front as ServiceFront | undefined)?.express;
  if (service === undefined || managed === undefined || express === undefined) return undefined;
  const { account, region } = service.key;
  const lb = await tx.loadBalancers.get({ account, region, name: managed.loadBalancer });
  const [first] = managed.rules;
  if (lb === undefined || first === undefined) return undefined;
  const listener = await tx.listeners.get({ account, region, loadBalancer: managed.loadBalancer, id: first.listener });
  const rule = await tx.listenerRules.get({ account, region, loadBalancer: managed.loadBalancer, listener: first.listener, id: first.id });
  const certificate = await tx.certificates.get({ account, region, id: managed.certificate });
  if (listener === undefined || rule === undefined || certificate === undefined) return undefined;
  const groups = await Promise.all(managed.targetGroups.map((name) => tx.targetGroups.get({ account, region, name })));
  const stands = { status: 'ACTIVE' as const, updatedAt: new Date(rule.desired.modifiedAt) };
  return {
    ingressPaths: [
      {
        accessType: 'PUBLIC',
        endpoint: `https://${express.host}`,
        loadBalancer: {
          arn: loadBalancerArn(lb),
          status: statusOf(lb),
          ...(lb.observed.reason === null ? {} : { statusReason: lb.observed.reason }),
          updatedAt: new Date(lb.desired.createdAt),
          scheme: lb.desired.scheme,
          subnetIds: lb.desired.subnetIds,
          securityGroupIds: lb.desired.securityGroupIds,
        },
        certificate: {
          arn: certificateArn(certificate.key),
          status:
            certificate.observed.status === 'ISSUED' ? 'ACTIVE' : certificate.observed.status === 'FAILED' ? 'FAILED' : 'PROVISIONING',
          updatedAt: new Date(certificate.observed.renewedAt ?? certificate.desired.createdAt),
          domainName: certificate.desired.domain,
        },
        listener: { arn: listenerArn(listener), ...stands },
        rule: { arn: ruleArn(listener, rule.key.id), ...stands },
        targetGroups: groups.flatMap((group) =>
          group === undefined
            ? []
            : [
                {
                  arn: targetGroupArn(group),
                  ...stands,
                  healthCheckPath: group.desired.healthCheck.path ?? '/',
                  healthCheckPort: revision.desired.loadBalancers[0]?.port ?? group.desired.port,
                  port: revision.desired.loadBalancers[0]?.port ?? group.desired.port,
                },
              ],
        ),
      },
    ],
  };
}

function statusOf(lb: LoadBalancerRecord): ManagedResourceStatus {
  const statuses = { active: 'ACTIVE', failed: 'FAILED', provisioning: 'PROVISIONING' } as const;
  return statuses[lb.observed.state];
}
