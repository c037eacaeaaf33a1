/** The stock JavaScript SDK pointed at a platform, and the few calls that most tests make. */
import assert from 'node:assert/strict';
import { CloudWatchLogsClient, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { OutputLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import type { Subnet } from '@aws-sdk/client-ec2';
import {
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import type { ContainerDefinition, RegisterTaskDefinitionCommandInput, RunTaskCommandInput, Task } from '@aws-sdk/client-ecs';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { STSClient } from '@aws-sdk/client-sts';
import type { Platform } from './platform.ts';

export const LOG_GROUP = '/e2e';
const ROLE = 'arn:aws:iam::123456789012:role/ecsTaskExecutionRole';

export type Sdk = ReturnType<typeof createSdk>;

/** `maxAttempts`: how often a call is tried (default: the SDK's own 3). */
export function createSdk(platform: Platform, options: { region?: string; maxAttempts?: number } = {}) {
  const config = {
    region: options.region ?? 'us-east-1',
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
    endpoint: platform.env['AWS_ENDPOINT_URL'] ?? '',
    credentials: { accessKeyId: platform.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: platform.env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
  const ecs = new ECSClient(config);
  const logs = new CloudWatchLogsClient(config);
  const ec2 = new EC2Client(config);
  const elb = new ElasticLoadBalancingV2Client(config);
  const sts = new STSClient(config);
  let known: Subnet[] | undefined;

  const waitOptions = (seconds: number) => ({ client: ecs, maxWaitTime: seconds, minDelay: 0.1, maxDelay: 0.5 });
  const arnOf = (task: Task | string) => (typeof task === 'string' ? task : (task.taskArn ?? ''));

  /** Fails with what each task that isn't as expected is instead: a waiter's own error has them all whole. */
  const unlike = async (arns: string[], expected: string, cause: unknown): Promise<never> => {
    const others = (await sdk.describe(arns)).filter((task) => task.lastStatus !== expected);
    const told = others.map((task) => `${taskId(task)} ${task.lastStatus} ${task.stopCode ?? ''} ${task.stoppedReason ?? ''}`);
    throw new Error(`not ${expected}:\n${told.slice(0, 20).join('\n')}`, { cause: (cause as Error).name });
  };

  const sdk = {
    config,
    ecs,
    logs,
    ec2,
    elb,
    sts,
    /** Of the default VPC, if no other was made before the first call. */
    async subnets(): Promise<string[]> {
      known ??= (await ec2.send(new DescribeSubnetsCommand({}))).Subnets ?? [];
      return known.map((subnet) => subnet.SubnetId ?? '');
    },
    /** The VPC that these subnets are in. */
    async vpc(): Promise<string> {
      await sdk.subnets();
      return known?.[0]?.VpcId ?? '';
    },
    /** Registers on Fargate terms: 0.25 vCPU and 512 MB unless told otherwise; returns the ARN. */
    async register(
      family: string,
      containers: ContainerDefinition[],
      change: Partial<RegisterTaskDefinitionCommandInput> = {},
    ): Promise<string> {
      const { taskDefinition } = await ecs.send(
        new RegisterTaskDefinitionCommand({
          family,
          requiresCompatibilities: ['FARGATE'],
          networkMode: 'awsvpc',
          cpu: '256',
          memory: '512',
          executionRoleArn: ROLE,
          containerDefinitions: containers,
          ...change,
        }),
      );
      return taskDefinition?.taskDefinitionArn ?? '';
    },
    /** Starts `count` tasks (1 unless told) and returns them as RunTask answered; fails when one was refused. */
    async run(taskDefinition: string, change: Partial<RunTaskCommandInput> = {}): Promise<Task[]> {
      const network = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
      const { tasks = [], failures } = await ecs.send(
        new RunTaskCommand({ taskDefinition, launchType: 'FARGATE', networkConfiguration: network, ...change }),
      );
      assert.deepEqual(failures ?? [], []);
      return tasks;
    },
    async describe(tasks: (Task | string)[], cluster = 'default'): Promise<Task[]> {
      const found: Task[] = [];
      for (let from = 0; from < tasks.length; from += 100) {
        const arns = tasks.slice(from, from + 100).map(arnOf);
        found.push(...((await ecs.send(new DescribeTasksCommand({ cluster, tasks: arns, include: ['TAGS'] }))).tasks ?? []));
      }
      return found;
    },
    /** With the SDK's own waiter; returns the tasks as they then are. */
    async running(tasks: (Task | string)[], seconds = 60): Promise<Task[]> {
      for (let from = 0; from < tasks.length; from += 100) {
        const arns = tasks.slice(from, from + 100).map(arnOf);
        await waitUntilTasksRunning(waitOptions(seconds), { tasks: arns }).catch((error: unknown) => unlike(arns, 'RUNNING', error));
      }
      return sdk.describe(tasks);
    },
    async stopped(tasks: (Task | string)[], seconds = 60): Promise<Task[]> {
      for (let from = 0; from < tasks.length; from += 100) {
        const arns = tasks.slice(from, from + 100).map(arnOf);
        await waitUntilTasksStopped(waitOptions(seconds), { tasks: arns }).catch((error: unknown) => unlike(arns, 'STOPPED', error));
      }
      return sdk.describe(tasks);
    },
    async stop(tasks: (Task | string)[], reason?: string): Promise<void> {
      await Promise.all(
        tasks.map((task) => ecs.send(new StopTaskCommand({ task: arnOf(task), ...(reason === undefined ? {} : { reason }) }))),
      );
    },
    /** Registers, runs one task to its end, and returns it with what its containers printed. */
    async toEnd(
      family: string,
      containers: ContainerDefinition[],
      change: Partial<RegisterTaskDefinitionCommandInput> = {},
      wish: Partial<RunTaskCommandInput> = {},
    ): Promise<Ended> {
      const [task] = await sdk.stopped(await sdk.run(await sdk.register(family, containers, change), wish));
      assert.ok(task);
      const printed: Record<string, string[]> = {};
      for (const { name = '' } of containers) printed[name] = await sdk.lines(task, name);
      return { task, printed, exitCode: (name) => task.containers?.find((one) => one.name === name)?.exitCode };
    },
    /** All lines of one container, oldest first. */
    async lines(task: Task | string, container: string): Promise<string[]> {
      return (await sdk.events(task, container)).map((event) => event.message ?? '');
    },
    async events(task: Task | string, container: string) {
      const logStreamName = `e2e/${container}/${taskId(task)}`;
      const all: OutputLogEvent[] = [];
      for (let nextToken: string | undefined; ;) {
        const page = await logs.send(
          new GetLogEventsCommand({
            logGroupName: LOG_GROUP,
            logStreamName,
            startFromHead: true,
            ...(nextToken === undefined ? {} : { nextToken }),
          }),
        );
        all.push(...(page.events ?? []));
        if (page.nextForwardToken === nextToken) return all;
        nextToken = page.nextForwardToken;
      }
    },
    close() {
      for (const client of [ecs, logs, ec2, elb, sts]) client.destroy();
    },
  };
  return sdk;
}

export type Ended = { task: Task; printed: Record<string, string[]>; exitCode(container: string): number | undefined };

/** A busybox container that runs a shell script and writes to the group LOG_GROUP; what ignores the stop signal is killed after 5 s, not 30. */
export function script(text: string, change: Partial<ContainerDefinition> = {}): ContainerDefinition {
  const name = change.name ?? 'main';
  return {
    name,
    image: 'busybox',
    command: ['sh', '-c', text],
    stopTimeout: 5,
    logConfiguration: {
      logDriver: 'awslogs',
      options: {
        'awslogs-group': LOG_GROUP,
        'awslogs-region': 'us-east-1',
        'awslogs-stream-prefix': 'e2e',
        'awslogs-create-group': 'true',
      },
    },
    ...change,
  };
}

export const taskId = (task: Task | string): string => (typeof task === 'string' ? task : (task.taskArn ?? '')).split('/').at(-1) ?? '';

/** The address of the task's network interface. */
export function addressOf(task: Task): string {
  const found = task.attachments?.[0]?.details?.find((detail) => detail.name === 'privateIPv4Address')?.value;
  assert.ok(found, `task ${taskId(task)} has no address`);
  return found;
}
