/**
 * Files out of Debian packages, by apt and dpkg-deb as they are on every Debian and Ubuntu machine. Nothing is installed, and apt's own
 * state is left alone: caches, and package lists where the machine has none, live in a scratch directory.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';

export type DebianPackages = { name: string; version: string }[];
export type FetchOptions = {
  clock: Clock;
  /** Packages wanted, with the shared libraries that they need. */
  packages: string[];
  /** An empty directory. */
  scratch: string;
  /** An empty directory that gets the files. */
  root: string;
  onStep?: (step: string) => void;
};

const APT_MS = 120_000;
/** What of a package's dependencies is needed to run its programs: shared libraries, and data split off by the name. */
const libraries = /^(?:lib(?!c-bin)|zlib1g)/;

/** Throws Unavailable: no apt here, no network, no such package. Answers what was fetched. */
export async function fetchDebianFiles(options: FetchOptions): Promise<DebianPackages> {
  const { clock, scratch, root, onStep = () => undefined } = options;
  const debs = join(scratch, 'debs');
  await Promise.all([mkdir(debs, { recursive: true }), mkdir(join(scratch, 'cache/archives/partial'), { recursive: true })]);
  // The machine's lists serve unless they are missing or older than what the archive still has.
  const machine = createApt(clock, scratch, null);
  const done = await tryFetch(machine, options.packages, debs, onStep);
  if (done !== null) {
    onStep('reading the package lists');
    const lists = join(scratch, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const own = createApt(clock, scratch, lists);
    await own('apt-get', ['-q', 'update']);
    const failure = await tryFetch(own, options.packages, debs, onStep);
    if (failure !== null) throw failure;
  }
  const found: DebianPackages = [];
  for (const file of (await readdir(debs)).filter((name) => name.endsWith('.deb')).sort()) {
    const [name = '', version = ''] = file.split('_');
    onStep(`unpacking ${name}`);
    await dpkg(clock, join(debs, file), root);
    found.push({ name, version: decodeURIComponent(version) });
  }
  await mergeUsr(clock, root);
  return found;
}

type Apt = (program: string, args: string[], cwd?: string) => Promise<string>;

function createApt(clock: Clock, scratch: string, lists: string | null): Apt {
  const settings = [`Dir::Cache=${join(scratch, 'cache')}`, 'APT::Sandbox::User=root', 'Acquire::Languages=none', 'Acquire::Retries=2'];
  if (lists !== null) settings.push(`Dir::State::Lists=${lists}`);
  const options = settings.flatMap((setting) => ['-o', setting]);
  return async (program, args, cwd = scratch) => {
    const env = { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
    const result = await runChild(clock, program, [...options, ...args], { timeoutMs: APT_MS, cwd, env });
    if (result.code === 0) return result.stdout;
    const said = result.stderr.trim().split('\n').slice(-3).join(' ') || `it ended with code ${result.code}`;
    throw new Fault('Unavailable', `${program} ${args.join(' ').slice(0, 100)}: ${said}`);
  };
}

/** null when it worked. */
async function tryFetch(apt: Apt, packages: string[], debs: string, onStep: (step: string) => void): Promise<Fault | null> {
  try {
    const all = await closure(apt, packages);
    onStep(`fetching ${all.length} packages: ${all.join(', ')}`);
    await apt('apt-get', ['-q', 'download', ...all], debs);
    return null;
  } catch (error) {
    if (error instanceof Fault && error.details['errno'] !== 'ENOENT') return error;
    throw error;
  }
}

/** The packages and, all the way down, the libraries and same-named parts that they depend on. */
async function closure(apt: Apt, packages: string[]): Promise<string[]> {
  const wanted = new Set(packages);
  let next = packages;
  while (next.length > 0) {
    const text = await apt('apt-cache', ['depends', '--important', ...next]);
    const names = [...text.matchAll(/^ +(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)].map(([, name = '']) => name);
    next = [...new Set(names)].filter(
      (name) => !wanted.has(name) && (libraries.test(name) || packages.some((p) => name === `${p}-common`)),
    );
    next.forEach((name) => wanted.add(name));
  }
  return [...wanted].sort();
}

async function dpkg(clock: Clock, deb: string, root: string): Promise<void> {
  const result = await runChild(clock, 'dpkg-deb', ['-x', deb, root], { timeoutMs: APT_MS });
  if (result.code !== 0) throw new Fault('Unavailable', `dpkg-deb could not unpack ${deb}: ${result.stderr.trim()}`);
}

/** /bin, /sbin, /lib and /lib64 become links into /usr, wherever this release's packages put their files. */
async function mergeUsr(clock: Clock, root: string): Promise<void> {
  const script = `set -eu
for d in bin sbin lib lib64; do
  mkdir -p "usr/$d"
  if [ -d "$d" ] && [ ! -L "$d" ]; then cp -a "$d/." "usr/$d/"; rm -rf "$d"; fi
  [ -L "$d" ] || ln -s "usr/$d" "$d"
done`;
  const result = await runChild(clock, 'sh', ['-c', script], { timeoutMs: APT_MS, cwd: root });
  if (result.code !== 0) throw new Fault('Internal', `the files could not be put in order: ${result.stderr.trim()}`);
}
