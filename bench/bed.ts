/** What every benchmark stands on: one berth and one docker with the same image, and a light client for RunTask. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Platform, root, startPlatform } from '../test/e2e/platform.ts';
import { type DockerPeer, startDocker } from './docker-peer.ts';
import type { CloudWatchLogsClient, OutputLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import type { ECSClient, RunTaskCommandInput, Task } from '@aws-sdk/client-ecs';

const load = createRequire(import.meta.url);
const ecsSdk = load('@aws-sdk/client-ecs') as typeof import('@aws-sdk/client-ecs');
const logsSdk = load('@aws-sdk/client-cloudwatch-logs') as typeof import('@aws-sdk/client-cloudwatch-logs');

export const IMAGE = 'bench.local/stamp:1';
/** All that the image holds. */
const PROGRAMS = ['stamp', 'throughput', 'serve', 'chatter'];
const GROUP = '/bench/stamp';

/** `port`: what it listens on. `logOptions`: further ones of its awslogs driver. */
export type DefinitionChange = { program?: string; cpu?: string; memory?: string; port?: number; logOptions?: Record<string, string> };

export type TaskChange = Partial<RunTaskCommandInput>;

export type Bed = {
  berth: Platform;
  docker: DockerPeer;
  ecs: ECSClient;
  logs: CloudWatchLogsClient;
  /** Of any client of the SDK. */
  settings: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  subnets: string[];
  vpcId: string;
  /** The stamp program, static. */
  program: string;
  /** The image's files as a tar. */
  rootfs: string;
  /** Registers a definition that runs the stamp program with these arguments, or another of the image's, as a quarter of a core unless told. */
  define(family: string, args: string[], change?: DefinitionChange): Promise<void>;
  /** `isolation`: what they run in; what `up` said unless told. */
  runTasks(family: string, count: number, isolation?: string, change?: TaskChange): Promise<Task[]>;
  stopTasks(arns: string[]): Promise<void>;
  /** Resolves once DescribeTasks says RUNNING, or STOPPED, of all of them. */
  running(arns: string[], timeoutMs: number): Promise<void>;
  stopped(arns: string[], timeoutMs: number): Promise<void>;
  /**
   * First-instruction times (CLOCK_MONOTONIC, ns) of tasks, once all have said them; misses are left out after the time is up. `everyMs`:
   * a look takes a call per task, which is our work and not the platform's: many tasks are looked at seldom.
   */
  stamps(family: string, arns: string[], timeoutMs: number, everyMs?: number): Promise<Map<string, bigint>>;
  /**
   * When each task's first line reached its supervisor, in ms since the epoch: for kinds whose clocks inside are not the machine's. Misses are
   * left out after the time is up.
   */
  heard(family: string, arns: string[], timeoutMs: number): Promise<Map<string, number>>;
  /** The first line of each task and when the control plane had it, in ms since the epoch. Misses are left out after the time is up. */
  arrived(family: string, arns: string[], timeoutMs: number): Promise<Map<string, { line: string; atMs: number }>>;
  /** How tasks ended, or where they are, with their last words: for the message of a benchmark that fails. */
  told(family: string, arns: string[]): Promise<string>;
  /** A running task's address. */
  addressOf(arn: string): Promise<string>;
  end(): Promise<void>;
};

export async function makeBed(): Promise<Bed> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  for (const name of PROGRAMS) {
    const flags = ['-O', '--edition=2021', '-C', 'target-feature=+crt-static'];
    execFileSync('rustc', [...flags, '-o', `${dir}/${name}`, join(root, `bench/${name}/${name}.rs`)]);
  }
  execFileSync('tar', ['-C', dir, '-cf', `${dir}/rootfs.tar`, ...PROGRAMS]);
  const without = (error: unknown): never => {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  };
  const docker = await startDocker().catch(without);
  const berth = await startPlatform().catch(async (error: unknown) => {
    await docker.end();
    return without(error);
  });
  const endpoint = berth.env['AWS_ENDPOINT_URL'] ?? '';
  const settings = {
    endpoint,
    region: berth.env['AWS_REGION'] ?? 'us-east-1',
    credentials: { accessKeyId: berth.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: berth.env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
  const ecs = new ecsSdk.ECSClient(settings);
  const logs = new logsSdk.CloudWatchLogsClient(settings);
  await docker.docker(['import', `${dir}/rootfs.tar`, IMAGE]);
  await berth.ok(['image', 'import', `${dir}/rootfs.tar`, '--name', IMAGE]);
  const { subnets, vpcId } = await defaultSubnets(berth);
  return {
    berth,
    docker,
    ecs,
    logs,
    settings,
    subnets,
    vpcId,
    program: `${dir}/stamp`,
    rootfs: `${dir}/rootfs.tar`,
    define: (family, args, change) => define(ecs, settings.region, family, args, change),
    runTasks: (family, count, isolation, change) => runTasks(ecs, subnets, family, count, isolation, change),
    stopTasks: async (arns) => {
      await Promise.all(arns.map((task) => ecs.send(new ecsSdk.StopTaskCommand({ task }))));
    },
    running: (arns, timeoutMs) => untilAll(ecs, 'RUNNING', arns, timeoutMs),
    stopped: (arns, timeoutMs) => untilAll(ecs, 'STOPPED', arns, timeoutMs),
    stamps: async (family, arns, timeoutMs, everyMs = POLL_MS) => {
      const events = await firstEvents(logs, family, arns, timeoutMs, everyMs);
      return new Map([...events].map(([arn, event]) => [arn, BigInt((event.message ?? '').trim())]));
    },
    heard: async (family, arns, timeoutMs) => {
      const events = await firstEvents(logs, family, arns, timeoutMs, POLL_MS);
      return new Map([...events].map(([arn, event]) => [arn, event.timestamp ?? NaN]));
    },
    arrived: async (family, arns, timeoutMs) => {
      const events = await firstEvents(logs, family, arns, timeoutMs, POLL_MS);
      const told = (event: OutputLogEvent) => ({ line: (event.message ?? '').trim(), atMs: event.ingestionTime ?? NaN });
      return new Map([...events].map(([arn, event]) => [arn, told(event)]));
    },
    told: (family, arns) => told(ecs, logs, family, arns),
    addressOf: (arn) => addressOf(ecs, arn),
    async end() {
      ecs.destroy();
      logs.destroy();
      await Promise.all([berth.end(), docker.end()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function defaultSubnets(berth: Platform): Promise<{ subnets: string[]; vpcId: string }> {
  const ec2Sdk = load('@aws-sdk/client-ec2') as typeof import('@aws-sdk/client-ec2');
  const client = new ec2Sdk.EC2Client({
    endpoint: berth.env['AWS_ENDPOINT_URL'] ?? '',
    region: berth.env['AWS_REGION'] ?? 'us-east-1',
    credentials: { accessKeyId: berth.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: berth.env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
  const { Subnets = [] } = await client.send(new ec2Sdk.DescribeSubnetsCommand({}));
  client.destroy();
  return { subnets: Subnets.flatMap((s) => s.SubnetId ?? []), vpcId: Subnets[0]?.VpcId ?? '' };
}

async function define(ecs: ECSClient, region: string, family: string, args: string[], change: DefinitionChange = {}): Promise<void> {
  await ecs.send(
    new ecsSdk.RegisterTaskDefinitionCommand({
      family,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: change.cpu ?? '256',
      memory: change.memory ?? '512',
      executionRoleArn: 'arn:aws:iam::123456789012:role/ecsTaskExecutionRole',
      containerDefinitions: [
        {
          name: 'stamp',
          image: IMAGE,
          entryPoint: [change.program ?? '/stamp'],
          command: args,
          ...(change.port === undefined ? {} : { portMappings: [{ containerPort: change.port }] }),
          logConfiguration: {
            logDriver: 'awslogs',
            options: {
              'awslogs-group': GROUP,
              'awslogs-region': region,
              'awslogs-stream-prefix': family,
              'awslogs-create-group': 'true',
              ...change.logOptions,
            },
          },
        },
      ],
    }),
  );
}

async function runTasks(
  ecs: ECSClient,
  subnets: string[],
  family: string,
  count: number,
  isolation?: string,
  change: TaskChange = {},
): Promise<Task[]> {
  const { tasks = [], failures = [] } = await ecs.send(
    new ecsSdk.RunTaskCommand({
      taskDefinition: family,
      count,
      launchType: 'FARGATE',
      ...(isolation === undefined ? {} : { tags: [{ key: 'berth:isolation', value: isolation }] }),
      networkConfiguration: { awsvpcConfiguration: { subnets: subnets.slice(0, 1) } },
      ...change,
    }),
  );
  if (failures.length > 0) throw new Error(`RunTask failed for ${failures.length} of ${count}: ${failures[0]?.reason}`);
  return tasks;
}

async function untilAll(ecs: ECSClient, status: string, arns: string[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let left = arns; left.length > 0;) {
    const { tasks = [] } = await ecs.send(new ecsSdk.DescribeTasksCommand({ tasks: left.slice(0, 100) }));
    const there = new Set(tasks.filter((task) => task.lastStatus === status).map((task) => task.taskArn));
    left = left.filter((arn) => !there.has(arn));
    if (left.length > 0 && Date.now() > deadline) throw new Error(`${left.length} tasks are not ${status} after ${timeoutMs} ms`);
    if (left.length > 0) await pause(POLL_MS);
  }
}

async function told(ecs: ECSClient, logs: CloudWatchLogsClient, family: string, arns: string[]): Promise<string> {
  const { tasks = [] } = await ecs.send(new ecsSdk.DescribeTasksCommand({ tasks: arns }));
  const words = await firstEvents(logs, family, arns, POLL_MS, POLL_MS);
  const codes = (task: Task) => (task.containers ?? []).map((one) => `${one.lastStatus} ${one.exitCode ?? ''} ${one.reason ?? ''}`.trim());
  const lines = tasks.map((task) => [
    task.lastStatus,
    task.stoppedReason ?? '',
    ...codes(task),
    words.get(task.taskArn ?? '')?.message ?? '',
  ]);
  return lines.map((line) => line.join(' ')).join('; ');
}

async function addressOf(ecs: ECSClient, arn: string): Promise<string> {
  const { tasks = [] } = await ecs.send(new ecsSdk.DescribeTasksCommand({ tasks: [arn] }));
  const details = tasks.flatMap((task) => task.attachments ?? []).flatMap((attachment) => attachment.details ?? []);
  const address = details.find((detail) => detail.name === 'privateIPv4Address')?.value;
  if (address === undefined) throw new Error(`task ${arn} has no address`);
  return address;
}

const POLL_MS = 50;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function firstEvents(
  logs: CloudWatchLogsClient,
  family: string,
  arns: string[],
  timeoutMs: number,
  everyMs: number,
): Promise<Map<string, OutputLogEvent>> {
  const found = new Map<string, OutputLogEvent>();
  const deadline = Date.now() + timeoutMs;
  while (found.size < arns.length && Date.now() < deadline) {
    // Waits first: a look at the logs in the very moment of the start would be measured with it.
    await pause(everyMs);
    for (const arn of arns) {
      if (found.has(arn)) continue;
      const logStreamName = `${family}/stamp/${arn.split('/').at(-1)}`;
      const answer = await logs
        .send(new logsSdk.GetLogEventsCommand({ logGroupName: GROUP, logStreamName, startFromHead: true }))
        .catch(() => undefined);
      const event = answer?.events?.[0];
      if (event !== undefined) found.set(arn, event);
    }
  }
  return found;
}
