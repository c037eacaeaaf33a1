/** What a host is told of one task. Pure. */
import { clusterArn, containerArn, taskArn } from '#domain/arn.ts';
import { formatIp, gatewayOf, parseCidr } from '#domain/cidr.ts';
import type { SubnetRecord, VpcRecord } from '#domain/records.ts';
import { containerIdOf, privateDnsName } from '#domain/task.ts';
import type { DesiredStatus, TaskPlacement, TaskRecord } from '#domain/task.ts';
import type { Assignment } from '#link/protocol.ts';

/** Where the AWS API answers inside every task: a link-local address that the VPC's router leads to the host. */
export const TASK_ENDPOINT_URL = 'http://169.254.170.3';

export function assignmentOf(
  task: TaskRecord,
  placement: TaskPlacement,
  place: { vpc: VpcRecord; subnet: SubnetRecord },
  fence: number,
  told: DesiredStatus,
): Assignment {
  const { key, desired } = task;
  const { vpc, subnet } = place;
  return {
    key,
    fence,
    spec: desired.spec,
    desired: told,
    stop: desired.stop === null || told === 'RUNNING' ? null : { code: desired.stop.code, reason: desired.stop.reason },
    network: {
      vpcId: vpc.key.id,
      vpcCidr: vpc.cidr,
      subnetId: subnet.key.id,
      subnetCidr: subnet.cidr,
      gatewayIp: formatIp(gatewayOf(parseCidr(subnet.cidr))),
      eniId: placement.eniId,
      ip: placement.ip,
      mac: placement.mac,
      hostname: privateDnsName(key.region, placement.ip),
    },
    platformEnv: platformEnv(task),
    labels: {
      taskArn: taskArn(key),
      clusterArn: clusterArn(key, key.cluster),
      family: desired.family,
      revision: String(desired.revision),
    },
    facts: {
      zone: subnet.zone,
      launchType: desired.launchType,
      service: desired.service?.name ?? null,
      tags: desired.tags,
      containerArns: Object.fromEntries(desired.spec.containers.map(({ name }) => [name, containerArn(key, containerIdOf(key.id, name))])),
      mayEnter: desired.enableExec,
    },
  };
}

function platformEnv(task: TaskRecord): Record<string, string> {
  if (!task.desired.injectEndpoint) return {};
  const { region } = task.key;
  return { AWS_ENDPOINT_URL: TASK_ENDPOINT_URL, AWS_REGION: region, AWS_DEFAULT_REGION: region };
}
