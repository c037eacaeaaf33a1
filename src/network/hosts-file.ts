/**
 * The names of load balancers and endpoints on the machine itself (`berth up --dns`): a marked block in its hosts file, since how a machine
 * resolves names differs and this file is read everywhere (hosts(5)). What else stands in the file is never touched.
 */
import { chmodSync, chownSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { asFault, Fault } from '#base/fault.ts';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { namesOf } from './dns-answers.ts';

/** A name that may stand in the file: labels of letters, digits, dashes and underscores (RFC 1123 and what users write). */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62}\.)*[a-z0-9_-]{1,63}$/;

const beginOf = (instance: string) => `# berth ${instance}: kept by berth, removed by 'berth down'`;
const endOf = (instance: string) => `# berth ${instance} ends`;

/** The file's text with this instance's block as the names want it; without names the block is gone. Pure. */
export function renderHosts(text: string, instance: string, names: Record<string, readonly string[]>): string {
  const lines = [...namesOf(names)]
    .filter(([name]) => HOST_NAME.test(name) && name.length <= 253)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, addresses]) => addresses.map((address) => `${address} ${name}`))
    .slice(0, limits.hostsFileNames);
  const rest = withoutBlock(text, instance);
  if (lines.length === 0) return rest;
  const separator = rest === '' || rest.endsWith('\n') ? '' : '\n';
  return `${rest}${separator}${[beginOf(instance), ...lines, endOf(instance)].join('\n')}\n`;
}

function withoutBlock(text: string, instance: string): string {
  const lines = text.split('\n');
  const begin = lines.indexOf(beginOf(instance));
  if (begin < 0) return text;
  const end = lines.indexOf(endOf(instance), begin);
  // Somebody took the end away: only our own kind of lines goes.
  const after = end >= 0 ? end + 1 : lines.findIndex((line, at) => at > begin && !/^[\d.]+ \S+$/.test(line));
  return [...lines.slice(0, begin), ...(after < 0 ? [''] : lines.slice(after))].join('\n');
}

/** Brings the block up to date; the file is replaced whole. Throws Fault Unavailable when it can't be. */
export function updateHosts(path: string, instance: string, names: Record<string, readonly string[]>): void {
  const next = `${path}.berth-${instance}`;
  try {
    const before = readFileSync(path, 'utf8');
    const after = renderHosts(before, instance, names);
    if (after === before) return;
    const { mode, uid, gid } = statSync(path);
    writeFileSync(next, after, { mode: 0o644 });
    chmodSync(next, mode & 0o777);
    chownSync(next, uid, gid);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw new Fault('Unavailable', `${path} can't be changed, so berth's names don't resolve on this machine: ${(error as Error).message}`, { cause: error }); // prettier-ignore
  }
}

export type HostsFile = { setNames(names: Record<string, readonly string[]>): void; close(): void };

/** Keeps the block as the names are, also when something else writes the file. What can't be done is logged once. */
export function keepHosts(deps: { clock: Clock; log: Log }, path: string, instance: string): HostsFile {
  let names: Record<string, readonly string[]> | undefined;
  let complaint = '';
  const look = () => {
    // Before the control plane said the names the block stays: they were true a moment ago.
    if (names === undefined) return;
    try {
      updateHosts(path, instance, names);
      complaint = '';
    } catch (error) {
      const { message } = asFault(error);
      if (message !== complaint) deps.log.warn('hosts-file', { message });
      complaint = message;
    }
  };
  let timer = deps.clock.after(limits.hostsFileLookMs, again);
  function again(): void {
    look();
    timer = deps.clock.after(limits.hostsFileLookMs, again);
  }
  return {
    setNames(next) {
      names = next;
      look();
    },
    close: () => timer.cancel(),
  };
}
