/**
 * What tasks print in blocking mode, and what PutLogEvents has acknowledged, while control plane, host agent and kernel worker are killed at random: each line is
 * there once, in order. BERTH_SOAK_SECONDS (default: 90) of killing, BERTH_SOAK_LINES (default: 5,000 at once each second of a task that prints in bursts), BERTH_SOAK_SEED.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, GetLogEventsCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'; // prettier-ignore
import { seededRandom } from '#base/random.ts';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';

const SECONDS = Number(process.env['BERTH_SOAK_SECONDS'] ?? 90);
const LINES = Number(process.env['BERTH_SOAK_LINES'] ?? 5000);
const SEED = Number(process.env['BERTH_SOAK_SEED'] ?? Date.now() % 1_000_000);
const kinds = ['container', 'gvisor', 'microvm'] as const;
const PATIENCE_S = 400;
const random = seededRandom(SEED);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const { platform, sdk } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 20 });

/** Kills one, two or all three at a time; between two rounds there may be time for all to be back, or not. */
async function killFor(ms: number): Promise<string[]> {
  const killed: string[] = [];
  for (const end = Date.now() + ms; Date.now() < end; await pause(200 + random.fraction() * 6000)) {
    const victims = (['control', 'host', 'worker'] as const).filter(() => random.fraction() < 0.5);
    const running = processesOf(platform);
    if (running === undefined) continue;
    for (const name of victims) process.kill(running[name], 'SIGKILL');
    killed.push(...victims);
  }
  return killed;
}

/** Puts numbered events, each number tried once, until told to stop; gives those that were acknowledged. */
function putter() {
  const client = new CloudWatchLogsClient({ ...sdk.config, maxAttempts: 1 });
  const place = { logGroupName: '/put', logStreamName: 's' };
  const acknowledged: number[] = [];
  let over = false;
  let tried = 0;
  const done = (async () => {
    while (!over) {
      const batch = Array.from({ length: 50 }, () => ++tried);
      const logEvents = batch.map((n) => ({ timestamp: Date.now(), message: `put ${n}` }));
      await client.send(new PutLogEventsCommand({ ...place, logEvents })).then(
        () => void acknowledged.push(...batch),
        () => pause(50),
      );
    }
  })();
  return {
    async end() {
      over = true;
      await done;
      client.destroy();
      return { acknowledged, tried };
    },
  };
}

async function numbersOf(logGroupName: string, logStreamName: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let nextToken: string | undefined; ;) {
    const page = await sdk.logs.send(new GetLogEventsCommand({ logGroupName, logStreamName, startFromHead: true, ...(nextToken === undefined ? {} : { nextToken }) })); // prettier-ignore
    for (const { message } of page.events ?? []) numbers.push(Number(/^\w+ (\d+)$/.exec(message ?? '')?.[1]));
    if (page.nextForwardToken === nextToken) return numbers;
    nextToken = page.nextForwardToken;
  }
}

/** Says the first place where they differ: of hundreds of thousands nobody reads a difference. */
function assertCounted(what: string, numbers: number[], upTo: number): void {
  const at = numbers.findIndex((n, index) => n !== index + 1);
  const around = at < 0 ? '' : `; at ${at}: ${numbers.slice(Math.max(0, at - 2), at + 5).join(' ')}`;
  assert.ok(
    at < 0 && numbers.length === upTo,
    `${what}: ${numbers.length} of ${upTo} lines, ${new Set(numbers).size} different ones${around}`,
  );
}

it(`${SECONDS} s of kill -9: of all that was printed in blocking mode each line is there once (BERTH_SOAK_SEED=${SEED})`, async () => {
  await sdk.logs.send(new CreateLogGroupCommand({ logGroupName: '/put' }));
  await sdk.logs.send(new CreateLogStreamCommand({ logGroupName: '/put', logStreamName: 's' }));
  const { logConfiguration } = script('');
  const blocking = { logConfiguration: { ...logConfiguration, options: { ...logConfiguration?.options, mode: 'blocking' } } } as object;
  // A little longer than the killing, so that it prints through all of it.
  const steadyLines = Math.ceil(SECONDS * 50);
  const printers = {
    steady: { lines: steadyLines, text: `i=0; while [ $i -lt ${steadyLines} ]; do i=$((i+1)); echo "line $i"; usleep 20000; done; exit 3` },
    bursts: {
      lines: SECONDS * LINES,
      text: `b=0; while [ $b -lt ${SECONDS} ]; do seq $((b*${LINES}+1)) $((b*${LINES}+${LINES})) | sed 's/^/line /'; b=$((b+1)); sleep 1; done; exit 4`,
    },
  };
  const begun = await Promise.all(
    Object.entries(printers).flatMap(([name, { text, lines }]) =>
      kinds.map(async (kind) => {
        const definition = await sdk.register(`${name}-${kind}`, [script(text, blocking)]);
        const [task] = await sdk.run(definition, { tags: [{ key: 'berth:isolation', value: kind }] });
        assert.ok(task);
        return { what: `${name} in ${kind}`, code: name === 'steady' ? 3 : 4, lines, task };
      }),
    ),
  );
  // What dies before the first instruction is a start that fails, not a line that is lost.
  await until('the first line of each', async () => (await Promise.all(begun.map(({ task }) => sdk.lines(task, 'main').catch(() => [])))).every((lines) => lines.length > 0), 120_000); // prettier-ignore
  const putting = putter();
  const killed = await killFor(SECONDS * 1000);
  const { acknowledged, tried } = await putting.end();
  const ended = await sdk.stopped(begun.map(({ task }) => task), PATIENCE_S); // prettier-ignore
  for (const { what, code, lines, task } of begun) {
    const one = ended.find(({ taskArn }) => taskArn === task.taskArn);
    assert.equal(one?.containers?.[0]?.exitCode, code, `${what}: ${one?.stoppedReason}`);
    const id = task.taskArn?.split('/').at(-1);
    assertCounted(what, await numbersOf('/e2e', `e2e/main/${id}`), lines);
  }
  const stored = await numbersOf('/put', 's');
  const there = new Set(stored);
  assert.equal(stored.length, there.size, 'an event that was put once is there twice');
  assert.deepEqual(acknowledged.filter((n) => !there.has(n)), [], 'acknowledged, and lost'); // prettier-ignore
  console.log(
    `  killed ${killed.length} (${killed.join(' ')}); ${acknowledged.length} of ${tried} put events were acknowledged, ${there.size} are there`,
  );
});
