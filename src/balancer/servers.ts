/** What HAProxy has to be told so that its servers are the wished ones. Pure: the wish and what is seen go in, commands come out. */
import { limits } from '#base/limits.ts';
import { backendName, CHECK, endpointServer } from './render.ts';
import { groupName, isOpen, parseServerName, serverArguments, serverName } from './render-group.ts';
import type { Generation, ServerTarget } from './render-group.ts';
import type { StatLine } from './runtime.ts';
import type { EndpointDesired, GroupDesired, TargetDesired, TargetSeen, TrafficDesired } from './types.ts';

export type ServerSeen = {
  backend: string;
  name: string;
  status: string;
  /** For how long it has had that status, in whole seconds. */
  forSeconds: number;
  downs: number;
  check: string;
  code: number;
  sessions: number;
};

/** The servers that this module adds and removes. */
export function serversOf(lines: readonly StatLine[]): ServerSeen[] {
  const servers = lines.filter(({ pxname = '', svname = '' }) => /^(ep|tg)_/.test(pxname) && svname.startsWith('t_'));
  return servers.map((line) => ({
    backend: line['pxname'] ?? '',
    name: line['svname'] ?? '',
    status: line['status'] ?? '',
    forSeconds: Number(line['lastchg'] ?? 0),
    downs: Number(line['chkdown'] ?? 0),
    check: (line['check_status'] ?? '').replace(/^\* /, ''),
    code: Number(line['check_code'] ?? 0),
    sessions: Number(line['scur'] ?? 0) + Number(line['qcur'] ?? 0),
  }));
}

export const isUp = ({ status }: ServerSeen): boolean => status.startsWith('UP') || status === 'no check';
const isOut = ({ status }: ServerSeen): boolean => status.startsWith('MAINT') || status.startsWith('DRAIN');
/** It was put down once when it was added: each time more it had been up before. */
const hasFallen = (seen: ServerSeen, generation: Generation): boolean => !isUp(seen) && (generation === 'known' || seen.downs > 1);

/** `leaving`: how many servers that nobody wants any more are still there. */
export type ServerPlan = { commands: string[]; seen: TargetSeen[]; leaving: number };

/** In one batch and in this order a server stays DOWN until its first passed check (measured with HAProxy 2.6). */
function add(path: string, args: string): string[] {
  return [`add server ${path} ${args}`, ...probation(path)];
}
const probation = (path: string): string[] => [`enable health ${path}`, `set server ${path} state ready`, `set server ${path} health down`];
/** With its connections. */
const cut = (path: string): string[] => [`set server ${path} state maint`, `shutdown sessions server ${path}`, `del server ${path}`];

/** Out of traffic; gone once it has nothing to do, or its time is over. */
function retire(server: ServerSeen, until: number, now: number): string[] {
  const path = `${server.backend}/${server.name}`;
  if (now >= until) return cut(path);
  if (!isOut(server)) return [`set server ${path} state maint`];
  return server.sessions === 0 ? [`del server ${path}`] : [];
}

/**
 * Of a target that is gone: what just tries to connect there is given to another one; what gets no answer is cut off. HAProxy keeps a server that has
 * connections.
 */
function leave(path: string, server: ServerSeen): string[] {
  if (isOut(server) && server.forSeconds >= limits.targetGoneSeconds) return cut(path);
  return [...(isOut(server) ? [] : [`set server ${path} state maint`]), `del server ${path}`];
}

export function planServers(traffic: TrafficDesired, seen: readonly ServerSeen[], now: number): ServerPlan {
  const byPath = new Map(seen.map((server) => [`${server.backend}/${server.name}`, server]));
  const wanted = new Set<string>();
  const commands: string[] = [];
  for (const endpoint of traffic.endpoints) planEndpoint(endpoint, byPath, wanted, commands);
  const targets: TargetSeen[] = [];
  for (const group of traffic.groups) {
    const before = commands.length;
    for (const target of group.targets) targets.push(planTarget(group, target, byPath, wanted, commands, now));
    if (failsOpen(group)) for (const target of group.targets) planOpen(group, target, byPath, wanted, commands);
    const sticky = group.stickiness?.kind === 'lb_cookie' && commands.slice(before).some((command) => command.startsWith('add '));
    if (sticky) commands.push(`enable dynamic-cookie backend ${groupName(group.id)}`);
  }
  const places = new Set(
    traffic.groups.flatMap((group) => group.targets.map((target) => `${groupName(group.id)} ${target.ip} ${target.port}`)),
  );
  const leaving = [...byPath].filter(([path]) => !wanted.has(path));
  for (const [path, server] of leaving) {
    const at = parseServerName(server.name);
    // Registered again meanwhile: the former one finishes what it has.
    const again = at !== undefined && places.has(`${server.backend} ${at.ip} ${at.port}`);
    commands.push(...(again ? retire(server, Infinity, now) : leave(path, server)));
  }
  return { commands, seen: targets, leaving: leaving.length };
}

function planEndpoint(endpoint: EndpointDesired, seen: ReadonlyMap<string, ServerSeen>, wanted: Set<string>, commands: string[]): void {
  for (const target of endpoint.targets) {
    const path = `${backendName(endpoint.name)}/${endpointServer(target.id)}`;
    wanted.add(path);
    if (!seen.has(path)) commands.push(...add(path, `${target.ip}:${target.port} ${CHECK}`));
  }
}

/** A target has a `new` server until that fell after it was up; then a `known` one takes its place, and what the first still serves is let finish. */
function planTarget(
  group: GroupDesired,
  target: TargetDesired,
  byPath: ReadonlyMap<string, ServerSeen>,
  wanted: Set<string>,
  commands: string[],
  now: number,
): TargetSeen {
  const pathOf = (generation: Generation) => `${groupName(group.id)}/${serverName(target, generation)}`;
  const fresh = byPath.get(pathOf('new'));
  const known = byPath.get(pathOf('known'));
  const all = [fresh, known].filter((server) => server !== undefined);
  const sessions = all.reduce((sum, server) => sum + server.sessions, 0);
  const at = { groupId: group.id, ip: target.ip, port: target.port, sessions };

  const leave = (server: ServerSeen, until: number): void => {
    wanted.add(`${server.backend}/${server.name}`);
    commands.push(...retire(server, until, now));
  };

  if (target.drainUntil !== null) {
    for (const server of all) leave(server, target.drainUntil);
    const left = all.some((server) => !isOut(server)) || (sessions > 0 && now < target.drainUntil);
    return { ...at, status: left ? 'draining' : 'absent', wasUp: true, check: '', code: 0 };
  }
  const generation = known !== undefined || (fresh !== undefined && !isOut(fresh) && hasFallen(fresh, 'new')) ? 'known' : 'new';
  const server = generation === 'known' ? known : fresh;
  const path = pathOf(generation);
  wanted.add(path);
  if (server === undefined) commands.push(...add(path, serverArguments(group, target, generation)));
  else if (isOut(server)) commands.push(...probation(path));
  if (generation === 'known' && fresh !== undefined) leave(fresh, Infinity);
  const told = server ?? fresh;
  if (told === undefined) return { ...at, status: 'absent', wasUp: false, check: '', code: 0 };
  const status = isUp(told) ? 'up' : 'down';
  return { ...at, status, wasUp: generation === 'known' || status === 'up', check: told.check, code: told.code };
}

/** Whether all that could get traffic are unhealthy, and there is one. */
function failsOpen(group: GroupDesired): boolean {
  const open = group.targets.filter((target) => target.drainUntil === null);
  return open.length > 0 && open.every((target) => target.unhealthy);
}

/** Stands beside its checked one, which takes all traffic back with the first passed check. */
function planOpen(
  group: GroupDesired,
  target: TargetDesired,
  byPath: ReadonlyMap<string, ServerSeen>,
  wanted: Set<string>,
  commands: string[],
): void {
  if (target.drainUntil !== null) return;
  const path = `${groupName(group.id)}/${serverName(target, 'open')}`;
  wanted.add(path);
  const server = byPath.get(path);
  if (server === undefined) commands.push(`add server ${path} ${serverArguments(group, target, 'open')}`);
  if (server === undefined || isOut(server)) commands.push(`set server ${path} state ready`);
}

/** Targets that are up, by group: a configuration that names them takes none out of traffic. */
export function upTargets(group: GroupDesired, seen: readonly ServerSeen[]): ServerTarget[] {
  const backend = groupName(group.id);
  const text = ({ ip, port, registeredAt }: ServerTarget) => `${ip} ${port} ${registeredAt}`;
  const up = new Set(
    seen.flatMap((server) => {
      const at = server.backend === backend && isUp(server) && !isOpen(server.name) ? parseServerName(server.name) : undefined;
      return at === undefined ? [] : [text(at)];
    }),
  );
  return group.targets.filter((target) => target.drainUntil === null && up.has(text(target)));
}
