/**
 * RunTask by a user with 50 statements against RunTask by root, who has none: the same calls, some at a time, on a platform that starts their tasks
 * meanwhile. The definition names two roles, so that each call of the user asks for three permissions: its own, and to pass the two.
 */
import { createRequire } from 'node:module';
import type { ECSClient } from '@aws-sdk/client-ecs';
import type { IAMClient } from '@aws-sdk/client-iam';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { documentOf, statementsOf, STATEMENTS } from './policy-document.ts';
import { median, medianBound, report } from './promises.ts';

const load = createRequire(import.meta.url);
const ecsSdk = load('@aws-sdk/client-ecs') as typeof import('@aws-sdk/client-ecs');
const iamSdk = load('@aws-sdk/client-iam') as typeof import('@aws-sdk/client-iam');

const PAIRS = 20;
/** Of a pair: so often each side has its turn, with so many calls. */
const TURNS = 32;
const CALLS = 16;
const WIDTH = 4;
/** A managed policy has 6144 characters at most. */
const PER_POLICY = 10;
const TIMEOUT_MS = 60_000;
const USER = 'bench-policies';
const ROLES = ['bench-task', 'bench-execution'];
const FAMILY = 'policies';

export async function runTaskPolicies(bed: Bed): Promise<boolean> {
  const iam = new iamSdk.IAMClient(bed.settings);
  // Not the bed's own, which looks after the tasks in between: its connections are warmer.
  const root = new ecsSdk.ECSClient(bed.settings);
  const user = new ecsSdk.ECSClient({ ...bed.settings, credentials: await prepare(iam) });
  const clients: Record<Side, ECSClient> = { root, user };
  try {
    await define(bed);
    await pairOf(bed, clients);
    const pairs: Pair[] = [];
    for (let i = 0; i < PAIRS; i++) pairs.push(await pairOf(bed, clients));
    const bound = medianBound(pairs.map((pair) => pair.user / pair.root), 0.05); // prettier-ignore
    const rates = `median ${median(pairs.map((pair) => pair.user / pair.root)).toFixed(2)}; root ${median(pairs.map((pair) => pair.root)).toFixed(1)}/s, ${STATEMENTS} statements ${median(pairs.map((pair) => pair.user)).toFixed(1)}/s`;
    return report('run-task-policies', bound, `${rates}; ${PAIRS} pairs of ${TURNS * CALLS} calls a side, ${WIDTH} at a time`);
  } finally {
    root.destroy();
    user.destroy();
    await cleanUp(iam);
    iam.destroy();
  }
}

const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] }); // prettier-ignore

async function prepare(iam: IAMClient): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  for (const RoleName of ROLES) await iam.send(new iamSdk.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust }));
  await iam.send(new iamSdk.CreateUserCommand({ UserName: USER, Tags: [{ Key: 'team', Value: 'a' }] }));
  const last = [
    { Effect: 'Deny', Action: 'ecs:RunTask', Resource: '*', Condition: { NotIpAddress: { 'aws:SourceIp': '127.0.0.0/8' } } },
    {
      Effect: 'Allow',
      Action: 'ecs:RunTask',
      Resource: '*',
      Condition: { ArnEquals: { 'ecs:cluster': 'arn:aws:ecs:*:*:cluster/default' } },
    },
    {
      Effect: 'Allow',
      Action: 'iam:PassRole',
      Resource: '*',
      Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    },
  ];
  const all = statementsOf(last);
  for (let from = 0; from < STATEMENTS; from += PER_POLICY) {
    const PolicyDocument = documentOf(all.slice(from, from + PER_POLICY));
    const { Policy } = await iam.send(new iamSdk.CreatePolicyCommand({ PolicyName: `${USER}-${from}`, PolicyDocument }));
    await iam.send(new iamSdk.AttachUserPolicyCommand({ UserName: USER, PolicyArn: Policy?.Arn }));
  }
  const { AccessKey: key } = await iam.send(new iamSdk.CreateAccessKeyCommand({ UserName: USER }));
  return { accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '' };
}

/** An account without users and roles, as other benchmarks expect it. */
async function cleanUp(iam: IAMClient): Promise<void> {
  const { AccessKeyMetadata: keys = [] } = await iam.send(new iamSdk.ListAccessKeysCommand({ UserName: USER }));
  for (const { AccessKeyId } of keys) await iam.send(new iamSdk.DeleteAccessKeyCommand({ UserName: USER, AccessKeyId }));
  const { AttachedPolicies: policies = [] } = await iam.send(new iamSdk.ListAttachedUserPoliciesCommand({ UserName: USER }));
  for (const { PolicyArn } of policies) {
    await iam.send(new iamSdk.DetachUserPolicyCommand({ UserName: USER, PolicyArn }));
    await iam.send(new iamSdk.DeletePolicyCommand({ PolicyArn }));
  }
  await iam.send(new iamSdk.DeleteUserCommand({ UserName: USER }));
  for (const RoleName of ROLES) await iam.send(new iamSdk.DeleteRoleCommand({ RoleName }));
}

async function define({ ecs }: Bed): Promise<void> {
  const [taskRoleArn, executionRoleArn] = ROLES.map((name) => `arn:aws:iam::123456789012:role/${name}`);
  await ecs.send(
    new ecsSdk.RegisterTaskDefinitionCommand({
      family: FAMILY,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      executionRoleArn,
      taskRoleArn,
      containerDefinitions: [{ name: 'stamp', image: IMAGE, entryPoint: ['/stamp'], command: ['0'] }],
    }),
  );
}

type Side = 'root' | 'user';
/** Calls per second. */
type Pair = Record<Side, number>;

/** Both in turns, a few calls at a time, so that what else the machine does meets both. */
async function pairOf(bed: Bed, clients: Record<Side, ECSClient>): Promise<Pair> {
  const seconds: Record<Side, number[]> = { root: [], user: [] };
  for (let turn = 0; turn < TURNS; turn++) {
    const sides = turn % 2 === 0 ? (['root', 'user'] as const) : (['user', 'root'] as const);
    for (const side of sides) {
      const arns: string[] = [];
      seconds[side].push(await batch(bed, clients[side], arns));
      // Its tasks run and end by themselves: else the next turn pays for what is still to be done about them.
      await bed.stopped(arns, TIMEOUT_MS);
    }
  }
  return { root: CALLS / quickerHalf(seconds.root), user: CALLS / quickerHalf(seconds.user) };
}

/** The mean of the quicker half: what a turn meets of other work, slow syncs and collections of garbage only makes it slower, by up to five times. */
function quickerHalf(seconds: number[]): number {
  const half = seconds.toSorted((a, b) => a - b).slice(0, Math.ceil(seconds.length / 2));
  return half.reduce((sum, one) => sum + one, 0) / half.length;
}

/** How long the calls take until all are answered. */
async function batch(bed: Bed, client: ECSClient, arns: string[]): Promise<number> {
  const wish = {
    taskDefinition: `${FAMILY}:1`,
    launchType: 'FARGATE' as const,
    networkConfiguration: { awsvpcConfiguration: { subnets: bed.subnets.slice(0, 1) } },
  };
  const from = process.hrtime.bigint();
  let begun = 0;
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (begun++ < CALLS) {
        const { tasks = [], failures = [] } = await client.send(new ecsSdk.RunTaskCommand(wish));
        if (tasks[0]?.taskArn === undefined) throw new Error(`RunTask failed: ${failures[0]?.reason}`);
        arns.push(tasks[0].taskArn);
      }
    }),
  );
  return Number(process.hrtime.bigint() - from) / 1e9;
}
