/** What tasks run in here, put into words: for `up`, `run`, `demo` and `status`. */
import type { Answer, Client } from './client.ts';
import { formatBytes } from './format.ts';

export const isolationWishes = ['auto', 'container', 'gvisor', 'microvm'] as const;

/** One kind as DescribeHosts tells it. */
export type KindInfo = { kind: string; works: boolean; reason: string; accelerator: string | null; auto: boolean };
/** `kind` null: no host has it. `warning`: what a user had better know before relying on it. */
export type Explained = { kind: string | null; why: string; warning: string | null };

const EMULATED = 'software emulation (TCG): slow, for tests, and no security border';

const borders: Record<string, string> = {
  microvm: 'a kernel and a virtual machine of its own for every task, on KVM',
  gvisor: 'a kernel in user space for every task',
  container: 'namespaces, cgroups and seccomp on this machine’s kernel: for code you trust',
};

/**
 * What the wish becomes, and why. `upSays`: what `berth up --isolation` named, else `auto`. Hosts as DescribeHosts answers them; the first that is
 * connected speaks for all.
 */
export function explainIsolation(wish: string, hosts: Answer[], upSays: string): Explained {
  const host = hosts.find((one: Answer) => one.status === 'CONNECTED') ?? hosts[0];
  const kinds: KindInfo[] = host?.info.isolation ?? [];
  const kind: string | null = wish === 'auto' ? (host?.autoIsolation ?? null) : wish;
  const info = kinds.find((one) => one.kind === kind);
  if (kind === null || info?.works !== true) return { kind: null, why: unavailable(wish === 'auto' ? upSays : wish, kinds), warning: null };
  const emulated = info.accelerator === 'tcg';
  const border = emulated ? EMULATED : (borders[kind] ?? info.reason);
  const chosen = wish !== 'auto' ? [] : upSays === 'auto' ? weakerBecause(kind, kinds) : [`berth up --isolation ${upSays} said so`];
  return { kind, why: [border, ...chosen].join('; '), warning: emulated ? `isolation ${kind}: ${EMULATED}` : null };
}

function unavailable(wish: string, kinds: KindInfo[]): string {
  const reasons = kinds.filter((one) => (wish === 'auto' ? !one.auto : one.kind === wish)).map((one) => `${one.kind}: ${one.reason}`);
  return `no sandbox for ${wish} works here${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}`;
}

const strongestFirst = ['microvm', 'gvisor', 'container'];

/** Why nothing stronger was chosen. */
function weakerBecause(kind: string, kinds: KindInfo[]): string[] {
  return strongestFirst.slice(0, strongestFirst.indexOf(kind)).flatMap((stronger) => {
    const info = kinds.find((one) => one.kind === stronger);
    if (info === undefined) return [];
    return [
      info.works
        ? `${stronger} only by name: ${info.accelerator === 'tcg' ? 'it has no KVM here' : info.reason}`
        : `no ${stronger}: ${info.reason}`,
    ];
  });
}

/** What a plan of `run` or `demo` will run in; `wish` is whose word that is. */
export type Isolation = Explained & { wish: string; from: 'option' | 'cluster' | 'default' };

/** Asks the cluster and the hosts. */
export async function isolationOf(
  client: Client,
  plan: { isolation: string | null; cluster: string },
  platform: Answer,
): Promise<Isolation> {
  const { hosts } = await client.call('berth', 'DescribeHosts', {});
  const { clusters } = await client.call('ecs', 'DescribeClusters', { clusters: [plan.cluster], include: ['TAGS'] });
  const tag: string | undefined = clusters?.[0]?.tags?.find((one: Answer) => one.key === 'berth:isolation')?.value;
  const wish = plan.isolation ?? tag ?? 'auto';
  const from = plan.isolation !== null ? 'option' : tag === undefined ? 'default' : 'cluster';
  return { ...explainIsolation(wish, hosts, platform.isolation), wish, from };
}

/** Two columns: `isolation gvisor`, and why. */
export function isolationLine({ kind, why, wish, from }: Isolation): [string, string] {
  return [`isolation ${kind ?? wish}`, from === 'cluster' ? `the cluster’s tag berth:isolation is ${wish}: ${why}` : why];
}

/** A host's line for one kind, without its mark. */
export function describeKind(info: KindInfo): string {
  if (!info.works) return info.reason;
  if (info.accelerator === 'tcg') return `${info.reason} [${EMULATED}; only by name unless up --isolation microvm]`;
  return info.auto ? info.reason : `${info.reason} [only by name]`;
}

/** What stands ready: `microvm: 4 ready, 1 template, 88 MB`. */
export function describePool(pool: { kind: string; ready: number; memoryBytes: number; templates: number }): string {
  const templates = pool.templates === 0 ? [] : [`${pool.templates} template${pool.templates === 1 ? '' : 's'}`];
  return `${pool.kind}: ${[`${pool.ready} ready`, ...templates, formatBytes(pool.memoryBytes)].join(', ')}`;
}
