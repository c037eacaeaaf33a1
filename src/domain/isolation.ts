/** Kinds of sandbox: what a task may ask for, what a host has, and what becomes of the wish `auto`. Pure. */
import type { HostInfo, HostRecord, IsolationInfo } from './records.ts';
import type { Accelerator, IsolationKind, IsolationWish } from './task-spec.ts';
import { tagValue } from './tag-value.ts';
import type { Tag } from './task.ts';

export const isolationWishes: readonly IsolationWish[] = ['auto', 'container', 'gvisor', 'microvm'];
/** What `auto` prefers. */
const strongestFirst: readonly IsolationKind[] = ['microvm', 'gvisor', 'container'];

/** On a RunTask call, a task definition or a cluster. */
export const ISOLATION_TAG = 'berth:isolation';

/**
 * The wish of the first of these that has one: the call's tags, then the definition's, then the cluster's. `auto` when nobody asked. Values
 * were checked when the tags were set (domain/tags.ts).
 */
export function isolationWish(...tags: readonly (readonly Tag[])[]): IsolationWish {
  const asked = tags.map((of) => tagValue(of, ISOLATION_TAG)).find((value) => value !== undefined);
  return isolationWishes.find((wish) => wish === asked) ?? 'auto';
}

/**
 * One kind as its host tells it. `auto`: what this host's `up --isolation` named. Where that is `auto` itself every kind that works may be
 * chosen, except a microVM under software emulation: it is slow and no security border, so it has to be asked for by name.
 */
export function isolationInfo(
  kind: IsolationKind,
  probe: { works: boolean; reason: string; accelerator?: Accelerator },
  auto: IsolationWish,
): IsolationInfo {
  const accelerator = probe.accelerator ?? null;
  const chosen = auto === 'auto' ? accelerator !== 'tcg' : auto === kind;
  return { kind, works: probe.works, reason: probe.reason, accelerator, auto: probe.works && chosen };
}

/** The kind that a host runs this wish in: never a weaker one than was asked for; undefined when it has none. */
export function isolationOn(host: { info: Pick<HostInfo, 'isolation'> }, wish: IsolationWish): IsolationKind | undefined {
  return kindFor(host.info.isolation, wish);
}

/** The same for a host's list. */
export function kindFor(list: HostInfo['isolation'], wish: IsolationWish): IsolationKind | undefined {
  const has = (kind: IsolationKind) => list.some((entry) => entry.kind === kind && entry.works && (wish !== 'auto' || entry.auto));
  return wish === 'auto' ? strongestFirst.find(has) : has(wish) ? wish : undefined;
}

/** Why none of the hosts that are connected runs this wish: `microvm: KVM boots no guest; gvisor: no runsc`; '' when they say nothing. */
export function reasonsAgainst(hosts: readonly HostRecord[], wish: IsolationWish): string {
  const reasons = hosts
    .filter((host) => host.status === 'CONNECTED')
    .flatMap((host) => host.info.isolation.filter((entry) => (wish === 'auto' ? !entry.auto : entry.kind === wish && !entry.works)))
    .map((entry) => `${entry.kind}: ${entry.works ? 'only when asked for by name' : entry.reason}`);
  return [...new Set(reasons)].join('; ');
}
