/** What may be asked of the fault-injection endpoints, checked as the ECS agent does (its fault/v1 types), with its texts. Pure. */
import { isIP } from 'node:net';
import { limits } from '#base/limits.ts';
import { serviceAddresses } from '#network/rules.ts';
import type { NetworkFault } from './fault-rules.ts';

export const faultTypes = ['network-blackhole-port', 'network-latency', 'network-packet-loss'] as const;
export type FaultType = (typeof faultTypes)[number];

/** `error`: in the agent's words. */
export type Parsed = { fault: NetworkFault } | { error: string };

type Body = Record<string, unknown>;

export function parseFault(type: FaultType, body: string): Parsed {
  if (body.trim() === '') return { error: 'required request body is missing' };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { error: 'failed to decode request' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { error: 'failed to decode request' };
  const fields = value as Body;
  if (type === 'network-blackhole-port') return parseBlackHole(fields);
  return type === 'network-latency' ? parseLatency(fields) : parseLoss(fields);
}

function parseBlackHole(body: Body): Parsed {
  const port = body['Port'];
  if (port === undefined || port === null) return missing('Port');
  if (!isWhole(port, 65_535)) return invalid(port, 'Port');
  const protocol = body['Protocol'];
  if (protocol === undefined || protocol === null || protocol === '') return missing('Protocol');
  const traffic = body['TrafficType'];
  if (traffic === undefined || traffic === null || traffic === '') return missing('TrafficType');
  if (protocol !== 'tcp' && protocol !== 'udp') return invalid(protocol, 'Protocol');
  if (traffic !== 'ingress' && traffic !== 'egress') return invalid(traffic, 'TrafficType');
  const except = sources(body, 'SourcesToFilter');
  if (!Array.isArray(except)) return except;
  return { fault: { type: 'network-blackhole-port', port, protocol, traffic, except: sparingEndpoint(except) } };
}

function parseLatency(body: Body): Parsed {
  const delay = body['DelayMilliseconds'];
  if (delay === undefined || delay === null) return missing('DelayMilliseconds');
  if (!isWhole(delay, Number.MAX_SAFE_INTEGER)) return invalid(delay, 'DelayMilliseconds');
  const jitter = body['JitterMilliseconds'];
  if (jitter === undefined || jitter === null) return missing('JitterMilliseconds');
  if (!isWhole(jitter, Number.MAX_SAFE_INTEGER)) return invalid(jitter, 'JitterMilliseconds');
  const places = toAndExcept(body);
  return 'error' in places ? places : { fault: { type: 'network-latency', delayMs: delay, jitterMs: jitter, ...places } };
}

function parseLoss(body: Body): Parsed {
  const percent = body['LossPercent'];
  if (percent === undefined || percent === null) return missing('LossPercent');
  if (!isWhole(percent, 100) || percent < 1) return invalid(percent, 'LossPercent');
  const places = toAndExcept(body);
  return 'error' in places ? places : { fault: { type: 'network-packet-loss', percent, ...places } };
}

function toAndExcept(body: Body): { to: string[]; except: string[] } | { error: string } {
  const to = sources(body, 'Sources');
  if (!Array.isArray(to)) return to;
  if (to.length === 0) return missing('Sources');
  const except = sources(body, 'SourcesToFilter');
  return Array.isArray(except) ? { to, except: sparingEndpoint(except) } : except;
}

/** Addresses and CIDR blocks of either version. */
function sources(body: Body, name: string): string[] | { error: string } {
  const list = body[name];
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) return invalid(list, name);
  if (list.length > limits.faultSources) return { error: `parameter ${name} may have at most ${limits.faultSources} values` };
  const wrong = list.find((one) => typeof one !== 'string' || !isAddressOrBlock(one));
  return wrong === undefined ? (list as string[]) : invalid(wrong, name);
}

function isAddressOrBlock(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** This endpoint itself is always left alone, since it is what ends a fault. */
function sparingEndpoint(except: string[]): string[] {
  return except.includes(serviceAddresses.metadata) ? except : [...except, serviceAddresses.metadata];
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function missing(name: string): { error: string } {
  return { error: `required parameter ${name} is missing` };
}

function invalid(value: unknown, name: string): { error: string } {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return { error: `invalid value ${shown.slice(0, 64)} for parameter ${name}` };
}
