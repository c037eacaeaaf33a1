/**
 * Whatever RegisterTaskDefinition and RunTask are sent, over the wire: made from the SDK's shapes, good in most and bad in a few places
 * (wrong types, odd texts, large, deep). Each call is done, or is refused by an error that the operation declares, with nothing half done and
 * nothing of berth's own in its text.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DescribeTaskDefinitionCommand, ECSServiceException, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import * as fc from 'fast-check';
import type { Shape } from '#gateway/shapes.ts';
import { account, region, startTestPlatform } from '../../src/front/ecs/test-platform.ts';
import type { TestPlatform } from '../../src/front/ecs/test-platform.ts';
import { entries, inputShape } from '../../tools/task-definition/members.ts';
import type { Operation } from '../../tools/task-definition/status.ts';
import { oddNumbers, oddTexts, show } from './calls.ts';

const LARGE = 'x'.repeat(70_000);
const texts = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('main', 'side', 'v', '/v', 'HEALTHY', 'SUCCESS', 'awslogs', 'awsfirelens', 'FARGATE', 'ENABLED', '256', 'net.core.somaxconn', '90-91', 'CMD') }, // prettier-ignore
  { weight: 3, arbitrary: fc.constantFrom(...oddTexts, '\ud800', '\u202e', '../../etc/passwd', '%00', '${x}', "'; drop") },
  { weight: 1, arbitrary: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant(LARGE)) },
);
const numbers = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(...oddNumbers, -(2 ** 40), 1e308), fc.integer());
const deep = (depth: number): unknown => (depth === 0 ? 0 : depth % 2 === 0 ? [deep(depth - 1)] : { a: deep(depth - 1) });
const wrong = fc.constantFrom<unknown>(
  null,
  true,
  7,
  1.5,
  'x',
  [],
  {},
  [null],
  [[]],
  { a: {} },
  { __proto__: 1, constructor: 2 },
  deep(400),
);

function valueOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'structure': {
      const members = [...shape.members].map(([name, member]) => [name, fc.option(valueOf(member.shape), { nil: undefined, freq: 1 })]);
      return fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>);
    }
    case 'list':
      return fc.oneof(
        { weight: 9, arbitrary: fc.array(valueOf(shape.item.shape), { maxLength: 3 }) },
        { weight: 1, arbitrary: valueOf(shape.item.shape).map((item) => Array.from({ length: 300 }, () => item)) },
      );
    case 'map':
      return fc.dictionary(texts, valueOf(shape.value.shape), { maxKeys: 4 });
    case 'number':
      return numbers;
    case 'boolean':
      return fc.boolean();
    default:
      return texts;
  }
}

type Path = (string | number)[];
type Place = { path: Path; shape: Shape };

/** Every place where a value may stand: of lists the first item and the second. */
function placesOf(shape: Shape, path: Path = []): Place[] {
  const here = { path, shape };
  if (shape.kind === 'structure') {
    return [here, ...[...shape.members].flatMap(([name, member]) => placesOf(member.shape, [...path, name]))];
  }
  if (shape.kind !== 'list') return [here];
  return [here, ...[0, 1].flatMap((index) => placesOf(shape.item.shape, [...path, index]))];
}

function put(value: unknown, [step, ...rest]: Path, other: unknown): unknown {
  if (step === undefined) return other;
  if (typeof step === 'number') {
    const list: unknown[] = Array.isArray(value) ? [...value] : [];
    const at = Math.min(step, list.length);
    list[at] = put(list[at], rest, other);
    return list;
  }
  const source = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  return { ...source, [step]: put((source as Record<string, unknown>)[step], rest, other) };
}

/** A good input with up to three places changed. */
function inputs(operation: Operation, good: object[]): fc.Arbitrary<object> {
  const edit = fc
    .constantFrom(...placesOf(inputShape(operation)).filter(({ path }) => path.length > 0))
    .chain(({ path, shape }) =>
      fc.oneof({ weight: 5, arbitrary: valueOf(shape) }, { weight: 1, arbitrary: wrong }).map((value) => ({ path, value })),
    );
  return fc
    .record({ base: fc.constantFrom(...good), edits: fc.array(edit, { maxLength: 3 }) })
    .map(({ base, edits }) => edits.reduce((input: object, { path, value }) => put(input, path, value) as object, base));
}

/** What the SDK's own documentation of the operation says that it throws, and what AWS's gateways answer before any operation. */
function declaredErrors(operation: Operation): Set<string> {
  const file = new URL(`../../node_modules/@aws-sdk/client-ecs/dist-types/commands/${operation}Command.d.ts`, import.meta.url);
  const names = [...readFileSync(file, 'utf8').matchAll(/@throws \{@link (\w+)\} \(client fault\)/g)].map(([, name = '']) => name);
  return new Set([...names, 'SerializationException', 'RequestEntityTooLargeException']);
}
const declared = { RegisterTaskDefinition: declaredErrors('RegisterTaskDefinition'), RunTask: declaredErrors('RunTask') };

/** Sends the input as it is, past the client's own serializer. */
async function send(platform: TestPlatform, operation: Operation, input: object): Promise<string | undefined> {
  const body = JSON.stringify(input);
  platform.ecs.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body: string; headers: Record<string, string> };
      request.body = body;
      request.headers['content-length'] = String(Buffer.byteLength(body));
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'rawBody' },
  );
  try {
    if (operation === 'RunTask') return void (await platform.ecs.send(new RunTaskCommand({ taskDefinition: '' })));
    const answer = await platform.ecs.send(new RegisterTaskDefinitionCommand({ family: '', containerDefinitions: [] }));
    return answer.taskDefinition?.taskDefinitionArn;
  } finally {
    platform.ecs.middlewareStack.remove('rawBody');
  }
}

/** Twenty missing members, each with its path. */
const TEXT_MAX = 5000;
const OURS = /\/(?:src|node_modules)\/|\.ts\b|\n\s+at |file:\/\/|node:|sqlite|undefined|\[object|TypeError|is not a function|Cannot read/i;

function assertRefusal(operation: Operation, input: object, error: unknown): void {
  assert.ok(error instanceof ECSServiceException, `${operation}: ${String(error)} for ${show(input)}`);
  const { httpStatusCode: status } = error.$metadata;
  assert.ok(status === 400 || status === 413, `${operation}: ${status} ${error.name} ${error.message} for ${show(input)}`);
  assert.ok(declared[operation].has(error.name), `${operation} declares no ${error.name} (${error.message})`);
  assert.ok(
    error.message.length > 0 && error.message.length < TEXT_MAX,
    `${operation}: a text of ${error.message.length} for ${show(input)}`,
  );
  const leak = OURS.exec(error.message)?.[0];
  assert.ok(leak === undefined || JSON.stringify(input).includes(leak), `${operation}: ${error.message} for ${show(input)}`);
}

const writtenBy = (platform: TestPlatform) =>
  platform.store.read(async (tx) => {
    const scope = { account, region };
    const [definitions, tasks, tokens] = [
      await tx.taskDefinitions.list(scope),
      await tx.tasks.list(scope),
      await tx.clientTokens.list(scope),
    ];
    return JSON.stringify([definitions.map((one) => [one.key, one.status]), tasks.map((one) => one.key.id), tokens.length]);
  });

/** How many of each operation's calls were good. */
export async function fuzzDefinitions(runs: number): Promise<Record<Operation, number>> {
  const platform = await startTestPlatform();
  const done = { RegisterTaskDefinition: 0, RunTask: 0 };
  const network = { networkConfiguration: { awsvpcConfiguration: { subnets: platform.subnets.slice(0, 1) } } };
  const call = async (operation: Operation, input: object): Promise<boolean> => {
    const before = await writtenBy(platform);
    try {
      const taskDefinition = await send(platform, operation, input);
      done[operation]++;
      if (taskDefinition !== undefined) {
        await platform.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
        await call('RunTask', { taskDefinition, launchType: 'FARGATE', ...network });
      }
      return true;
    } catch (error) {
      assertRefusal(operation, input, error);
      assert.equal(await writtenBy(platform), before, `${operation} was refused and changed something, for ${show(input)}`);
      return false;
    }
  };
  try {
    const definitions = inputs('RegisterTaskDefinition', goodDefinitions());
    const runTasks = inputs('RunTask', [{ taskDefinition: 'web', launchType: 'FARGATE', ...network }]);
    const wish = fc.oneof(
      definitions.map((input) => ({ operation: 'RegisterTaskDefinition' as const, input })),
      runTasks.map((input) => ({ operation: 'RunTask' as const, input })),
    );
    await fc.assert(
      fc.asyncProperty(wish, async ({ operation, input }) => void (await call(operation, input))),
      { numRuns: runs },
    );
  } finally {
    await platform.close();
  }
  return done;
}

/** Each member that works, in the definition that shows it. */
function goodDefinitions(): RegisterTaskDefinitionRequest[] {
  const side = { name: 'side', image: 'busybox', essential: false, healthCheck: { command: ['CMD', 'true'] } };
  const plain = { family: 'm', requiresCompatibilities: ['FARGATE' as const], networkMode: 'awsvpc' as const, cpu: '1024', memory: '2048', executionRoleArn: 'arn:aws:iam::123456789012:role/execution', volumes: [{ name: 'v' }] }; // prettier-ignore
  return entries.RegisterTaskDefinition.filter((entry) => entry.is === 'works').map((entry) => {
    const { containerDefinitions = [{ name: 'main', image: 'busybox' }, side], ...definition } = { ...plain, ...entry.definition } as RegisterTaskDefinitionRequest; // prettier-ignore
    const [main, ...others] = containerDefinitions;
    return { ...definition, containerDefinitions: [{ ...main, ...entry.container }, ...others] };
  });
}
