/** Protocols of listeners and target groups: those that are served, and those of AWS's that are refused by name. */
import { notInBerth } from '#domain/elb-fault.ts';
import type { ListenerRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { enumValue } from './input.ts';

const served = ['HTTP', 'HTTPS', 'TCP', 'TLS'] as const;
const known = [...served, 'UDP', 'TCP_UDP', 'GENEVE', 'QUIC', 'TCP_QUIC'] as const;

export function listenerProtocol(value: string): ListenerRecord['desired']['protocol'] {
  return servedProtocol(value, 'listeners');
}

export function targetGroupProtocol(value: string): TargetGroupRecord['desired']['protocol'] {
  return servedProtocol(value, 'target groups');
}

function servedProtocol(value: string, what: string): (typeof served)[number] {
  const protocol = enumValue(value, known, 'protocol');
  const found = served.find((one) => one === protocol);
  if (found === undefined) throw notInBerth(`${what} with the protocol ${protocol}`);
  return found;
}
