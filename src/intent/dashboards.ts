/** Wishes about dashboards, which are kept as they are. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { dashboardKey, dashboardScope } from '#domain/dashboard.ts';
import type { IntentDeps } from './types.ts';

/** Makes it or replaces it. Throws LimitExceeded. */
export async function putDashboard(deps: IntentDeps, account: string, name: string, text: string): Promise<void> {
  const updatedAt = deps.clock.now();
  const key = dashboardKey({ account }, name);
  await deps.store.write(async (tx) => {
    const known = await tx.dashboards.get(key);
    if (known === undefined && (await tx.dashboards.list(dashboardScope({ account }))).length >= limits.dashboards) {
      throw new Fault('LimitExceeded', `An account can have at most ${limits.dashboards} dashboards.`);
    }
    await tx.dashboards.put({ key, text, updatedAt }, known?.revision ?? 0);
  });
}

/** All of them or none. Throws ResourceNotFound that names those that aren't there. */
export async function deleteDashboards(deps: IntentDeps, account: string, names: readonly string[]): Promise<void> {
  await deps.store.write(async (tx) => {
    const missing: string[] = [];
    for (const name of new Set(names)) if (!(await tx.dashboards.delete(dashboardKey({ account }, name)))) missing.push(name);
    if (missing.length > 0) {
      throw new Fault('ResourceNotFound', `Dashboard ${missing.join(', ')} does not exist`, {
        details: { errorName: 'DashboardNotFoundError' },
      });
    }
  });
}
