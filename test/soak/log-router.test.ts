/** FireLens as AWS documents it, with Fluent Bit as the task's log router, in each kind of sandbox. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { addressOf, createSdk, script, taskId } from '../e2e/aws-sdk.ts';
import type { Sdk } from '../e2e/aws-sdk.ts';
import { startPlatform, until } from '../e2e/platform.ts';
import type { Platform } from '../e2e/platform.ts';
import { importImages } from '../e2e/wild/images.ts';

const ROUTER = 'amazon/aws-for-fluent-bit:2';
const PATIENCE_S = 240;
/** What a task whose container prints at once, and much, must not lose. */
const LINES = Number(process.env['BERTH_SOAK_LINES'] ?? 20_000);
const size = { cpu: '512', memory: '1024' };

let platform: Platform;
let sdk: Sdk;
before(async () => {
  platform = await startPlatform({ upArgs: ['--accel', 'tcg'] });
  sdk = createSdk(platform, { maxAttempts: 10 });
  await importImages(platform, [ROUTER, 'busybox:1']);
});
after(async () => {
  sdk?.close();
  await platform?.end();
});

const { logConfiguration } = script('');
function router(options: Record<string, string> = {}): ContainerDefinition {
  return {
    name: 'log_router',
    image: ROUTER,
    essential: true,
    memoryReservation: 50,
    firelensConfiguration: { type: 'fluentbit', options },
    logConfiguration,
  };
}
/** What it prints goes to the router, which prints it. */
function routed(name: string, text: string, options: Record<string, string> = {}): ContainerDefinition {
  return {
    ...script(text, { name }),
    image: 'busybox:1',
    logConfiguration: { logDriver: 'awsfirelens', options: { Name: 'stdout', Format: 'json_lines', ...options } },
  };
}

type Printed = Record<string, string>;
/** Records that the router printed. */
async function records(task: string): Promise<Printed[]> {
  const lines = await sdk.lines(task, 'log_router').catch(() => []);
  return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Printed] : []));
}

for (const kind of ['container', 'gvisor', 'microvm']) {
  const wish = { tags: [{ key: 'berth:isolation', value: kind }] };
  describe(`a log router in the sandbox ${kind}`, () => {
    it('gets what the others print with ECS’s metadata and the user’s own configuration, and is there until it has all', async () => {
      // A record of its own, in the forward protocol: ["app-firelens-own", 1700000000, {"log": "by hand"}].
      const own = '\\223\\260app-firelens-own\\316\\145\\123\\361\\000\\201\\243log\\247by hand';
      const app = routed(
        'app',
        `until printf '${own}' | nc -w 3 $FLUENT_HOST $FLUENT_PORT 2>/dev/null; do sleep 0.1; done
        i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); done; echo "debug: not this"; echo last >&2`,
        { 'exclude-pattern': '^debug', 'log-driver-buffer-limit': '2097152' },
      );
      const extra = { 'enable-ecs-log-metadata': 'true', 'config-file-type': 'file', 'config-file-value': '/fluent-bit/etc/extra.conf' };
      const definition = await sdk.register(`routed-${kind}`, [{ ...app, essential: true }, router(extra)], size);
      const [task] = await sdk.stopped(await sdk.run(definition, wish), PATIENCE_S);
      assert.ok(task);
      const all = await until('the router’s own log', async () => {
        const seen = await records(taskId(task));
        return seen.some(({ log }) => log === 'last') && seen;
      });
      const told = all.filter((record) => record['container_name'] === '/app');
      // The two streams come in the order in which they were read.
      assert.deepEqual(
        told.map((record) => record['log']).filter((log) => log !== 'last'),
        Array.from({ length: 200 }, (_, i) => `line ${i}`),
      );
      assert.ok(
        all.some((record) => record['log'] === 'by hand' && record['fleet'] === 'blue'),
        'what it sent to FLUENT_HOST itself',
      );
      const { container_id, ...first } = told.find(({ log }) => log === 'last') ?? {};
      assert.match(container_id ?? '', /^[0-9a-f]{32}-\d+$/);
      assert.deepEqual(
        { ...first, date: '' },
        {
          date: '',
          source: 'stderr',
          log: 'last',
          container_name: '/app',
          ecs_cluster: 'default',
          ecs_task_arn: task.taskArn,
          ecs_task_definition: definition.split('/').at(-1),
          fleet: 'blue',
        },
      );
    });

    it('is reached by its own task, and by no other', async () => {
      const idle = { ...routed('app', 'sleep 1000'), stopTimeout: 2 };
      const [task] = await sdk.running(await sdk.run(await sdk.register(`kept-${kind}`, [idle, router()], size), wish), PATIENCE_S);
      assert.ok(task);
      // The task's other ports are open to its VPC's tasks, and refuse; this one answers nobody.
      const other = script(`
        nc -w 3 ${addressOf(task)} 24224 </dev/null 2>/dev/null && echo reached || echo not reached
        nc -w 3 ${addressOf(task)} 24225 </dev/null 2>&1 | grep -o refused`);
      const { printed } = await sdk.toEnd(`other-${kind}`, [{ ...other, image: 'busybox:1' }]);
      assert.deepEqual(printed['main'], ['not reached', 'refused']);
      await sdk.stop([task]);
      await sdk.stopped([task], PATIENCE_S);
    });
  });
}

it(`a container in blocking mode loses none of ${LINES} lines to a router that is slower`, async () => {
  const app = routed('app', `i=0; while [ $i -lt ${LINES} ]; do echo "line $i of many, as long as lines are"; i=$((i+1)); done`, {
    mode: 'blocking',
  });
  const extra = { 'config-file-type': 'file', 'config-file-value': '/fluent-bit/etc/extra.conf' };
  const [task] = await sdk.stopped(await sdk.run(await sdk.register('many', [app, router(extra)], size)), PATIENCE_S);
  assert.ok(task);
  const seen = new Set((await records(taskId(task))).flatMap(({ log }) => log ?? []));
  assert.equal(seen.size, LINES);
});
