/** `berth run --volume NAME:/path[:ro]`: named volumes, and the cluster's word that it allows them. */
import { Fault } from '#base/fault.ts';
import type { Answer, Client } from './client.ts';
import type { Context } from './command.ts';

export type RunVolume = { name: string; path: string; readOnly: boolean };

const EXTENSIONS = 'berth:extensions';
const VOLUMES = 'volumes';
const bad = (text: string) => new Fault('InvalidParameter', text, { details: { usage: true } });

/** Throws InvalidParameter. */
export function parseVolumes(given: readonly string[]): RunVolume[] {
  const volumes = given.map((text): RunVolume => {
    const [name = '', path = '', mode, ...more] = text.split(':');
    if (more.length > 0 || (mode !== undefined && mode !== 'ro' && mode !== 'rw'))
      throw bad(`--volume '${text}' is not NAME:/path or NAME:/path:ro`);
    if (name.startsWith('/') || name.startsWith('.')) {
      throw bad(
        `--volume '${text}' names a directory of this machine, which no task gets: a volume has a name, as data:${path || '/data'}`,
      );
    }
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name))
      throw bad(`--volume '${text}': '${name}' is no name of a volume (letters, digits, _ . -)`);
    if (!path.startsWith('/')) throw bad(`--volume '${text}': the place in the container is an absolute path, as ${name}:/data`);
    return { name, path, readOnly: mode === 'ro' };
  });
  const twice = volumes.find((volume, index) => volumes.findIndex((other) => other.path === volume.path) !== index);
  if (twice !== undefined) throw bad(`--volume gives ${twice.path} twice`);
  return volumes;
}

/** Members of a task definition and of its one container. */
export function volumeMembers(volumes: readonly RunVolume[]): { definition: Answer; container: Answer } {
  if (volumes.length === 0) return { definition: {}, container: {} };
  const names = [...new Set(volumes.map(({ name }) => name))];
  const docker = { scope: 'shared', autoprovision: true, driver: 'local' };
  return {
    definition: {
      volumes: names.map((name) => ({ name, dockerVolumeConfiguration: docker })),
      tags: [{ key: EXTENSIONS, value: VOLUMES }],
    },
    container: {
      mountPoints: volumes.map(({ name, path, readOnly }) => ({ sourceVolume: name, containerPath: path, readOnly })),
    },
  };
}

/** Fargate has no such volumes, so a cluster must allow them by its tag: who asks for one in so many words has decided that. */
export async function allowVolumes(client: Client, context: Context, cluster: string, volumes: readonly RunVolume[]): Promise<void> {
  if (volumes.length === 0) return;
  const { clusters } = await client.call('ecs', 'DescribeClusters', { clusters: [cluster], include: ['TAGS'] });
  const found: Answer = clusters[0];
  if (found === undefined) return; // whoever runs the task says so
  const before: string = found.tags.find((tag: Answer) => tag.key === EXTENSIONS)?.value ?? '';
  if (before.split(/[\s,]+/).includes(VOLUMES)) return;
  const value = before === '' ? VOLUMES : `${before} ${VOLUMES}`;
  await client.call('ecs', 'TagResource', { resourceArn: found.clusterArn, tags: [{ key: EXTENSIONS, value }] });
  context.terminal.note(`The cluster ${cluster} allows named volumes from now on (tag ${EXTENSIONS}=${value}).`);
}
