/** RegisterTaskDefinition: the task's own members; its containers' are in `container-members.ts`. */
import type { Entry } from './status.ts';

const E2E = 'test/e2e/task.test.ts';
const VALIDATE = 'src/front/ecs/definition/validate.test.ts';
const SPEC = 'src/front/ecs/task/to-task-spec.test.ts';
const ECS = 'src/front/ecs/ecs.test.ts';
const bucketSystem = 'arn:aws:s3files:us-east-1:123456789012:file-system/fs-0123456789abcdef0';

export const taskMembers: Entry[] = [
  {
    at: '',
    leaves: ['family', 'networkMode', 'requiresCompatibilities[]', 'cpu', 'memory'],
    is: 'works',
    note: "Fargate's 74 sizes, and its network mode: awsvpc",
    tests: [`${VALIDATE}: each pair is accepted, and its neighbours are not`, `${E2E}: gives a quarter of a CPU to who asked for that`],
    definition: { family: 'm', networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'], cpu: '2048', memory: '4096' },
    elsewhere: ['requiresCompatibilities[]'],
  },
  {
    at: '',
    leaves: ['executionRoleArn'],
    is: 'works',
    note: 'asked for where AWS asks for it (awslogs, secrets); awslogs streams are opened by it',
    tests: [`${VALIDATE}: Fargate requires task definition to have execution role ARN to support log driver awslogs.`],
    definition: { executionRoleArn: 'arn:aws:iam::123456789012:role/other' },
    elsewhere: ['executionRoleArn'],
  },
  {
    at: '',
    leaves: ['taskRoleArn'],
    is: 'works',
    tests: [`test/e2e/metadata.test.ts: tell a task in a \${kind} sandbox who it is and what it uses, and break its network at its wish`],
    definition: { taskRoleArn: 'arn:aws:iam::123456789012:role/task' },
  },
  {
    at: 'tags[]',
    leaves: ['key', 'value'],
    is: 'works',
    tests: [`${ECS}: live: registered, described, listed, deregistered, deleted`],
    definition: { tags: [{ key: 'k', value: 'v' }] },
    elsewhere: ['key', 'value'],
    note: 'of the definition; RunTask takes them over with propagateTags',
  },
  {
    at: '',
    leaves: ['pidMode'],
    is: 'works',
    note: "`task`; `host` is refused in AWS's words",
    tests: [
      `${E2E}: share a PID namespace when the definition says so`,
      `test/e2e/metadata.test.ts: is obeyed member by member in a \${kind} sandbox`,
    ],
    definition: { pidMode: 'task' },
  },
  {
    at: '',
    leaves: ['ipcMode'],
    is: 'refused',
    tests: [`${VALIDATE}: Fargate compatible task definitions do not support ipcMode`],
    definition: { ipcMode: 'task' },
    says: 'Fargate compatible task definitions do not support ipcMode',
  },
  {
    at: 'ephemeralStorage',
    leaves: ['sizeInGiB'],
    is: 'works',
    note: 'Sparse: tasks may ask for more than the machine has',
    tests: [
      `${VALIDATE}: EphemeralStorage size should be at least 21`,
      `${SPEC}: the call overrides the definition`,
      'test/conformance/sandbox-disk.ts: layers and volumes together have the size that was asked for; what is past it fails inside, and is told',
    ],
    definition: { ephemeralStorage: { sizeInGiB: 30 } },
  },
  {
    at: 'runtimePlatform',
    leaves: ['cpuArchitecture', 'operatingSystemFamily'],
    is: 'works',
    note: 'LINUX; an image for another architecture is refused when it is pulled; Windows is refused by name',
    tests: [`${E2E}: tells of an image, a command, a group and an architecture that are not there`],
    definition: { runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' } },
    elsewhere: ['cpuArchitecture', 'operatingSystemFamily'],
  },
  {
    at: '',
    leaves: ['enableFaultInjection'],
    is: 'works',
    note: 'black holes, packet loss and latency, the last where the kernel of the kind of sandbox has netem: a microVM has',
    tests: [
      'test/e2e/metadata.test.ts: are closed to other tasks, and bounded',
      'src/host/metadata/fault-rules.test.ts: whatever is taken, nft takes too',
      `test/e2e/metadata.test.ts: tell a task in a \${kind} sandbox who it is and what it uses, and break its network at its wish`,
    ],
    definition: { enableFaultInjection: true },
  },
  {
    at: 'placementConstraints[]',
    leaves: ['type', 'expression'],
    is: 'refused',
    tests: [],
    definition: { placementConstraints: [{ type: 'memberOf', expression: 'a' }] },
    says: 'Fargate compatible task definitions do not support placementConstraints',
  },
  {
    at: 'inferenceAccelerators[]',
    leaves: ['deviceName', 'deviceType'],
    is: 'refused',
    tests: [],
    definition: { inferenceAccelerators: [{ deviceName: 'd', deviceType: 't' }] },
    says: "Unsupported field 'inferenceAccelerators'",
  },
  {
    at: 'proxyConfiguration',
    leaves: ['containerName', 'type', 'properties[].name', 'properties[].value'],
    is: 'not yet',
    tests: [],
    definition: { proxyConfiguration: { type: 'APPMESH', containerName: 'main', properties: [{ name: 'IgnoredUID', value: '1337' }] } },
    says: 'because of proxyConfiguration',
    note: 'AWS App Mesh ended on September 30, 2026',
  },
];

export const volumeMembers: Entry[] = [
  {
    at: 'volumes[]',
    leaves: ['name'],
    is: 'works',
    tests: [
      `${SPEC}: bind volumes become scratch, and volumesFrom lends mounts`,
      `${E2E}: start in order, share localhost and volumes, and end together`,
    ],
    definition: { volumes: [{ name: 'v' }, { name: 'w' }] },
  },
  {
    at: 'volumes[].host',
    leaves: ['sourcePath'],
    is: 'refused',
    tests: [`${VALIDATE}: Fargate compatible task definitions do not support sourcePath`],
    definition: { volumes: [{ name: 'v', host: { sourcePath: '/x' } }] },
    says: 'Fargate compatible task definitions do not support sourcePath',
  },
  {
    at: 'volumes[].dockerVolumeConfiguration',
    leaves: ['scope', 'autoprovision', 'driver', 'driverOpts{}', 'labels{}'],
    is: 'works',
    note: 'Fargate has none: refused in its words but for the tag `berth:extensions` with `volumes`. The driver `local`, and of options `size`.',
    tests: [
      'src/front/ecs/volumes.test.ts: a named volume needs the extension; it is made once, and its tasks share it',
      'test/e2e/volumes.test.ts: a named volume outlives its tasks, and comes back with the next',
    ],
    elsewhere: ['driver', 'driverOpts{}'],
    definition: {
      tags: [{ key: 'berth:extensions', value: 'volumes' }],
      volumes: [
        {
          name: 'v',
          dockerVolumeConfiguration: {
            scope: 'shared',
            autoprovision: true,
            driver: 'local',
            driverOpts: { size: '2g' },
            labels: { a: 'b' },
          },
        },
      ],
    },
    call: { cluster: 'lasting' },
  },
  {
    at: 'volumes[].fsxWindowsFileServerVolumeConfiguration',
    leaves: ['fileSystemId', 'rootDirectory', 'authorizationConfig.credentialsParameter', 'authorizationConfig.domain'],
    is: 'refused',
    tests: [],
    definition: {
      volumes: [
        {
          name: 'v',
          fsxWindowsFileServerVolumeConfiguration: {
            fileSystemId: 'fs-1',
            rootDirectory: '/',
            authorizationConfig: { credentialsParameter: 'a', domain: 'd' },
          },
        },
      ],
    },
    says: 'Fargate compatible task definitions do not support fsxWindowsFileServerVolumeConfiguration',
  },
  {
    at: 'volumes[].efsVolumeConfiguration',
    leaves: ['fileSystemId', 'rootDirectory'],
    is: 'works',
    note: 'Mounted from any subnet of a VPC with a mount target.',
    tests: ['test/e2e/efs.test.ts: two tasks share a file, at the same time and one after the other'],
    definition: { volumes: [{ name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-1', rootDirectory: '/data' } }] },
  },
  {
    at: 'volumes[].efsVolumeConfiguration',
    leaves: ['transitEncryption', 'transitEncryptionPort', 'authorizationConfig.accessPointId', 'authorizationConfig.iam'],
    is: 'works',
    note: 'Nothing goes over a network that could be encrypted. The POSIX user of an access point holds for every process, in every kind of sandbox; without FUSE on the host containers must run as that user, in other kinds than microvm.',
    tests: ['test/e2e/efs.test.ts: an access point makes its root directory, and everybody in there is its user'],
    elsewhere: ['transitEncryption', 'transitEncryptionPort', 'authorizationConfig.iam'],
    definition: {
      volumes: [
        {
          name: 'v',
          efsVolumeConfiguration: {
            fileSystemId: 'fs-1',
            transitEncryption: 'ENABLED',
            transitEncryptionPort: 2050,
            authorizationConfig: { accessPointId: 'fsap-1', iam: 'ENABLED' },
          },
        },
      ],
    },
  },
  {
    at: 'volumes[].s3filesVolumeConfiguration',
    leaves: ['fileSystemArn', 'rootDirectory'],
    is: 'works',
    note: 'The definition needs a task role. What a task writes gets into the bucket a minute after its last change (docs/internals.md, "S3 Files").',
    tests: [
      "test/e2e/s3-files.ts: a bucket's objects are files of a ${kind}, and its files objects",
      'src/main/buckets.test.ts: whatever both sides do, and whenever the host is killed, they come together and nothing that was written is lost',
    ],
    definition: {
      taskRoleArn: 'arn:aws:iam::123456789012:role/task',
      volumes: [{ name: 'v', s3filesVolumeConfiguration: { fileSystemArn: bucketSystem, rootDirectory: '/data' } }],
    },
  },
  {
    at: 'volumes[].s3filesVolumeConfiguration',
    leaves: ['transitEncryptionPort', 'accessPointArn'],
    is: 'works',
    note: 'Nothing goes over a network that could be encrypted.',
    tests: ['test/e2e/s3-files.ts: an access point has its directory and user, and a root directory must be there'],
    elsewhere: ['transitEncryptionPort'],
    definition: {
      taskRoleArn: 'arn:aws:iam::123456789012:role/task',
      volumes: [
        {
          name: 'v',
          s3filesVolumeConfiguration: {
            fileSystemArn: bucketSystem,
            transitEncryptionPort: 2050,
            accessPointArn: `${bucketSystem}/access-point/fsap-0123456789abcdef0`,
          },
        },
      ],
    },
  },
  {
    at: 'volumes[]',
    leaves: ['configuredAtLaunch'],
    is: 'works',
    tests: [
      'src/front/ecs/volumes.test.ts: a volume is made with each task, is shown in its attachments, and has the tags that were asked for',
    ],
    definition: { volumes: [{ name: 'v', configuredAtLaunch: true }] },
    call: {
      volumeConfigurations: [{ name: 'v', managedEBSVolume: { roleArn: 'arn:aws:iam::123456789012:role/volumes', sizeInGiB: 10 } }],
    },
  },
];
