/** What the resolver knows by itself: berth's own names and the private names of addresses. Pure. */
import dnsPacket from 'dns-packet';
import type { Answer, Packet, Question } from 'dns-packet';
import { limits } from '#base/limits.ts';

export const ZONE = 'berth.internal';
/** Targets come and go: nobody shall keep an answer for long. */
const TTL_S = 2;

/** NAME or NAME.berth.internal, in any case -> addresses; a name with none is known but down. */
export type Names = ReadonlyMap<string, readonly string[]>;

export function namesOf(names: Record<string, readonly string[]>): Names {
  return new Map(Object.entries(names).map(([name, addresses]) => [qualified(name.toLowerCase()), addresses]));
}

function qualified(name: string): string {
  return name === ZONE || name.endsWith(`.${ZONE}`) ? name : `${name}.${ZONE}`;
}

/** EC2's private names: `ip-10-0-1-2.ec2.internal` in us-east-1, `ip-10-0-1-2.REGION.compute.internal` elsewhere. */
const privateName = /^ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(?:ec2|[a-z0-9-]+\.compute)\.internal$/;

/**
 * Our own answer to a query, or undefined when it is for the upstreams. `first` says which address of several comes first, so that
 * clients spread: any number from 0 to 1.
 */
export function ownAnswer(query: Packet, names: Names, first: number): Buffer | undefined {
  const [question] = query.questions ?? [];
  if (question === undefined) return undefined;
  const name = question.name.toLowerCase();
  const octets = privateName.exec(name)?.slice(1);
  if (octets !== undefined && octets.every((octet) => Number(octet) <= 255)) {
    return answer(query, question, [octets.map(Number).join('.')], first);
  }
  if (name !== ZONE && !name.endsWith(`.${ZONE}`)) return undefined;
  const addresses = name === ZONE ? [] : names.get(name);
  return addresses === undefined ? failure(query, 'NXDOMAIN', [authority()]) : answer(query, question, addresses, first);
}

function answer(query: Packet, question: Question, addresses: readonly string[], first: number): Buffer {
  const start = Math.floor(first * addresses.length);
  const ordered = [...addresses.slice(start), ...addresses.slice(0, start)].slice(0, limits.dnsAnswers);
  const wanted = question.type === 'A' || question.type === 'ANY';
  const answers: Answer[] = wanted ? ordered.map((data) => ({ name: question.name, type: 'A', ttl: TTL_S, data })) : [];
  return reply(query, 'NOERROR', answers, answers.length === 0 ? [authority()] : []);
}

/** An answer without addresses: FORMERR, SERVFAIL, NXDOMAIN, NOTIMP. */
export function failure(query: Packet, rcode: 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP', authorities: Answer[] = []): Buffer {
  return reply(query, rcode, [], authorities);
}

const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4 } as const;

function reply(query: Packet, rcode: keyof typeof rcodes, answers: Answer[], authorities: Answer[]): Buffer {
  const authoritative = rcode === 'NOERROR' || rcode === 'NXDOMAIN' ? dnsPacket.AUTHORITATIVE_ANSWER : 0;
  return dnsPacket.encode({
    id: query.id ?? 0,
    type: 'response',
    flags: ((query.flags ?? 0) & dnsPacket.RECURSION_DESIRED) | dnsPacket.RECURSION_AVAILABLE | authoritative | rcodes[rcode],
    questions: query.questions ?? [],
    answers,
    authorities,
  });
}

/** The zone's SOA: its minimum bounds how long a "no" is kept (RFC 2308). */
function authority(): Answer {
  const data = { mname: `ns.${ZONE}`, rname: `hostmaster.${ZONE}`, serial: 1, refresh: 60, retry: 60, expire: 60, minimum: TTL_S };
  return { name: ZONE, type: 'SOA', ttl: TTL_S, data };
}
