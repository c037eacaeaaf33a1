import type { CreateTargetGroupCommandInput, CreateTargetGroupCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';
import { targetGroupArn, type TargetGroupRecord } from '#domain/load-balancer.ts';
import type { Handler } from '#gateway/types.ts';
import { createTargetGroup, groupUsers, type IntentDeps } from '#intent/index.ts';
import { healthCheckOf } from './health-check.ts';
import { enumValue, tagsOf } from './input.ts';
import { targetGroupProtocol } from './protocols.ts';
import { targetGroupView } from './views.ts';

type Output = Omit<CreateTargetGroupCommandOutput, '$metadata'>;

export function createTargetGroupOperation(deps: IntentDeps): Handler<CreateTargetGroupCommandInput, Output> {
  return {
    name: 'CreateTargetGroup',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const targetType = targetTypeOf(input);
      if ((input.IpAddressType ?? 'ipv4') !== 'ipv4') {
        throw notInBerth(`target groups with the IP address type ${input.IpAddressType}: use ipv4`);
      }
      if (input.TargetControlPort !== undefined) throw notInBerth('target control ports');
      const required: [string, unknown][] = [['protocol', input.Protocol], ['port', input.Port], ['VPC ID', input.VpcId]]; // prettier-ignore
      const missing = required.find(([, value]) => value === undefined);
      if (missing !== undefined) throw elbFault('ValidationError', `A ${missing[0]} must be specified`);
      const group = await createTargetGroup(deps, scope, {
        name: input.Name ?? '',
        protocol: targetGroupProtocol(input.Protocol ?? ''),
        protocolVersion: protocolVersionOf(input),
        port: input.Port ?? 0,
        vpcId: input.VpcId ?? '',
        targetType,
        healthCheck: healthCheckOf(input),
        tags: tagsOf(input.Tags),
      });
      const users = await deps.store.read((tx) => groupUsers(tx, scope));
      return { TargetGroups: [targetGroupView(group, users.get(targetGroupArn(group)) ?? [])] };
    },
  };
}

function targetTypeOf(input: CreateTargetGroupCommandInput): TargetGroupRecord['desired']['targetType'] {
  const type = enumValue(input.TargetType ?? 'instance', ['instance', 'ip', 'lambda', 'alb'], 'targetType');
  if (type === 'lambda' || type === 'alb') throw notInBerth(`target groups of the type ${type}`);
  return type;
}

/** Terraform says that it wants none by an empty one. */
function protocolVersionOf({
  ProtocolVersion: version = '',
}: CreateTargetGroupCommandInput): TargetGroupRecord['desired']['protocolVersion'] {
  return version === '' ? null : enumValue<'GRPC' | 'HTTP1' | 'HTTP2'>(version, ['GRPC', 'HTTP1', 'HTTP2'], 'protocolVersion');
}
