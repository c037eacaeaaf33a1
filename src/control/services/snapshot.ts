/** What the planner is shown of one service, read in one transaction. Tasks are decoded once for each of their revisions. */
import { parseTargetGroupArn } from '#domain/load-balancer.ts';
import type { ServiceDeploymentRecord, ServiceKey, ServiceRecord, ServiceRevisionRecord, TaskSetRecord } from '#domain/service.ts';
import { withHosts } from '#domain/capacity.ts';
import type { HostRecord } from '#domain/records.ts';
import type { PlanTask, ServiceSnapshot } from '#plan/service/types.ts';
import type { ReadTx } from '#store/types.ts';
import { plainMessage } from './events.ts';
import { targetView, taskView } from './task-view.ts';
import type { TaskView } from './task-view.ts';

/** Tasks of one service as they were decoded last: by id, with the revision of their row. */
export type TaskMemo = Map<string, { revision: number; view: TaskView }>;

/** undefined when the service is gone. `memo` is brought up to date: it holds the tasks that were read, and no other. */
export async function readSnapshot(tx: ReadTx, key: ServiceKey, memo: TaskMemo, now: number): Promise<ServiceSnapshot | undefined> {
  const service = await tx.services.get(key);
  if (service === undefined) return undefined;
  const taskSets = (await tx.taskSets.list(key)).sort((a, b) => a.desired.createdAt - b.desired.createdAt);
  const deployments = await readDeployments(tx, service);
  const zones = await zonesOf(tx, key);
  const views = await readTasks(tx, key, memo, zones);
  const revisions = await readRevisions(tx, key, revisionIdsOf(service, deployments, taskSets, views));
  const targets = await readTargets(tx, key, revisions.values());
  const tasks = views.map((view) => ({ ...view, targets: targets.get(view.id) ?? [] })).sort(byAge);
  const events = await tx.serviceEvents.list(key);
  return {
    now,
    service,
    revisions,
    deployments,
    taskSets,
    tasks: tasks.filter((task) => task.status !== 'STOPPED'),
    ended: tasks.filter((task) => task.status === 'STOPPED'),
    zones: servedOf(zonesForNew(service, revisions, zones), await tx.hosts.list({})),
    alarms: await ringing(tx, key, deployments),
    events: events.toReversed().map(({ message, at }) => ({ message: plainMessage(message), at })),
  };
}

/** Of the alarms that the deployments name, those in ALARM. One that isn't there doesn't ring. */
async function ringing(tx: ReadTx, { account, region }: ServiceKey, deployments: readonly ServiceDeploymentRecord[]): Promise<Set<string>> {
  const names = new Set(deployments.flatMap(({ desired }) => (desired.config.alarms.enable ? desired.config.alarms.names : [])));
  const found = new Set<string>();
  for (const name of names) if ((await tx.alarms.get({ account, region, name }))?.observed.state === 'ALARM') found.add(name);
  return found;
}

const byAge = (a: PlanTask, b: PlanTask) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);

/** Those that go on, and the last one. */
async function readDeployments(tx: ReadTx, { key, desired, observed }: ServiceRecord): Promise<ServiceDeploymentRecord[]> {
  const found = await tx.openDeployments(key);
  for (const id of new Set([observed.deploymentId, desired.deploymentId])) {
    if (id === null || found.some((deployment) => deployment.key.id === id)) continue;
    const last = await tx.serviceDeployments.get({ ...key, id });
    if (last !== undefined) found.push(last);
  }
  return found.sort((a, b) => a.desired.createdAt - b.desired.createdAt || (a.key.id < b.key.id ? -1 : 1));
}

async function readTasks(tx: ReadTx, key: ServiceKey, memo: TaskMemo, zones: ReadonlyMap<string, string>): Promise<TaskView[]> {
  const slots = await tx.tasks.serviceSlots(key);
  const views: TaskView[] = [];
  for (const { id, revision } of slots) {
    const known = memo.get(id);
    if (known?.revision === revision) {
      views.push(known.view);
      continue;
    }
    const task = await tx.tasks.byId(id);
    if (task === undefined) continue;
    const view = taskView(task, zones);
    memo.set(id, { revision: task.revision, view });
    views.push(view);
  }
  const present = new Set(slots.map((slot) => slot.id));
  for (const id of memo.keys()) if (!present.has(id)) memo.delete(id);
  return views;
}

function revisionIdsOf(
  { desired, observed }: ServiceRecord,
  deployments: readonly ServiceDeploymentRecord[],
  taskSets: readonly TaskSetRecord[],
  tasks: readonly TaskView[],
): Set<string> {
  const ids = new Set(tasks.map((task) => task.revisionId));
  const named = [desired.revisionId, observed.targetRevisionId, observed.stableRevisionId];
  for (const deployment of deployments) {
    named.push(
      deployment.desired.targetRevisionId,
      ...deployment.desired.sourceRevisionIds,
      deployment.observed.rollback?.revisionId ?? null,
    );
  }
  for (const { key } of taskSets) named.push(key.id.split('/').at(-1) ?? null);
  for (const id of named) if (id !== null) ids.add(id);
  return ids;
}

async function readRevisions(tx: ReadTx, key: ServiceKey, ids: ReadonlySet<string>): Promise<Map<string, ServiceRevisionRecord>> {
  const found = new Map<string, ServiceRevisionRecord>();
  for (const id of ids) {
    const revision = await tx.serviceRevisions.get({ ...key, id });
    if (revision !== undefined) found.set(id, revision);
  }
  return found;
}

/** By task: its places in the groups that any of the revisions names. */
async function readTargets(
  tx: ReadTx,
  { account, region }: ServiceKey,
  revisions: Iterable<ServiceRevisionRecord>,
): Promise<Map<string, PlanTask['targets']>> {
  const arns = new Set<string>();
  for (const { desired, observed } of revisions) {
    for (const arn of observed.targetGroupArns ?? []) arns.add(arn);
    for (const { targetGroupArn, alternateTargetGroupArn } of desired.loadBalancers) {
      arns.add(targetGroupArn);
      if (alternateTargetGroupArn !== null) arns.add(alternateTargetGroupArn);
    }
  }
  const byTask = new Map<string, PlanTask['targets']>();
  for (const arn of arns) {
    const group = parseTargetGroupArn(arn);
    if (group === undefined) continue;
    for (const target of await tx.targets.list({ account, region, group: group.id })) {
      const { taskId } = target.desired;
      if (taskId === null) continue;
      const places = byTask.get(taskId) ?? [];
      places.push(targetView(target, arn));
      byTask.set(taskId, places);
    }
  }
  return byTask;
}

async function zonesOf(tx: ReadTx, { account, region }: ServiceKey): Promise<Map<string, string>> {
  return new Map((await tx.subnets.list({ account, region })).map((subnet) => [subnet.key.id, subnet.zone]));
}

/** A zone where no host stands gets nothing and isn't evened out. */
const servedOf = (zones: string[], hosts: readonly HostRecord[]): string[] =>
  withHosts(
    zones.map((zone) => ({ zone })),
    hosts,
  ).map(({ zone }) => zone);

/** Of the subnets of the revision that it is being brought to; without one (task sets) of all revisions. */
function zonesForNew(
  { desired, observed }: ServiceRecord,
  revisions: ReadonlyMap<string, ServiceRevisionRecord>,
  zones: ReadonlyMap<string, string>,
): string[] {
  const target = revisions.get(observed.targetRevisionId ?? desired.revisionId ?? '');
  const from = target === undefined ? [...revisions.values()] : [target];
  return [...new Set(from.flatMap((revision) => revision.desired.network.subnetIds).flatMap((id) => zones.get(id) ?? []))];
}
