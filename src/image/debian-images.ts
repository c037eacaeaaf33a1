/** Images made on the spot from Debian's packages, for machines that reach no registry: a web server and a shell. */
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { buildImage, type BuildConfig } from './build.ts';
import { fetchDebianFiles } from './debian-packages.ts';
import { nginxConfig, nginxPage } from './debian-nginx.ts';
import type { Platform } from './manifest.ts';

export type DebianImageOptions = {
  clock: Clock;
  platform: Platform;
  /** Built archives are kept here and found again: a second build takes no time and no network. */
  cacheDir: string;
  onStep?: (step: string) => void;
};

/** `path`: an OCI layout in a tar, to be imported as `ref`. */
export type DebianImage = { path: string; ref: string; cached: boolean; packages: { name: string; version: string }[] };

/** Part of the archives' names: raise it when a recipe changes. */
const RECIPE = 1;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TOOL_MS = 30_000;

type Recipe = {
  ref: string;
  packages: string[];
  config: BuildConfig;
  /** The program whose age is the image's. */
  program: string;
  furnish(root: string, clock: Clock): Promise<void>;
};

/** A real nginx with its libraries and nothing else: serves berth's page on port 80, logs to stdout and stderr. Throws Unavailable. */
export function buildNginxImage(options: DebianImageOptions): Promise<DebianImage> {
  return build('nginx', options, {
    ref: 'berth.local/nginx:debian',
    packages: ['nginx'],
    config: {
      Entrypoint: ['/usr/sbin/nginx'],
      Cmd: ['-g', 'daemon off;'],
      Env: [PATH],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGQUIT',
      Labels: { 'org.opencontainers.image.title': 'nginx of Debian' },
    },
    program: 'usr/sbin/nginx',
    async furnish(root) {
      await writeTree(root, {
        'etc/nginx/nginx.conf': nginxConfig,
        'usr/share/nginx/berth/index.html': nginxPage,
        'etc/passwd':
          'root:x:0:0:root:/root:/usr/sbin/nologin\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
        'etc/group': 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n',
      });
      for (const directory of ['var/lib/nginx', 'var/log/nginx', 'run', 'root']) await mkdir(join(root, directory), { recursive: true });
    },
  });
}

/** A static busybox with all its applets, `sh` as the command. Throws Unavailable. */
export function buildBusyboxImage(options: DebianImageOptions): Promise<DebianImage> {
  return build('busybox', options, {
    ref: 'berth.local/busybox:debian',
    packages: ['busybox-static'],
    config: { Cmd: ['sh'], Env: [PATH], Labels: { 'org.opencontainers.image.title': 'busybox of Debian' } },
    program: 'usr/bin/busybox',
    async furnish(root, clock) {
      const list = await runChild(clock, join(root, 'usr/bin/busybox'), ['--list'], { timeoutMs: TOOL_MS });
      if (list.code !== 0) throw new Fault('Internal', `busybox does not tell its applets: ${list.stderr.trim()}`);
      for (const applet of list.stdout.split('\n').filter((name) => /^[\w[.-]+$/.test(name) && name !== 'busybox')) {
        await symlink('busybox', join(root, 'usr/bin', applet));
      }
      await writeTree(root, {
        'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
        'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
      });
      for (const directory of ['run', 'root', 'var/www']) await mkdir(join(root, directory), { recursive: true });
    },
  });
}

async function build(name: string, options: DebianImageOptions, recipe: Recipe): Promise<DebianImage> {
  const { clock, cacheDir, platform, onStep = () => undefined } = options;
  const out = join(cacheDir, `${name}-debian-${platform.arch}-${RECIPE}.tar`);
  if (await exists(out)) return { path: out, ref: recipe.ref, cached: true, packages: [] };
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, `.${name}-`));
  try {
    const root = join(work, 'root');
    const scratch = join(work, 'apt');
    await Promise.all([mkdir(root), mkdir(scratch)]);
    const packages = await fetchDebianFiles({ clock, packages: recipe.packages, scratch, root, onStep });
    await trim(root);
    await recipe.furnish(root, clock);
    await mkdir(join(root, 'tmp'));
    await chmod(join(root, 'tmp'), 0o1777);
    onStep('packing the image');
    const created = new Date((await stat(join(root, recipe.program))).mtimeMs).toISOString();
    // Whoever builds it, the image's files belong to root.
    const owner = () => ({ uid: 0, gid: 0 });
    await buildImage({ directories: [root], config: recipe.config, platform, out, name: recipe.ref, created, owner });
    return { path: out, ref: recipe.ref, cached: false, packages };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What no server program needs at run time. Copyright files stay. */
async function trim(root: string): Promise<void> {
  const gone = [
    'usr/share/man',
    'usr/share/lintian',
    'usr/share/locale',
    'usr/share/vim',
    'usr/share/apport',
    'etc/init.d',
    'etc/logrotate.d',
    'etc/ufw',
    'etc/default',
    'lib/systemd',
    'usr/lib/x86_64-linux-gnu/gconv',
    'usr/lib/aarch64-linux-gnu/gconv',
  ];
  for (const name of gone) await rm(join(root, name), { recursive: true, force: true });
}

async function writeTree(root: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { mode: 0o644 });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
