/** RegisterTaskDefinition: the members of containers. */
import type { Entry } from './status.ts';

const E2E = 'test/e2e/task.test.ts';
const VALIDATE = 'src/front/ecs/definition/validate.test.ts';
const SPEC = 'src/front/ecs/task/to-task-spec.test.ts';
const RENDER = 'src/sandbox/container/render.test.ts';
const HEALTH = 'test/conformance/sandbox-health.ts';
const RESTART = 'test/conformance/sandbox-restart.ts';
const PLACES = 'test/conformance/sandbox-places.ts';
const LIMITS = 'test/conformance/sandbox-limits.ts';
const SANDBOX = 'test/conformance/sandbox.ts';
/** One definition that sets all that can be seen from inside, run in each kind of sandbox. */
const WHOLE = `test/e2e/metadata.test.ts: is obeyed member by member in a \${kind} sandbox`;
const inside = 'is root inside, with a root file system to write to, unless told otherwise';
const notSupported = (field: string) => `Fargate compatible task definitions do not support ${field}`;
const awsvpc = (at: string, leaf: string, container: Entry['container'], says: string): Entry => ({
  at,
  leaves: [leaf],
  is: 'refused',
  tests: [],
  ...(container === undefined ? {} : { container }),
  says,
});

const C = 'containerDefinitions[]';

export const containerMembers: Entry[] = [
  {
    at: C,
    leaves: ['name', 'image', 'essential', 'entryPoint[]', 'command[]', 'user', 'workingDirectory'],
    is: 'works',
    tests: [
      WHOLE,
      `${PLACES}: the command of the image when the definition has none, in the environment of both`,
      `${PLACES}: the user, the groups of the image and the working directory`,
      `${RENDER}: an entry point in the definition clears the command of the image`,
      'src/host/host.test.ts: a container that is not essential may fail or end without ending the task',
    ],
    container: { name: 'main', image: 'other', essential: false, entryPoint: ['/e'], command: ['c'], user: '1:2', workingDirectory: '/w' },
    definition: {
      containerDefinitions: [
        { name: 'main', image: 'busybox' },
        { name: 'side', image: 'busybox', essential: true, healthCheck: { command: ['CMD', 'true'] } },
      ],
    },
  },
  {
    at: C,
    leaves: ['cpu', 'memory'],
    note: 'of several containers in one gVisor sandbox the memory limit holds by looks at it (docs/isolation.md), and of `cpu` only the task’s',
    is: 'works',
    tests: [
      `${LIMITS}: a container’s own memory limit, and what is said of it`,
      `${E2E}: ends a container that takes more memory than it may, and says so`,
    ],
    container: { cpu: 128, memory: 256 },
  },
  {
    at: C,
    leaves: ['memoryReservation'],
    is: 'works',
    note: "the kernel's soft limit of the container's group; gVisor has one group for all, with their sum. As on Fargate it takes no part in where a task is placed",
    tests: [
      'test/conformance/container.test.ts: has its memory reserved as the kernel does it',
      'test/e2e/kinds.test.ts: that is privileged, in a microVM of a cluster that allows it, runs a container of its own',
    ],
    container: { memoryReservation: 128 },
  },
  {
    at: `${C}.portMappings[]`,
    leaves: ['containerPort', 'protocol', 'name', 'containerPortRange', 'hostPort'],
    is: 'works',
    note: 'as on Fargate, hostPort is containerPort or is refused',
    tests: [
      `${SPEC}: ports, ranges and kernel parameters`,
      `${VALIDATE}: When networkMode=awsvpc, the host ports and container ports in port mappings must match.`,
    ],
    container: { portMappings: [{ containerPort: 80, hostPort: 80, protocol: 'udp', name: 'http' }, { containerPortRange: '90-91' }] },
    elsewhere: ['hostPort'],
  },
  {
    at: `${C}.portMappings[]`,
    leaves: ['appProtocol'],
    is: 'not yet',
    kept: 'only Service Connect reads it, which is refused by name',
    tests: [`${VALIDATE}: nothing that was given is lost`],
    container: { portMappings: [{ containerPort: 80, name: 'http', appProtocol: 'http' }] },
  },
  {
    at: `${C}.environment[]`,
    leaves: ['name', 'value'],
    is: 'works',
    tests: [WHOLE, `${RENDER}: the environment is the image, then the platform, then the definition`],
    container: { environment: [{ name: 'A', value: 'b' }] },
  },
  {
    at: `${C}.mountPoints[]`,
    leaves: ['sourceVolume', 'containerPath', 'readOnly'],
    is: 'works',
    note: 'What the image declares by VOLUME at the same path is copied into the volume',
    tests: [
      `${PLACES}: the containers of a task share its volumes and localhost`,
      'test/conformance/sandbox-disk.ts: an image’s VOLUME: a volume that is mounted there gets what the image has, once; without one it is a volume without a name',
    ],
    container: { mountPoints: [{ sourceVolume: 'v', containerPath: '/v', readOnly: true }] },
  },
  {
    at: `${C}.volumesFrom[]`,
    leaves: ['sourceContainer', 'readOnly'],
    is: 'works',
    tests: [`${SPEC}: bind volumes become scratch, and volumesFrom lends mounts`],
    container: { volumesFrom: [{ sourceContainer: 'side', readOnly: true }] },
  },
  {
    at: `${C}.dependsOn[]`,
    leaves: ['containerName', 'condition'],
    is: 'works',
    tests: [
      WHOLE,
      `${SANDBOX}: containers start in the order of what they depend on`,
      'test/e2e/wild.test.ts: a job waits for its init container to succeed',
      'test/e2e/wild.test.ts: nginx and PHP share a volume, and serve what is in MariaDB and Redis',
      `${SANDBOX}: a stop is orderly: in reverse of the order of dependency, and what heeds has its own exit code`,
      `${HEALTH}: what depends on HEALTHY waits for it, and never starts when it is UNHEALTHY`,
    ],
    container: { dependsOn: [{ containerName: 'side', condition: 'HEALTHY' }] },
  },
  {
    at: C,
    leaves: ['startTimeout', 'stopTimeout'],
    is: 'works',
    tests: [
      `${E2E}: comes by SIGTERM, and by SIGKILL after stopTimeout`,
      `${E2E}: keep each other waiting only as long as a dependency can be met`,
    ],
    container: { startTimeout: 20, stopTimeout: 7 },
  },
  {
    at: `${C}.healthCheck`,
    leaves: ['command[]', 'interval', 'timeout', 'retries', 'startPeriod'],
    is: 'works',
    tests: [
      WHOLE,
      `${SPEC}: a health check has the defaults of AWS; NONE is none`,
      `${HEALTH}: a container is HEALTHY once its check passes, and UNHEALTHY with a reason when it fails again and again`,
      `${HEALTH}: what fails within the start period does not count`,
    ],
    container: { healthCheck: { command: ['CMD', 'x'], interval: 7, timeout: 4, retries: 2, startPeriod: 9 } },
  },
  {
    at: `${C}.restartPolicy`,
    leaves: ['enabled', 'ignoredExitCodes[]', 'restartAttemptPeriod'],
    is: 'works',
    tests: [
      `${SPEC}: a restart policy has the defaults of AWS, and is none when it is not enabled`,
      `${RESTART}: a restart policy starts an essential container again: what it wrote stays, its output goes on, until a code that it ignores`,
      `${RESTART}: a restart policy starts a container again until its task is stopped; one that did not run long enough, never`,
    ],
    container: { restartPolicy: { enabled: true, ignoredExitCodes: [3], restartAttemptPeriod: 61 } },
  },
  {
    at: `${C}.linuxParameters`,
    leaves: ['capabilities.drop[]', 'initProcessEnabled', 'tmpfs[].containerPath', 'tmpfs[].size', 'tmpfs[].mountOptions[]'],
    is: 'works',
    tests: [WHOLE, `${RENDER}: a container that sets everything renders as its golden file`],
    container: {
      linuxParameters: {
        capabilities: { drop: ['NET_RAW'] },
        initProcessEnabled: true,
        tmpfs: [{ containerPath: '/t', size: 4, mountOptions: ['noexec'] }],
      },
    },
  },
  {
    at: `${C}.linuxParameters`,
    leaves: ['capabilities.add[]'],
    is: 'works',
    note: "SYS_PTRACE, as on Fargate; others are refused in AWS's words, or had by the tag `berth:extensions`",
    tests: [WHOLE, `${VALIDATE}: lets in what Fargate refuses, and stays compatible with Fargate`],
    container: { linuxParameters: { capabilities: { add: ['SYS_PTRACE'] } } },
  },
  {
    at: `${C}.linuxParameters`,
    leaves: ['devices[].hostPath', 'devices[].containerPath', 'devices[].permissions[]'],
    is: 'refused',
    note: 'had in a microVM by the tag `berth:extensions`',
    tests: [`${VALIDATE}: lets in what Fargate refuses, and stays compatible with Fargate`],
    container: { linuxParameters: { devices: [{ hostPath: '/dev/null', containerPath: '/dev/n', permissions: ['read'] }] } },
    says: notSupported('devices'),
  },
  ...(['sharedMemorySize', 'maxSwap', 'swappiness'] as const).map((leaf): Entry =>
    awsvpc(`${C}.linuxParameters`, leaf, { linuxParameters: { [leaf]: 64 } }, notSupported(leaf)),
  ),
  {
    at: C,
    leaves: ['privileged'],
    is: 'refused',
    note: 'had in a microVM by the tag `berth:extensions`',
    tests: [`${VALIDATE}: lets in what Fargate refuses, and stays compatible with Fargate`],
    container: { privileged: true },
    says: "Fargate requires that the 'privileged' setting be 'false'",
  },
  {
    at: C,
    leaves: ['readonlyRootFilesystem', 'pseudoTerminal'],
    is: 'works',
    tests: [WHOLE, `${E2E}: ${inside}`, `${RENDER}: a container that sets everything renders as its golden file`],
    container: { readonlyRootFilesystem: true, pseudoTerminal: true },
  },
  {
    at: C,
    leaves: ['interactive'],
    is: 'works',
    tests: [`${RENDER}: a container that sets everything renders as its golden file`],
    container: { interactive: true },
  },
  {
    at: C,
    leaves: ['dockerLabels{}'],
    is: 'works',
    tests: [
      `test/e2e/metadata.test.ts: tell a task in a \${kind} sandbox who it is and what it uses, and break its network at its wish`,
      `${RENDER}: a label never passes for an annotation that the supervisor acts on`,
    ],
    container: { dockerLabels: { a: 'b' } },
  },
  {
    at: `${C}.ulimits[]`,
    leaves: ['name', 'softLimit', 'hardLimit'],
    is: 'works',
    note: 'nofile, as on Fargate',
    tests: [WHOLE, `${E2E}: has Fargate’s nofile`],
    container: { ulimits: [{ name: 'nofile', softLimit: 100, hardLimit: 200 }] },
  },
  {
    at: `${C}.systemControls[]`,
    leaves: ['namespace', 'value'],
    is: 'works',
    note: 'task-wide, as on Fargate; gVisor has five of TCP and IP, and refuses the others by name (docs/isolation.md)',
    tests: [
      WHOLE,
      `${SPEC}: ports, ranges and kernel parameters`,
      'test/conformance/gvisor.test.ts: takes the kernel parameters that it has, before its containers run; one that it can’t set says which',
      'src/sandbox/gvisor/render.test.ts: kernel parameters that gVisor doesn’t let a task set are refused by name',
    ],
    container: { systemControls: [{ namespace: 'net.core.somaxconn', value: '99' }] },
  },
  {
    at: `${C}.logConfiguration`,
    leaves: ['logDriver', 'options{}'],
    is: 'works',
    note: 'awslogs, splunk, awsfirelens',
    tests: [
      `${SPEC}: the log stream is prefix/container/task`,
      'src/host/splunk-sink.test.ts: events go to the collector as Docker sends them, and what is away is tried again',
    ],
    container: {
      logConfiguration: {
        logDriver: 'awslogs',
        options: { 'awslogs-group': 'g', 'awslogs-region': 'us-west-2', 'awslogs-stream-prefix': 'p' },
      },
    },
  },
  {
    at: `${C}.logConfiguration.secretOptions[]`,
    leaves: ['name', 'valueFrom'],
    is: 'works',
    note: 'splunk, awsfirelens (as variables of the log router, which its configuration names)',
    tests: [
      'src/host/secrets.test.ts: options of log drivers are fetched, outlive the agent in memory, and go with the task',
      'src/host/firelens.test.ts: a secret option is a variable of the router, whatever its kind',
    ],
    definition: { executionRoleArn: 'arn:aws:iam::123456789012:role/execution' },
    container: {
      logConfiguration: {
        logDriver: 'splunk',
        options: { 'splunk-url': 'https://splunk.example:8088', 'splunk-token': 't' },
        secretOptions: [{ name: 'splunk-token', valueFrom: 'b' }],
      },
    },
  },
  {
    at: `${C}.firelensConfiguration`,
    leaves: ['type', 'options{}'],
    is: 'works',
    tests: [
      'src/host/firelens.test.ts: a configuration for Fluent Bit as the ECS agent makes it',
      'src/host/firelens.test.ts: records reach the router once it listens, and a batch that it did not acknowledge comes again',
      'test/soak/log-router.test.ts: gets what the others print with ECS’s metadata and the user’s own configuration, and is there until it has all',
    ],
    container: { firelensConfiguration: { type: 'fluentbit', options: { 'enable-ecs-log-metadata': 'false' } } },
  },
  {
    at: `${C}.secrets[]`,
    leaves: ['name', 'valueFrom'],
    is: 'works',
    note: 'of Secrets Manager and Parameter Store, in memory alone; fetched when the task starts',
    tests: [
      'src/main/task-secrets.test.ts: values by name, ARN, JSON key, label, version and region',
      'test/conformance/sandbox-restart.ts: commands run inside one that was started again, in a PID namespace of the task too, with its secrets, and a stop ends it',
      'test/e2e/kinds.test.ts: says what it is, has its address, its names and its API, and is reached from outside',
    ],
    definition: { executionRoleArn: 'arn:aws:iam::123456789012:role/execution' },
    container: { secrets: [{ name: 'A', valueFrom: 'a' }] },
  },
  {
    at: `${C}.environmentFiles[]`,
    leaves: ['value', 'type'],
    is: 'works',
    tests: [
      'src/domain/env-file.test.ts: is lines of NAME=VALUE, whose values are what stands there',
      'test/e2e/sdk.test.ts: get environment files, behind their own variables and before those of later files; a call’s files stand instead',
      WHOLE,
    ],
    container: { environmentFiles: [{ value: 'arn:aws:s3:::b/a.env', type: 's3' }] },
  },
  {
    at: `${C}.repositoryCredentials`,
    leaves: ['credentialsParameter'],
    is: 'works',
    tests: [
      'src/main/task-secrets.test.ts: a registry’s user and password',
      'src/image/pull.test.ts: are asked of each task that starts what came with those of another, and again after a while',
      'test/soak/secrets.test.ts: a private image is pulled with the credentials that its definition names',
    ],
    container: { repositoryCredentials: { credentialsParameter: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:a' } },
    note: "without it a registry's credentials come from the machine's own Docker configuration",
  },
  {
    at: C,
    leaves: ['versionConsistency'],
    is: 'works',
    note: "a service's tasks run the digest that the first one pulled, unless `disabled`; a task that RunTask starts resolves its image by itself, as on AWS",
    tests: [
      'src/control/services/services.test.ts: a new service gets its tasks, as its revision says, and reaches a steady state; then nothing is written',
      'src/plan/service/rolling.test.ts: a container whose image follows its tag holds no other task up, and is never pinned',
    ],
    container: { versionConsistency: 'disabled' },
  },
  {
    at: `${C}.resourceRequirements[]`,
    leaves: ['type', 'value', 'sharingStrategy.nvidiaMps.memory', 'sharingStrategy.nvidiaMps.maxComputePercent'],
    is: 'refused',
    tests: [],
    container: { resourceRequirements: [{ type: 'GPU', value: '1', sharingStrategy: { nvidiaMps: { memory: 1, maxComputePercent: 1 } } }] },
    says: 'Tasks using the Fargate launch type do not support GPU resource requirements',
  },
  awsvpc(C, 'links[]', { links: ['side'] }, 'Links are not supported when networkMode=awsvpc'),
  awsvpc(C, 'dnsServers[]', { dnsServers: ['1.1.1.1'] }, 'DNS servers are not supported on container when networkMode=awsvpc'),
  awsvpc(C, 'dnsSearchDomains[]', { dnsSearchDomains: ['x'] }, 'DNS search domains are not supported on container when networkMode=awsvpc'),
  awsvpc(C, 'hostname', { hostname: 'a' }, 'Hostname is not supported on container when networkMode=awsvpc'),
  awsvpc(C, 'disableNetworking', { disableNetworking: true }, 'Disable Networking is not supported on container when networkMode=awsvpc'),
  awsvpc(C, 'dockerSecurityOptions[]', { dockerSecurityOptions: ['x'] }, notSupported('dockerSecurityOptions')),
  awsvpc(C, 'credentialSpecs[]', { credentialSpecs: ['credentialspec:x'] }, notSupported('credentialSpecs')),
  {
    at: `${C}.extraHosts[]`,
    leaves: ['hostname', 'ipAddress'],
    is: 'refused',
    tests: [],
    container: { extraHosts: [{ hostname: 'a', ipAddress: '1.1.1.1' }] },
    says: 'Extra hosts are not supported on container when networkMode=awsvpc',
  },
];
