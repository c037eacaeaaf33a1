import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { nearest, parseArguments, splitWords } from './arguments.ts';
import { commands } from './commands/index.ts';
import { run } from './commands/run.ts';
import { readWish } from './commands/run.ts';

const refused = (words: string[], pattern: RegExp) =>
  assert.throws(
    () => readWish(parseArguments(run, words)),
    (error) => isFault(error, 'InvalidParameter') && pattern.test(error.message),
  );

it('reads options in every form, positionals anywhere, and what follows --', () => {
  const words = ['--image=nginx', 'web', '-p', '8080', '-e', 'A=1', '--env', 'B=x=y', '--', 'sh', '-c', 'echo --hi'];
  const args = parseArguments(run, words);
  assert.equal(args.positional('NAME'), 'web');
  assert.equal(args.integer('port', { min: 1, max: 65_535 }), 8080);
  assert.deepEqual(args.list('env'), ['A=1', 'B=x=y']);
  assert.deepEqual(args.rest, ['sh', '-c', 'echo --hi']);
  const wish = readWish(args);
  assert.deepEqual(wish.environment, [
    { name: 'A', value: '1' },
    { name: 'B', value: 'x=y' },
  ]);
  assert.deepEqual(wish.command, ['sh', '-c', 'echo --hi']);
});

it('makes a name of the image', () => {
  const name = (image: string) => readWish(parseArguments(run, ['--image', image])).name;
  assert.equal(name('nginx'), 'nginx');
  assert.equal(name('ghcr.io/me/My_App:1.2@sha256:abc'), 'my-app');
  assert.equal(name('localhost:5000/api'), 'api');
});

it('refuses what it does not understand, and says what to do', () => {
  refused([], /needs an image: --image REF/);
  refused(['--image'], /--image needs a value/);
  refused(['--image', 'a', '--image', 'b'], /given twice/);
  refused(['--imgae', 'a'], /did you mean --image/);
  refused(['--image', 'a', 'b', 'c'], /doesn't know what to do with 'c'/);
  refused(['--image', 'a', '--port', '0'], /from 1 to 65535, not '0'/);
  refused(['--image', 'a', '--count', '2x'], /not '2x'/);
  refused(['--image', 'a', '--env', 'X'], /NAME=VALUE/);
  refused(['--image', 'a', 'Web'], /'Web' can't be a name/);
  refused(['--image', 'a', '--json=yes'], /takes no value/);
  refused(['--image', 'a', '--isolation', 'vm'], /one of auto, container/);
  refused(['--image', 'a', '--cpu', 'lots'], /'lots' is no amount of CPU/);
  refused(['--image', 'a', '--memory', '999GB'], /no task size holds/);
});

it('splits words as a shell does', () => {
  assert.deepEqual(splitWords(`sh -c 'echo "a b"' "c d" e\\ f ""`), ['sh', '-c', 'echo "a b"', 'c d', 'e f', '']);
  assert.throws(() => splitWords(`echo 'open`), /never closed/);
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
      assert.deepEqual(splitWords(quoted), words);
    }),
  );
});

it('suggests the nearest word', () => {
  const names = commands.map((command) => command.name);
  assert.equal(nearest('rnu', names), 'run');
  assert.equal(nearest('stauts', names), 'status');
  assert.equal(nearest('zzzzzz', names), undefined);
});
