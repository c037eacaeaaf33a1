/** Loads a service's shapes at first use, once, whoever asks; a failed load is tried anew by the next call. */
import { spawn } from 'node:child_process';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Clock } from '#base/clock.ts';
import { Fault, invariant } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { extractShapes, linkShapes, type ServiceShapes, type ShapeBundle } from './shapes.ts';
import type { ApiSpec } from './types.ts';

export type ShapeLoader = (api: ApiSpec) => Promise<ServiceShapes>;

export function createShapeLoader(clock: Clock): ShapeLoader {
  const loaded = new Map<string, Promise<ServiceShapes>>();
  return (api) => {
    const started = loaded.get(api.service);
    if (started !== undefined) return started;
    const loading = load(api, clock);
    loaded.set(api.service, loading);
    loading.catch(() => loaded.delete(api.service));
    return loading;
  };
}

async function load(api: ApiSpec, clock: Clock): Promise<ServiceShapes> {
  const operations = api.operations.map((operation) => operation.name);
  const bundle =
    api.schemaPackage === undefined
      ? extractShapes((await api.loadSchemas?.()) ?? {}, operations)
      : await readPackage(api.schemaPackage, operations, clock);
  const shapes = linkShapes(bundle);
  const missing = operations.filter((name) => !shapes.operations.has(name));
  invariant(missing.length === 0, `${api.service} has handlers for operations without a schema: ${missing.join(', ')}`);
  return shapes;
}

async function readPackage(name: string, operations: string[], clock: Clock): Promise<ShapeBundle> {
  const program = fileURLToPath(new URL('./shape-reader.ts', import.meta.url));
  const cache = getCompileCacheDir(); // The child gains as much from a warm cache as we do; ours is one directory of the whole.
  const env = cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], { stdio: ['pipe', 'pipe', 'pipe'], env });
  const timer = clock.after(limits.schemaLoadMs, () => child.kill('SIGKILL'));
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${signal ?? `exit code ${code}`}`));
  });
  child.stdin.on('error', () => {}); // A child that died says why by its exit code.
  child.stdin.end(JSON.stringify({ package: name, operations }));
  const [out, err, failure] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]).finally(() => timer.cancel());
  if (failure !== '') {
    throw new Fault('Internal', `the shapes of ${name} could not be read: ${failure}`, {
      details: { stderr: err.toString('utf8').slice(0, 2000) },
    });
  }
  return JSON.parse(out.toString('utf8')) as ShapeBundle;
}
