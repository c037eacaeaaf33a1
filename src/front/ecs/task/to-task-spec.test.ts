import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type {
  ContainerDefinition,
  ContainerRestartPolicy,
  HealthCheck,
  RegisterTaskDefinitionRequest,
  TaskDefinition,
  TaskOverride,
} from '@aws-sdk/client-ecs';
import { Fault, isFault } from '#base/fault.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import { fillDefaults } from '../definition/defaults.ts';
import { validateDefinition } from '../definition/validate.ts';
import { toTaskSpec } from './to-task-spec.ts';

const MIB = 1024 ** 2;
const taskId = '0123456789abcdef0123456789abcdef';

function definition(containers: ContainerDefinition[], fields: Partial<RegisterTaskDefinitionRequest> = {}): TaskDefinition {
  const request: RegisterTaskDefinitionRequest = {
    family: 'web',
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '256',
    memory: '512',
    executionRoleArn: 'arn:aws:iam::123456789012:role/execution',
    containerDefinitions: containers,
    ...fields,
  };
  return fillDefaults(request, validateDefinition(request));
}
function spec(of: TaskDefinition, overrides: TaskOverride = {}): TaskSpec {
  return toTaskSpec({ definition: of, overrides, taskId, isolation: 'auto', region: 'eu-west-1', arch: 'amd64' });
}
const web: ContainerDefinition = { name: 'web', image: 'nginx' };

describe('a definition becomes what to run', () => {
  it('with the defaults of Fargate', () => {
    const { containers, ...task } = spec(definition([web]));
    assert.deepEqual(task, {
      cpuMillis: 250,
      memoryBytes: 512 * MIB,
      ephemeralBytes: 20 * 1024 ** 3,
      isolation: 'auto',
      platform: { os: 'linux', arch: 'amd64' },
      pidMode: 'container',
      sysctls: {},
      executionRole: 'arn:aws:iam::123456789012:role/execution',
      volumes: [],
    });
    assert.deepEqual(containers, [
      {
        name: 'web',
        image: 'nginx',
        entryPoint: null,
        command: null,
        workingDirectory: null,
        user: null,
        environment: {},
        essential: true,
        cpuMillis: 0,
        memoryBytes: null,
        memoryReservationBytes: null,
        ports: [],
        dependsOn: [],
        mounts: [],
        readOnlyRoot: false,
        capabilities: { add: [], drop: [] },
        privileged: false,
        devices: [],
        ulimits: [{ name: 'nofile', soft: 65_535, hard: 65_535 }],
        initProcess: false,
        tmpfs: [],
        labels: {},
        tty: false,
        stdin: false,
        startTimeoutMs: null,
        stopTimeoutMs: 30_000,
        stopSignal: null,
        log: null,
        health: null,
        restart: null,
      },
    ]);
  });

  it('a restart policy has the defaults of AWS, and is none when it is not enabled', () => {
    const restartOf = (restartPolicy: ContainerRestartPolicy) => spec(definition([{ ...web, restartPolicy }])).containers[0]?.restart;
    assert.deepEqual(restartOf({ enabled: true }), { ignoredExitCodes: [], attemptPeriodMs: 300_000 });
    const given = { enabled: true, ignoredExitCodes: [0, 3], restartAttemptPeriod: 60 };
    assert.deepEqual(restartOf(given), { ignoredExitCodes: [0, 3], attemptPeriodMs: 60_000 });
    assert.equal(restartOf({ ...given, enabled: false }), null);
  });

  it('a health check has the defaults of AWS; NONE is none', () => {
    const healthOf = (healthCheck: HealthCheck) => spec(definition([{ ...web, healthCheck }])).containers[0]?.health;
    const filled = { intervalMs: 30_000, timeoutMs: 5000, retries: 3, startPeriodMs: 0 };
    assert.deepEqual(healthOf({ command: ['CMD', 'check', '-q'] }), { command: ['check', '-q'], ...filled });
    const given = { interval: 5, timeout: 2, retries: 1, startPeriod: 10 };
    assert.deepEqual(healthOf({ command: ['CMD-SHELL', 'curl localhost || exit 1'], ...given }), {
      command: ['/bin/sh', '-c', 'curl localhost || exit 1'],
      intervalMs: 5000,
      timeoutMs: 2000,
      retries: 1,
      startPeriodMs: 10_000,
    });
    assert.equal(healthOf({ command: ['NONE'] }), null);
  });

  it('the call overrides the definition', () => {
    const of = definition([
      {
        ...web,
        command: ['a'],
        environment: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        memory: 100,
      },
    ]);
    const [container] = spec(of, {
      cpu: '1 vCPU',
      memory: '2GB',
      containerOverrides: [
        { name: 'web', command: ['b', 'c'], environment: [{ name: 'B', value: '3' }], memory: 200, memoryReservation: 50, cpu: 512 },
      ],
    }).containers;
    assert.deepEqual(container?.command, ['b', 'c']);
    assert.deepEqual(container?.environment, { A: '1', B: '3' });
    assert.equal(container?.memoryBytes, 200 * MIB);
    assert.equal(container?.memoryReservationBytes, 50 * MIB);
    assert.equal(container?.cpuMillis, 500);
    assert.equal(spec(of, { cpu: '1 vCPU', memory: '2GB' }).memoryBytes, 2048 * MIB);
    assert.equal(spec(of, { ephemeralStorage: { sizeInGiB: 30 } }).ephemeralBytes, 30 * 1024 ** 3);
  });

  it('the log stream is prefix/container/task', () => {
    const options = { 'awslogs-group': '/g', 'awslogs-region': 'us-west-2', 'awslogs-stream-prefix': 'p', 'awslogs-create-group': 'true' };
    const [container] = spec(definition([{ ...web, logConfiguration: { logDriver: 'awslogs', options } }])).containers;
    assert.deepEqual(container?.log, {
      driver: 'awslogs',
      region: 'us-west-2',
      group: '/g',
      stream: `p/web/${taskId}`,
      createGroup: true,
      delivery: { mode: 'non-blocking', bufferBytes: 64 * 1024 ** 2 },
    });
  });

  it('what happens to output that nobody takes: the definition before the account, which makes it wait or drop', () => {
    const deliveries = (options: Record<string, string>, logMode?: 'blocking') => {
      const named = { 'awslogs-group': '/g', 'awslogs-region': 'r', 'awslogs-stream-prefix': 'p', ...options };
      const logConfiguration = { logDriver: 'awslogs' as const, options: named };
      const input = { overrides: {}, taskId, isolation: 'auto' as const, region: 'eu-north-1', arch: 'amd64' as const, logMode };
      return toTaskSpec({ definition: definition([{ ...web, logConfiguration }]), ...input }).containers[0]?.log?.delivery;
    };
    assert.deepEqual(deliveries({ 'max-buffer-size': '25m' }), { mode: 'non-blocking', bufferBytes: 25 * 1024 ** 2 });
    assert.equal(deliveries({}, 'blocking')?.mode, 'blocking');
    assert.equal(deliveries({ mode: 'non-blocking' }, 'blocking')?.mode, 'non-blocking');
    assert.equal(deliveries({ mode: 'blocking' })?.mode, 'blocking');
  });

  it('a log router goes before what logs to it, unless it waits for that itself', () => {
    const logConfiguration = { logDriver: 'awsfirelens' as const, options: { Name: 'null' } };
    const router = { ...web, name: 'router', firelensConfiguration: { type: 'fluentbit' as const } };
    const [first, second] = spec(definition([{ ...web, logConfiguration }, router])).containers;
    assert.deepEqual(first?.dependsOn, [{ container: 'router', condition: 'START' }]);
    assert.partialDeepStrictEqual(first?.log, { driver: 'awsfirelens', router: 'router', options: { Name: 'null' } });
    assert.partialDeepStrictEqual(second?.firelens, { type: 'fluentbit', metadata: true, include: null });
    const waits = { ...router, dependsOn: [{ containerName: 'web', condition: 'START' as const }] };
    assert.deepEqual(spec(definition([{ ...web, logConfiguration }, waits])).containers[0]?.dependsOn, []);
  });

  it('bind volumes become scratch, and volumesFrom lends mounts', () => {
    const of = definition(
      [
        { ...web, mountPoints: [{ sourceVolume: 'v', containerPath: '/data' }] },
        { name: 'side', image: 'busybox', essential: false, volumesFrom: [{ sourceContainer: 'web', readOnly: true }] },
      ],
      { volumes: [{ name: 'v' }] },
    );
    const { volumes, containers } = spec(of);
    assert.deepEqual(volumes, [{ name: 'v', kind: 'scratch' }]);
    assert.deepEqual(containers[0]?.mounts, [{ volume: 'v', path: '/data', readOnly: false }]);
    assert.deepEqual(containers[1]?.mounts, [{ volume: 'v', path: '/data', readOnly: true }]);
  });

  it('ports, ranges and kernel parameters', () => {
    const of = definition([
      {
        ...web,
        portMappings: [
          { containerPort: 80, name: 'http' },
          { containerPortRange: '9000-9001', protocol: 'udp' },
        ],
        systemControls: [{ namespace: 'net.core.somaxconn', value: '1024' }],
      },
    ]);
    assert.deepEqual(spec(of).containers[0]?.ports, [
      { containerPort: 80, protocol: 'tcp', name: 'http' },
      { containerPort: 9000, protocol: 'udp', name: null },
      { containerPort: 9001, protocol: 'udp', name: null },
    ]);
    assert.deepEqual(spec(of).sysctls, { 'net.core.somaxconn': '1024' });
  });
});

const awslogs = { logDriver: 'awslogs' as const, options: { 'awslogs-group': 'g', 'awslogs-region': 'r', 'awslogs-stream-prefix': 'p' } };
const withRole = { executionRoleArn: 'arn:aws:iam::123456789012:role/execution' };

describe('what a call is refused', () => {
  const cases: [string, () => unknown, string][] = [
    [
      'an override of no container',
      () => spec(definition([web]), { containerOverrides: [{ name: 'x' }] }),
      'Override for container named x is not a container in the TaskDefinition.',
    ],
    [
      'a size Fargate lacks',
      () => spec(definition([web]), { cpu: '512' }),
      'No Fargate configuration exists for given values: 512 CPU, 512 memory. See the Amazon ECS documentation for the valid values.',
    ],
    [
      'a container larger than its task',
      () => spec(definition([web]), { containerOverrides: [{ name: 'web', memory: 513 }] }),
      "The 'memory' setting for container is greater than for the task.",
    ],
    [
      'a volume kind that Fargate lacks',
      () => spec(definition([web], { volumes: [{ name: 'v', host: { sourcePath: '/srv' } }] })),
      'Fargate compatible task definitions do not support sourcePath',
    ],
    [
      'secret options of a driver that has none',
      () => spec(definition([{ ...web, logConfiguration: { ...awslogs, secretOptions: [{ name: 'mode', valueFrom: 'a' }] } }], withRole)),
      "This task definition can't be run here yet, because of logConfiguration.secretOptions of logDriver awslogs (container 'web').",
    ],
  ];
  for (const [name, call, text] of cases) {
    it(name, () => {
      assert.throws(call, (error) => {
        assert.ok(isFault(error));
        assert.equal(error.message, text);
        return true;
      });
    });
  }
});

const text = fc.oneof(fc.constantFrom('', 'web', 'side', 'v', '256', '512', '1 vCPU', '2GB', '/data', 'A'), fc.string({ maxLength: 8 }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const list = <T>(arbitrary: fc.Arbitrary<T>) => maybe(fc.array(arbitrary, { maxLength: 3 }));
const integer = fc.oneof(fc.integer({ min: -2, max: 3000 }), fc.integer());
const pair = fc.record({ name: maybe(text), value: maybe(text) });
const anyContainer = fc.record({
  name: maybe(text),
  image: maybe(text),
  cpu: maybe(integer),
  memory: maybe(integer),
  memoryReservation: maybe(integer),
  essential: maybe(fc.boolean()),
  command: list(text),
  entryPoint: list(text),
  environment: list(pair),
  secrets: list(fc.record({ name: text, valueFrom: text })),
  mountPoints: list(fc.record({ sourceVolume: maybe(text), containerPath: maybe(text), readOnly: maybe(fc.boolean()) })),
  volumesFrom: list(fc.record({ sourceContainer: maybe(text), readOnly: maybe(fc.boolean()) })),
  dependsOn: list(fc.record({ containerName: text, condition: fc.constantFrom('START', 'COMPLETE', 'SUCCESS', 'HEALTHY', 'NEVER') })),
  portMappings: list(
    fc.record({
      containerPort: maybe(integer),
      hostPort: maybe(integer),
      protocol: maybe(text),
      containerPortRange: maybe(text),
      name: maybe(text),
    }),
  ),
  ulimits: list(fc.record({ name: text, softLimit: integer, hardLimit: integer })),
  linuxParameters: maybe(
    fc.record({ capabilities: maybe(fc.record({ add: list(text), drop: list(text) })), initProcessEnabled: maybe(fc.boolean()) }),
  ),
  logConfiguration: maybe(fc.record({ logDriver: text, options: maybe(fc.dictionary(text, text)) })),
  healthCheck: maybe(fc.record({ command: list(text), interval: maybe(integer) })),
  systemControls: list(fc.record({ namespace: maybe(text), value: maybe(text) })),
  stopTimeout: maybe(integer),
  startTimeout: maybe(integer),
});
const anyDefinition = fc.record({
  family: text,
  cpu: maybe(text),
  memory: maybe(text),
  networkMode: maybe(fc.constantFrom('awsvpc', 'bridge', 'x')),
  requiresCompatibilities: list(fc.constantFrom('FARGATE', 'EC2')),
  volumes: list(fc.record({ name: maybe(text), configuredAtLaunch: maybe(fc.boolean()) })),
  containerDefinitions: maybe(fc.array(anyContainer, { maxLength: 3 })),
  pidMode: maybe(text),
});
const anyOverride = fc.record({
  cpu: maybe(text),
  memory: maybe(text),
  containerOverrides: list(
    fc.record({
      name: maybe(text),
      command: list(text),
      environment: list(pair),
      cpu: maybe(integer),
      memory: maybe(integer),
      memoryReservation: maybe(integer),
    }),
  ),
  ephemeralStorage: maybe(fc.record({ sizeInGiB: integer })),
});

describe('whatever is sent', () => {
  it('registering throws nothing but Faults', () => {
    fc.assert(
      fc.property(anyDefinition, (request) => onlyFaults(() => validateDefinition(request as unknown as RegisterTaskDefinitionRequest))),
      { numRuns: 300 },
    );
  });

  it('running throws nothing but Faults', () => {
    fc.assert(
      fc.property(anyDefinition, anyOverride, (of, overrides) =>
        onlyFaults(() => spec(of as unknown as TaskDefinition, overrides as unknown as TaskOverride)),
      ),
      { numRuns: 300 },
    );
  });

  it('what could be registered is run with sizes that are sizes', () => {
    const runnable = fc.record({
      essential: fc.constant(true),
      cpu: fc.integer({ min: 0, max: 128 }),
      memory: maybe(fc.integer({ min: 4, max: 512 })),
    });
    fc.assert(
      fc.property(fc.array(runnable, { minLength: 1, maxLength: 2 }), (containers) => {
        const task = spec(definition(containers.map((container, index) => ({ ...container, name: `c${index}`, image: 'x' }))));
        return task.containers.every((c) => Number.isInteger(c.cpuMillis) && (c.memoryBytes === null || c.memoryBytes <= task.memoryBytes));
      }),
    );
  });
});

function onlyFaults(fn: () => unknown): boolean {
  try {
    fn();
    return true;
  } catch (error) {
    if (error instanceof Fault) return true;
    throw error;
  }
}
