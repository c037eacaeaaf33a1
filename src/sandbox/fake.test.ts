import { realClock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { realRandom } from '#base/random.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { sandboxConformance } from '../../test/conformance/sandbox.ts';
import type { Inside, Life } from '../../test/conformance/sandbox.ts';
import { createFakeDriver, createFakeWorld } from './fake.ts';

function container(life: Life, change: Partial<ContainerSpec> = {}): ContainerSpec {
  const command = (life.prints ?? []).map((line) => `print=${line}`);
  if (life.exits !== undefined) command.push('run-ms=5', `exit=${life.exits}`);
  if (life.deaf) command.push('stop-ms=600000');
  if (life.health?.sickAfterMs !== undefined) command.push(`unhealthy-after-ms=${life.health.sickAfterMs}`);
  if (life.health !== undefined)
    command.push(life.health.wellAfterMs === null ? 'unhealthy-after-ms=20' : `healthy-after-ms=${life.health.wellAfterMs}`);
  if (life.broken) command.push('fail-start=exec: no such file or directory');
  return containerSpec({ command, ...change });
}

function command(inside: Inside): string[] {
  const words = [...(inside.prints ?? []).map((line) => `print=${line}`), ...(inside.errors ?? []).map((line) => `err=${line}`)];
  if (inside.broken) words.push('/no/such/command');
  if (inside.echoes) words.push('cat');
  if (inside.tellsSize) words.push('size');
  if (inside.waits) words.push('wait');
  return [...words, `exit=${inside.exits ?? 0}`];
}

sandboxConformance('fake', async () => {
  const clock = realClock();
  const random = realRandom();
  const world = createFakeWorld({ clock });
  return {
    driver: createFakeDriver(world, { clock }),
    container,
    command,
    script: null,
    leftovers: async (taskId) => (world.alive().includes(taskId) ? [`supervisor of ${taskId}`] : []),
    dial: async () => '',
    patienceMs: 10_000,
    limits: { terminalName: true },
    hog: '',
    async plan(containers, change = {}) {
      return {
        taskId: hexId(random),
        kind: 'container',
        spec: taskSpec({ containers, ...change }),
        dir: '/nowhere',
        network: { ip: '', mac: '', gatewayIp: '', gatewayMac: '', hostname: 'h', mtu: 1500, routerNetns: '', routerIf: '' },
        images: {},
        environment: {},
        runtimeIds: {},
        files: {},
        volumes: {},
      };
    },
    close: async () => {},
  };
});
