import assert from 'node:assert/strict';
import { it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import type { Context } from './command.ts';
import { commands } from './commands/index.ts';
import { commandHelp, overview, usageLine } from './help.ts';
import { runCommandLine } from './index.ts';
import { createSteps } from './steps.ts';
import { createTerminal } from './terminal.ts';

const plain = (_style: string, text: string) => text;

/** A context that only prints; a command that would call anything fails the test. */
function printing(): { context: Context; out: () => string; err: () => string } {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = createTerminal({
    write: (text) => void out.push(text),
    writeError: (text) => void err.push(text),
    interactive: false,
    colours: false,
    width: () => 80,
  });
  const clock = virtualClock();
  const never = () => assert.fail('a help text needs no platform');
  const context: Context = {
    terminal,
    clock,
    steps: createSteps(terminal, clock),
    state: '/nowhere',
    self: './berth',
    connect: never,
    connectForCleanUp: never,
    environment: never,
    platform: never,
    signal: new AbortController().signal,
  };
  return { context, out: () => out.join(''), err: () => err.join('') };
}

it('names every command in the overview', () => {
  const text = overview(commands, plain);
  for (const command of commands) assert.match(text, new RegExp(`^  ${command.name} +${command.summary.slice(0, 10)}`, 'm'));
});

for (const command of commands) {
  it(`helps with berth ${command.name}`, async () => {
    const text = commandHelp(command, plain);
    assert.ok(text.includes(usageLine(command)));
    assert.ok(command.examples.length > 0, 'has an example');
    for (const option of command.options) assert.ok(text.includes(`--${option.name}`), option.name);
    for (const example of command.examples) assert.ok(text.includes(example.command));
    const { context, out } = printing();
    assert.equal(await runCommandLine([...command.name.split(' '), '--help'], '1', () => context), 0);
    assert.equal(out(), text);
    const letters = command.options.flatMap((option) => (option.short === undefined ? [] : [option.short]));
    assert.equal(new Set([...letters, 'h']).size, letters.length + 1, 'short options are unique');
  });
}

it('answers a wrong command with a hint and exit code 2', async () => {
  const { context, err } = printing();
  assert.equal(await runCommandLine(['rnu'], '1', () => context), 2);
  assert.match(err(), /did you mean 'run'/);
  assert.equal(await runCommandLine(['image', 'nope'], '1', () => context), 2);
  assert.match(err(), /needs one of: ls, pull, import, rm, prune/);
  assert.equal(await runCommandLine(['stop'], '1', () => context), 2);
  assert.match(err(), /needs NAME/);
});

it('takes --state before and after the command', async () => {
  const states: (string | undefined)[] = [];
  const open = (state: string | undefined) => {
    states.push(state);
    return printing().context;
  };
  await runCommandLine(['--state', '/a', 'ps', '--help'], '1', open);
  await runCommandLine(['--state=/b', 'help'], '1', open);
  assert.deepEqual(states, ['/a', '/b']);
});

it('says what is wrong with a span or a grouping of usage before anything is asked', async () => {
  const cases: [words: string[], said: RegExp][] = [
    [['--by', 'x'], /--by 'x' must be task, service, cluster, family, day or tag:KEY/],
    [['--by', 'tag:'], /--by 'tag:' must be/],
    [['--since', 'yesterday'], /--since 'yesterday' must be a time/],
    [['--since', '2h', '--until', '3h'], /--until '3h' must be later than --since '2h'/],
    [['--until', '2001-01-01'], /--until '2001-01-01' must be later than the beginning of this month/],
    [['--month', '2026-00'], /--month '2026-00' must be a month/],
    [['--month', '2026-11', '--since', '2h'], /leave out --since and --until/],
    [['--prices', '/nowhere'], /--prices \/nowhere: ENOENT/],
  ];
  for (const [words, said] of cases) {
    const { context, err } = printing();
    assert.equal(await runCommandLine(['usage', ...words], '1', () => context), 2, words.join(' '));
    assert.match(err(), said);
    assert.match(err(), /berth usage --help/);
  }
});
