/** Who follows events and logs on the command line sees all of them, whatever is killed meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { it } from 'node:test';
import { EventBridge } from '@aws-sdk/client-eventbridge';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

const { platform, sdk } = await platformFixture();

/** `berth ARGS` until it is ended: what it has printed so far. */
function following(args: string[]) {
  const env = { ...process.env, BERTH_STATE: platform.state, NO_COLOR: '1', ...platform.env };
  const child = spawn(join(platform.home, 'berth'), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += String(chunk)));
  child.stderr.on('data', (chunk) => (said.err += String(chunk)));
  const lines = () => said.out.split('\n').filter((line) => line !== '');
  return {
    lines,
    said,
    async end() {
      const ended = child.exitCode === null ? once(child, 'close') : undefined;
      child.kill('SIGINT');
      await ended;
    },
  };
}

it('goes on after the control plane was killed, with what came meanwhile', async () => {
  const events = new EventBridge(sdk.config);
  const put = async (n: number) => {
    const Entries = [{ Source: 'follow', DetailType: 'd', Detail: JSON.stringify({ n }) }];
    // What fails is said again: the control plane may be away.
    await until('an answer', async () => await events.putEvents({ Entries }).catch(() => undefined));
  };
  await platform.ok([
    'run',
    'ticks',
    '--image',
    'busybox',
    '--',
    'sh',
    '-c',
    'trap exit TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done',
  ]);
  const [seen, ticks] = [
    following(['events', '-f', '--json', '--source', 'follow']),
    following(['logs', 'ticks', '-f', '--tail', '10000']),
  ];
  try {
    await put(0);
    await until('the first event', async () => seen.lines().length === 1);
    await until('the first line', async () => ticks.lines().length > 0);
    for (let round = 1; round <= 2; round++) {
      const { keeper, control } = await until('the processes', async () => processesOf(platform));
      // The keeper is held until both have noticed that nobody is there.
      process.kill(keeper, 'SIGSTOP');
      process.kill(control, 'SIGKILL');
      const noticed = ({ err }: { err: string }) => err.split("berth doesn't answer").length === round + 1;
      await until('both wait', async () => noticed(seen.said) && noticed(ticks.said)).finally(() => process.kill(keeper, 'SIGCONT'));
      await put(round);
      await until('the next event', async () => seen.lines().length === round + 1);
      const before = ticks.lines().length;
      await until('more lines', async () => ticks.lines().length > before);
    }
    assert.deepEqual(seen.lines().map((line) => JSON.parse(line).detail.n), [0, 1, 2]); // prettier-ignore
    assert.deepEqual(ticks.lines().map(Number), ticks.lines().map((_, index) => index + 1)); // prettier-ignore
  } finally {
    await Promise.all([seen.end(), ticks.end()]);
    events.destroy();
  }
});
