/** Elastic Load Balancing's own errors (API reference, version 2015-12-01): the name on the wire, and the Fault's code behind it. */
import { Fault, type FaultCode } from '#base/fault.ts';

const codes = {
  ValidationError: 'InvalidParameter',
  ALPNPolicyNotFound: 'InvalidParameter',
  CertificateNotFound: 'ResourceNotFound',
  DuplicateListener: 'AlreadyExists',
  DuplicateLoadBalancerName: 'AlreadyExists',
  DuplicateTagKeys: 'InvalidParameter',
  DuplicateTargetGroupName: 'AlreadyExists',
  IncompatibleProtocols: 'InvalidParameter',
  InvalidConfigurationRequest: 'InvalidParameter',
  InvalidLoadBalancerAction: 'InvalidParameter',
  InvalidScheme: 'InvalidParameter',
  InvalidSecurityGroup: 'InvalidParameter',
  InvalidSubnet: 'InvalidParameter',
  InvalidTarget: 'InvalidParameter',
  ListenerNotFound: 'ResourceNotFound',
  LoadBalancerNotFound: 'ResourceNotFound',
  OperationNotPermitted: 'Conflict',
  PriorityInUse: 'Conflict',
  ResourceInUse: 'Conflict',
  RuleNotFound: 'ResourceNotFound',
  SSLPolicyNotFound: 'ResourceNotFound',
  SubnetNotFound: 'ResourceNotFound',
  TargetGroupAssociationLimit: 'LimitExceeded',
  TargetGroupNotFound: 'ResourceNotFound',
  TooManyActions: 'LimitExceeded',
  TooManyCertificates: 'LimitExceeded',
  TooManyListeners: 'LimitExceeded',
  TooManyLoadBalancers: 'LimitExceeded',
  TooManyRules: 'LimitExceeded',
  TooManyTags: 'LimitExceeded',
  TooManyTargetGroups: 'LimitExceeded',
  TooManyTargets: 'LimitExceeded',
  UnsupportedCertificate: 'InvalidParameter',
} as const satisfies Record<string, FaultCode>;

export type ElbErrorName = keyof typeof codes;

export function elbFault(name: ElbErrorName, message: string): Fault {
  return new Fault(codes[name], message, { details: { errorName: name } });
}

/** What AWS has and berth hasn't: refused by its name, so that nobody believes it works. */
export function notInBerth(what: string): Fault {
  return new Fault('Unsupported', `berth does not implement ${what}.`);
}
