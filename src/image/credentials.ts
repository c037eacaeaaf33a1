/**
 * Who to be at a registry: Docker's config.json (`auths`, `credHelpers`, `credsStore`) and its credential helpers
 * (docker-credential-helpers protocol: `docker-credential-NAME get`, server address on stdin, JSON on stdout).
 */
import { readFile } from 'node:fs/promises';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { RegistryAuth } from './types.ts';

export type Credentials = {
  /** null: nobody; be anonymous. Throws AccessDenied when a helper that is named for this registry fails. */
  lookup(registry: string, signal?: AbortSignal): Promise<RegistryAuth | null>;
};

type DockerConfig = {
  auths: Record<string, Record<string, unknown>>;
  credHelpers: Record<string, unknown>;
  credsStore: unknown;
};

const HUB_SERVER = 'https://index.docker.io/v1/';

/** The file is read at each lookup: `docker login` works without a restart. No path: always anonymous. */
export function createCredentials(clock: Clock, configPath: string | null): Credentials {
  return {
    async lookup(registry, signal) {
      if (configPath === null) return null;
      const config = await readConfig(configPath);
      if (config === null) return null;
      const server = registry === 'docker.io' ? HUB_SERVER : registry;
      const helper = config.credHelpers[registry] ?? config.credHelpers[server] ?? config.credsStore;
      if (typeof helper === 'string' && helper !== '') {
        const found = await askHelper(clock, helper, server, signal);
        if (found !== null) return found;
      }
      return fromAuths(config.auths, registry, server);
    },
  };
}

async function readConfig(path: string): Promise<DockerConfig | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Fault('AccessDenied', `can't read the registry credentials in ${path}: ${(error as Error).message}`, {
      details: { kind: 'denied' },
    });
  }
  try {
    const raw = JSON.parse(text) as Partial<DockerConfig>;
    return { auths: raw.auths ?? {}, credHelpers: raw.credHelpers ?? {}, credsStore: raw.credsStore };
  } catch {
    throw new Fault('AccessDenied', `the registry credentials in ${path} are not JSON: mend or remove the file`, {
      details: { kind: 'denied' },
    });
  }
}

/** Keys are written as `host`, `host:port`, `https://host`, `https://host/v1/`. */
function fromAuths(auths: DockerConfig['auths'], registry: string, server: string): RegistryAuth | null {
  const host = (key: string): string => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const key = [server, registry].find((k) => k in auths) ?? Object.keys(auths).find((k) => host(k) === registry);
  const entry = key === undefined ? undefined : auths[key];
  if (entry === undefined) return null;
  const { auth, username, password, identitytoken } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken };
  if (typeof auth === 'string' && auth !== '') {
    const plain = Buffer.from(auth, 'base64').toString('utf8');
    const colon = plain.indexOf(':');
    if (colon > 0) return { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, '') };
  }
  return typeof username === 'string' && typeof password === 'string' ? { username, password } : null;
}

async function askHelper(clock: Clock, helper: string, server: string, signal?: AbortSignal): Promise<RegistryAuth | null> {
  const program = `docker-credential-${helper}`;
  const fail = (why: string, cause?: unknown): Fault =>
    new Fault('AccessDenied', `the credential helper ${program} gave nothing for ${server}: ${why}`, {
      details: { kind: 'denied' },
      cause,
    });
  if (!/^[\w.-]+$/.test(helper)) throw fail('its name has characters that no helper may have');
  const options = { input: `${server}\n`, timeoutMs: limits.credentialHelperMs, ...(signal === undefined ? {} : { signal }) };
  const result = await runChild(clock, program, ['get'], options).catch((error: unknown) => {
    if (isFault(error, 'Cancelled')) throw error;
    throw fail((error as Error).message, error);
  });
  if (result.code !== 0) {
    const said = (result.stdout || result.stderr).trim().slice(0, 300);
    if (/credentials not found/i.test(said)) return null;
    throw fail(said || `it ended with code ${result.code}`);
  }
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(result.stdout) as typeof answer;
  } catch {
    throw fail('its answer is not JSON');
  }
  if (typeof answer.Username !== 'string' || typeof answer.Secret !== 'string') throw fail('its answer has no Username and Secret');
  if (answer.Username === '' && answer.Secret === '') return null;
  return answer.Username === '<token>' ? { identityToken: answer.Secret } : { username: answer.Username, password: answer.Secret };
}
