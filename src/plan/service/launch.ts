/** Where new tasks go: zones get equal shares, and capacity providers what the strategy says, both counting what runs. */
import { divide } from '#domain/capacity-strategy.ts';
import { revisionOf } from './draft.ts';
import type { Draft } from './draft.ts';
import type { Judged } from './health.ts';

/** Starts so many tasks of a revision; `kin`: those that share its spread. Throttling and room are the caller's. */
export function launch(draft: Draft, revisionId: string, count: number, kin: readonly Judged[], taskSetId: string | null = null): void {
  if (count <= 0) return;
  const staying = kin.filter(({ standing }) => standing !== 'going');
  const providers = providersFor(draft, revisionId, count, staying);
  const zones = [...staying.map(({ task }) => task.zone), ...draft.starts.filter((s) => s.revisionId === revisionId).map((s) => s.zone)];
  for (let index = 0; index < count; index++) {
    const zone = thinnest(draft.snapshot.zones, zones);
    zones.push(zone);
    draft.starts.push({ revisionId, taskSetId, zone, capacityProvider: providers[index] ?? null });
  }
}

function providersFor(draft: Draft, revisionId: string, count: number, staying: readonly Judged[]): string[] {
  const strategy = revisionOf(draft, revisionId)?.desired.strategy ?? [];
  const shares = divide(strategy, staying.length + count);
  for (const { task } of staying) {
    const at = shares.indexOf(task.capacityProvider ?? '');
    if (at >= 0) shares.splice(at, 1);
  }
  return shares.slice(0, count);
}

/** The zone with the fewest of these; the first of equals. */
export function thinnest(zones: readonly string[], used: readonly (string | null)[]): string | null {
  const count = (zone: string) => used.filter((other) => other === zone).length;
  return zones.reduce<string | null>((best, zone) => (best === null || count(zone) < count(best) ? zone : best), null);
}
