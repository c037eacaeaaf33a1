/**
 * Pure: what brings a file system and its bucket together, from what both look like now and what they last agreed on. Source of the rules: S3 User Guide,
 * "Understanding how synchronization works": a file goes to the bucket once nothing of it changed for a while, what changes in the bucket is taken at once,
 * and of what changed on both sides the bucket's is kept and the file goes to lost and found. What the guide leaves open: a name that is a directory in
 * the bucket is one in the file system, whatever object has it too.
 */
import { ancestorsOf, defaultMeta, sameMeta } from '#domain/bucket-files.ts';
import type { Action, BaseEntry, LocalEntry, SyncPlan, SyncView, Version } from './types.ts';

export const sameVersion = (a: Version | null | undefined, b: Version | null | undefined): boolean =>
  a === b || (!!a && !!b && a.etag === b.etag && a.modifiedAt === b.modifiedAt);

const isDirectory = (name: string) => name.endsWith('/');
const directoriesOf = (name: string) => ancestorsOf(isDirectory(name) ? name.slice(0, -1) : name).map((path) => `${path}/`);

type Draft = SyncView & { plan: SyncPlan; bucketDirectories: Set<string>; emptied: Set<string>; waitingInodes: Set<string> };

export function planSync(view: SyncView): SyncPlan {
  const { base, local, remote } = view;
  const plan: SyncPlan = { actions: [], pending: 0, hidden: 0, noticed: new Map() };
  const draft: Draft = { ...view, plan, bucketDirectories: directoriesInBucket(view), emptied: new Set(), waitingInodes: new Set() };
  const names = new Set([...base.keys(), ...local.keys(), ...remote.keys()]);
  const files = [...names].filter((name) => !isDirectory(name));
  const directories = [...names, ...draft.bucketDirectories].filter(isDirectory);
  for (const name of files) planFile(draft, name);
  // What is in a directory before it.
  for (const name of [...new Set(directories)].toSorted((a, b) => depth(b) - depth(a))) planDirectory(draft, name);
  plan.actions = ordered(holdRenamed(draft));
  return plan;
}

/** Those that stand in the bucket and that nobody is about to take away there. */
function directoriesInBucket({ base, local, remote }: SyncView): Set<string> {
  const found = new Set<string>();
  for (const [name, version] of remote) {
    const known = base.get(name);
    const leaves = known !== undefined && !local.has(name) && sameVersion(known.version, version);
    if (leaves) continue;
    if (isDirectory(name)) found.add(name);
    for (const directory of directoriesOf(name)) found.add(directory);
  }
  return found;
}

function planFile(draft: Draft, name: string): void {
  const { plan, local, remote } = draft;
  const file = local.get(name);
  const there = remote.get(name);
  if (draft.bucketDirectories.has(`${name}/`)) return giveWay(draft, name, file);
  if (there !== undefined && local.has(`${name}/`) && !isLeaving(draft, name)) {
    plan.hidden++;
    return forget(draft, name);
  }
  if (file === undefined) planAbsent(draft, name);
  else if (file.type === 'other') planOther(draft, name);
  else planPresent(draft, name, file);
}

const isLeaving = ({ base, remote }: Draft, name: string) => base.has(name) && sameVersion(base.get(name)?.version, remote.get(name));

function forget({ base, plan }: Draft, name: string): void {
  if (base.has(name)) plan.actions.push({ do: 'agree', name, entry: null });
}

/** The bucket has a directory of this name: the file goes, and the object of the name, where there is one, stays unseen. */
function giveWay(draft: Draft, name: string, file: LocalEntry | undefined): void {
  const { plan, base, remote } = draft;
  if (file === undefined && remote.has(name) && isLeaving(draft, name)) return planAbsent(draft, name);
  if (remote.has(name)) plan.hidden++;
  if (file !== undefined && base.get(name)?.stamp === file.stamp) plan.actions.push({ do: 'remove', name, body: file.body });
  else if (file !== undefined) plan.actions.push({ do: 'quarantine', name });
  else forget(draft, name);
}

function planAbsent(draft: Draft, name: string): void {
  const { plan, base, remote } = draft;
  const known = base.get(name);
  const there = remote.get(name);
  if (there === undefined) return forget(draft, name);
  if (known === undefined || !sameVersion(known.version, there)) plan.actions.push({ do: 'import', name, body: null });
  else if (settles(draft, name)) plan.actions.push({ do: 'delete', name, version: there });
}

/** Neither a file nor a link: the bucket's takes its place. */
function planOther({ plan, remote }: Draft, name: string): void {
  if (remote.has(name)) plan.actions.push({ do: 'quarantine', name });
}

function planPresent(draft: Draft, name: string, file: LocalEntry): void {
  const { plan, base, remote, now, exportAfterMs } = draft;
  const known = base.get(name);
  const there = remote.get(name);
  const changed = known?.stamp !== file.stamp;
  const sameThere = sameVersion(known?.version, there);
  if (!changed && sameThere) return;
  if (known === undefined && there === undefined) return planExport();
  if (there === undefined) {
    if (changed) plan.actions.push({ do: 'quarantine', name });
    else {
      plan.actions.push({ do: 'remove', name, body: file.body });
      for (const directory of directoriesOf(name)) draft.emptied.add(directory);
    }
  } else if (!changed) plan.actions.push({ do: 'import', name, body: file.body });
  else if (known !== undefined && sameThere) planExport();
  else plan.actions.push({ do: 'meet', name, stamp: file.stamp, remote: there });

  function planExport(): void {
    plan.pending++;
    if (now - file.ctimeMs >= exportAfterMs) plan.actions.push({ do: 'export', name, stamp: file.stamp, version: known?.version ?? null });
    else draft.waitingInodes.add(file.ino);
  }
}

function planDirectory(draft: Draft, name: string): void {
  const { plan, base, local, remote, bucketDirectories } = draft;
  const here = local.get(name);
  const known = base.get(name);
  const there = remote.get(name);
  const inBucket = bucketDirectories.has(name);
  if (here === undefined) {
    if (inBucket) plan.actions.push({ do: 'mkdir', name, version: there ?? null });
    else if (there === undefined) forget(draft, name);
    else if (settles(draft, name)) plan.actions.push({ do: 'delete', name, version: there });
    return;
  }
  if (there !== undefined && !sameVersion(known?.version, there)) return void plan.actions.push({ do: 'permit', name, version: there });
  if (there !== undefined && known !== undefined) return planMarker(known);
  if (inBucket) {
    const entry: BaseEntry = { version: null, stamp: '', ino: here.ino, meta: known === undefined ? defaultMeta(true) : known.version === null ? known.meta : here.meta }; // prettier-ignore
    if (known === undefined || known.version !== null) plan.actions.push({ do: 'agree', name, entry });
    return planMarker(entry);
  }
  // It went from the bucket, alone or as the last that was in it.
  if (known !== undefined && (known.version !== null || draft.emptied.has(name))) {
    plan.actions.push({ do: 'rmdir', name });
    for (const directory of directoriesOf(name)) draft.emptied.add(directory);
    return;
  }
  if (settles(draft, name)) plan.actions.push({ do: 'export', name, stamp: '', version: null });

  function planMarker(agreed: BaseEntry): void {
    if (here === undefined || sameMeta(agreed.meta, here.meta)) return;
    if (settles(draft, name)) plan.actions.push({ do: 'export', name, stamp: '', version: agreed.version });
  }
}

/** A change that has no time of its own: whether it was seen long enough ago to go to the bucket. */
function settles({ plan, noticed, now, exportAfterMs }: Draft, name: string): boolean {
  const since = noticed.get(name) ?? now;
  plan.noticed.set(name, since);
  plan.pending++;
  return now - since >= exportAfterMs;
}

/** A file that has another name by now, under which it isn't in the bucket yet, keeps its object of the former one. */
function holdRenamed({ plan, base, waitingInodes }: Draft): Action[] {
  return plan.actions.filter((action) => action.do !== 'delete' || !waitingInodes.has(base.get(action.name)?.ino ?? ''));
}

const RANKS: Record<Action['do'], number> = {
  agree: 0,
  remove: 1,
  quarantine: 2,
  rmdir: 3,
  mkdir: 4,
  permit: 5,
  import: 6,
  meet: 7,
  export: 8,
  delete: 9,
};

function ordered(actions: Action[]): Action[] {
  const inner = (action: Action) => (action.do === 'rmdir' || action.do === 'delete' ? -depth(action.name) : depth(action.name));
  return actions.toSorted((a, b) => RANKS[a.do] - RANKS[b.do] || inner(a) - inner(b));
}

const depth = (name: string) => name.split('/').length;
