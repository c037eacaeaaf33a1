/**
 * RunTask by a user with 50 statements against RunTask by root, who has none: the same calls, some at a time. The definition names two roles, so that each
 * call of the user asks for three permissions: its own, and to pass the two. On a whole control plane, which gives the tasks no place: with hosts' work in
 * the same moments, which has nothing to do with who called, two equal sides differ by 9 % in a pair.
 */
import { createRequire } from 'node:module';
import type { DescribeTasksResponse, RunTaskResponse } from '@aws-sdk/client-ecs';
import type { IAMClient } from '@aws-sdk/client-iam';
import { startPlatform, type Platform } from '../test/e2e/platform.ts';
import { documentOf, statementsOf, STATEMENTS } from './policy-document.ts';
import { median, medianBound, report } from './promises.ts';
import { signedCalls, type Credentials, type SignedCall, type SignedCalls } from './signed-calls.ts';

const load = createRequire(import.meta.url);
const iamSdk = load('@aws-sdk/client-iam') as typeof import('@aws-sdk/client-iam');

const PAIRS = 20;
/** Of a pair. In a block each side has a turn of so many calls, in the order of `ORDERS`; then their tasks are stopped. */
const BLOCKS = 128;
const CALLS = 8;
const WIDTH = 4;
/** So that what a turn leaves to the next one meets both sides as often. */
const ORDERS = [
  ['root', 'user'],
  ['user', 'root'],
  ['user', 'root'],
  ['root', 'user'],
] as const;
/** A managed policy has 6144 characters at most. */
const PER_POLICY = 10;
const STOPPED_WITHIN_MS = 60_000;
const USER = 'bench-policies';
const ROLES = ['bench-task', 'bench-execution'];
const FAMILY = 'policies';

type Side = 'root' | 'user';
/** Calls per second. */
type Pair = Record<Side, number>;

/** What is measured on, and how each side signs. */
type Setting = { calls: SignedCalls; keys: Record<Side, Credentials>; subnet: string };

export async function runTaskPolicies(): Promise<boolean> {
  // Of its own: its control plane gives no task a place until it ends.
  const platform = await startPlatform();
  try {
    const setting = await prepare(platform);
    try {
      await pairOf(setting);
      const pairs: Pair[] = [];
      for (let i = 0; i < PAIRS; i++) pairs.push(await pairOf(setting));
      const ratios = pairs.map((pair) => pair.user / pair.root);
      const rates = `median ${median(ratios).toFixed(2)}; root ${median(pairs.map((pair) => pair.root)).toFixed(1)}/s, ${STATEMENTS} statements ${median(pairs.map((pair) => pair.user)).toFixed(1)}/s`;
      return report('run-task-policies', medianBound(ratios, 0.05), `${rates}; ${PAIRS} pairs of ${BLOCKS * CALLS} calls a side, ${WIDTH} at a time`); // prettier-ignore
    } finally {
      setting.calls.end();
    }
  } finally {
    await platform.end();
  }
}

async function prepare({ env }: Platform): Promise<Setting> {
  const region = env['AWS_REGION'] ?? 'us-east-1';
  const root = { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' };
  const endpoint = env['AWS_ENDPOINT_URL'] ?? '';
  const iam = new iamSdk.IAMClient({ endpoint, region, credentials: root });
  const user = await makeUser(iam).finally(() => iam.destroy());
  const setting = { calls: signedCalls(endpoint, region, WIDTH), keys: { root, user } };
  const subnet = await define(setting);
  await asRoot(setting, 'berth', 'Berth_20261101.PausePlacement', {});
  return { ...setting, subnet };
}

const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] }); // prettier-ignore

async function makeUser(iam: IAMClient): Promise<Credentials> {
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

type AsRoot = Pick<Setting, 'calls' | 'keys'>;

async function asRoot<Out>({ calls, keys }: AsRoot, service: string, target: string, input: object): Promise<Out> {
  return JSON.parse(await calls.send(await calls.sign(keys.root, service, target, input))) as Out;
}

const ECS = 'AmazonEC2ContainerServiceV20141113';

/** Registers what is run; answers the subnet that it runs in. */
async function define(setting: AsRoot): Promise<string> {
  const [taskRoleArn, executionRoleArn] = ROLES.map((name) => `arn:aws:iam::123456789012:role/${name}`);
  await asRoot(setting, 'ecs', `${ECS}.RegisterTaskDefinition`, {
    family: FAMILY,
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '256',
    memory: '512',
    executionRoleArn,
    taskRoleArn,
    containerDefinitions: [{ name: 'app', image: 'bench.local/none:1' }],
  });
  const { network } = await asRoot<{ network: { subnetIds: string[] } }>(setting, 'berth', 'Berth_20261101.DescribePlatform', {});
  const [subnet] = network.subnetIds;
  if (subnet === undefined) throw new Error('the platform has no default subnet');
  return subnet;
}

async function pairOf(setting: Setting): Promise<Pair> {
  const seconds: Record<Side, number[]> = { root: [], user: [] };
  for (let block = 0; block < BLOCKS; block++) {
    const turns: { side: Side; signed: SignedCall[] }[] = [];
    for (const side of ORDERS[block % ORDERS.length] ?? []) turns.push({ side, signed: await signTurn(setting, side) });
    const arns: string[] = [];
    for (const { side, signed } of turns) {
      const from = process.hrtime.bigint();
      const answers = await sendAll(setting.calls, signed);
      seconds[side].push(Number(process.hrtime.bigint() - from) / 1e9);
      arns.push(...answers.map(taskOf));
    }
    await stop(setting, arns);
  }
  return { root: CALLS / quickerHalf(seconds.root), user: CALLS / quickerHalf(seconds.user) };
}

function signTurn({ calls, keys, subnet }: Setting, side: Side): Promise<SignedCall[]> {
  const networkConfiguration = { awsvpcConfiguration: { subnets: [subnet] } };
  const wish = { taskDefinition: `${FAMILY}:1`, launchType: 'FARGATE', networkConfiguration };
  return Promise.all(Array.from({ length: CALLS }, () => calls.sign(keys[side], 'ecs', `${ECS}.RunTask`, wish)));
}

async function sendAll(calls: SignedCalls, signed: readonly SignedCall[]): Promise<string[]> {
  const answers: string[] = [];
  const left = signed.values();
  const caller = async () => {
    for (const call of left) answers.push(await calls.send(call));
  };
  await Promise.all(Array.from({ length: WIDTH }, caller));
  return answers;
}

function taskOf(answer: string): string {
  const { tasks = [], failures = [] } = JSON.parse(answer) as RunTaskResponse;
  const arn = tasks[0]?.taskArn;
  if (arn === undefined) throw new Error(`RunTask failed: ${failures[0]?.reason}`);
  return arn;
}

async function stop(setting: Setting, arns: readonly string[]): Promise<void> {
  await Promise.all(arns.map((task) => asRoot(setting, 'ecs', `${ECS}.StopTask`, { task })));
  const until = Date.now() + STOPPED_WITHIN_MS;
  for (;;) {
    const { tasks = [] } = await asRoot<DescribeTasksResponse>(setting, 'ecs', `${ECS}.DescribeTasks`, { tasks: arns });
    if (tasks.length === arns.length && tasks.every(({ lastStatus }) => lastStatus === 'STOPPED')) return;
    if (Date.now() > until) throw new Error(`${arns.length} tasks without a place did not stop within ${STOPPED_WITHIN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The mean of the quicker half: what a turn meets of other work, slow syncs and collections of garbage only makes it slower, by up to five times. */
function quickerHalf(seconds: number[]): number {
  const half = seconds.toSorted((a, b) => a - b).slice(0, Math.ceil(seconds.length / 2));
  return half.reduce((sum, one) => sum + one, 0) / half.length;
}

if (import.meta.main) process.exitCode = (await runTaskPolicies()) ? 0 : 1;
