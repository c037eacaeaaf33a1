/**
 * Whatever RegisterTaskDefinition and RunTask are sent, over the wire: made from the SDK's shapes, good in most and bad in a few places
 * (wrong types, odd texts, large, deep). Each call is done, or is refused by an error that the operation declares, with nothing half done and
 * nothing of berth's own in its text.
 */
import assert from 'node:assert/strict';
import { DescribeTaskDefinitionCommand, ECSServiceException, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import * as fc from 'fast-check';
import { account, region, startTestPlatform } from '../../src/front/ecs/test-platform.ts';
import type { TestPlatform } from '../../src/front/ecs/test-platform.ts';
import { entries, inputShape } from '../../tools/task-definition/members.ts';
import type { Operation } from '../../tools/task-definition/status.ts';
import { assertFit, declaredErrors, show } from './calls.ts';
import { editedInputs, textsLike } from './shapes.ts';

const texts = textsLike(['main', 'side', 'v', '/v', 'HEALTHY', 'SUCCESS', 'awslogs', 'awsfirelens', 'FARGATE', 'ENABLED', '256', 'net.core.somaxconn', '90-91', 'CMD']); // prettier-ignore
const inputs = (operation: Operation, good: object[]) => editedInputs(inputShape(operation), good, { texts: () => texts, isTyped: false });

/** And what AWS's gateways answer before any operation. */
const errorsOf = (operation: Operation) =>
  new Set([...declaredErrors('@aws-sdk/client-ecs', operation), 'SerializationException', 'RequestEntityTooLargeException']);
const declared = { RegisterTaskDefinition: errorsOf('RegisterTaskDefinition'), RunTask: errorsOf('RunTask') };

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

function assertRefusal(operation: Operation, input: object, error: unknown): void {
  assert.ok(error instanceof ECSServiceException, `${operation}: ${String(error)} for ${show(input)}`);
  const { httpStatusCode: status } = error.$metadata;
  assert.ok(status === 400 || status === 413, `${operation}: ${status} ${error.name} ${error.message} for ${show(input)}`);
  assert.ok(declared[operation].has(error.name), `${operation} declares no ${error.name} (${error.message})`);
  assertFit(operation, error.message, input);
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
