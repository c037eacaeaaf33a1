/** RunTask. */
import type { Entry } from './status.ts';

const ECS = 'src/front/ecs/ecs.test.ts';
const SDK = 'test/e2e/sdk.test.ts';
const SPEC = 'src/front/ecs/task/to-task-spec.test.ts';
const O = 'overrides.containerOverrides[]';
const VOLUMES = 'src/front/ecs/volumes.test.ts';
const MADE = 'a volume is made with each task, is shown in its attachments, and has the tags that were asked for';
const LAUNCHED = 'test/e2e/volumes.test.ts: a volume is made for a task, a snapshot of it begins another, and it goes with its task';
const role = 'arn:aws:iam::123456789012:role/other';

export const runMembers: Entry[] = [
  {
    at: '',
    leaves: [
      'taskDefinition',
      'cluster',
      'count',
      'group',
      'launchType',
      'startedBy',
      'platformVersion',
      'propagateTags',
      'enableECSManagedTags',
      'clientToken',
      'tags[].key',
      'tags[].value',
    ],
    is: 'works',
    tests: [
      `${ECS}: is answered at once as AWS answers`,
      `${ECS}: is made once a token; other parameters conflict`,
      `${SDK}: run, are waited for, described with tags, and stop`,
      `${SDK}: run once per client token`,
    ],
    definition: { tags: [{ key: 'd', value: 'd' }] },
    call: {
      taskDefinition: 'm',
      cluster: 'other',
      count: 2,
      group: 'g',
      launchType: 'FARGATE',
      startedBy: 'me',
      platformVersion: '1.3.0',
      propagateTags: 'TASK_DEFINITION',
      enableECSManagedTags: true,
      clientToken: 't',
      tags: [{ key: 'a', value: 'b' }],
    },
    elsewhere: ['clientToken'],
  },
  {
    at: 'capacityProviderStrategy[]',
    leaves: ['capacityProvider', 'weight', 'base'],
    is: 'works',
    tests: [
      `${ECS}: are made, changed and deleted; names and ARNs serve alike`,
      `${ECS}: have capacity providers, and neither services nor container instances`,
    ],
    call: {
      launchType: undefined,
      count: 3,
      capacityProviderStrategy: [
        { capacityProvider: 'FARGATE', weight: 9 },
        { capacityProvider: 'FARGATE_SPOT', weight: 1, base: 2 },
      ],
    },
  },
  {
    at: 'networkConfiguration.awsvpcConfiguration',
    leaves: ['subnets[]', 'securityGroups[]', 'assignPublicIp'],
    is: 'works',
    note: 'security groups must exist, are read back and not enforced yet; no task has a public address',
    tests: ['test/e2e/vpc.test.ts: a task runs in the subnet of a new VPC, which is gone with it, and its range is free again'],
  },
  {
    at: '',
    leaves: ['enableExecuteCommand'],
    is: 'works',
    tests: [
      'test/e2e/exec.test.ts: makes a session whose token is good for one connection',
      'test/e2e/exec.test.ts: says what is wrong: no such container, no such command, not enabled',
    ],
    call: { enableExecuteCommand: true },
  },
  {
    at: O,
    leaves: ['name', 'command[]', 'environment[].name', 'environment[].value', 'cpu', 'memory', 'memoryReservation'],
    is: 'works',
    tests: [`${SPEC}: the call overrides the definition`, `${SDK}: take overrides of the call`],
    call: {
      overrides: {
        containerOverrides: [
          { name: 'main', command: ['x'], environment: [{ name: 'A', value: 'b' }], cpu: 64, memory: 128, memoryReservation: 64 },
        ],
      },
    },
  },
  {
    at: `${O}.environmentFiles[]`,
    leaves: ['value', 'type'],
    is: 'works',
    tests: [
      'test/e2e/sdk.test.ts: get environment files, behind their own variables and before those of later files; a call’s files stand instead',
    ],
    call: { overrides: { containerOverrides: [{ name: 'main', environmentFiles: [{ value: 'arn:aws:s3:::b/a.env', type: 's3' }] }] } },
  },
  {
    at: `${O}.resourceRequirements[]`,
    leaves: ['type', 'value', 'sharingStrategy.nvidiaMps.memory', 'sharingStrategy.nvidiaMps.maxComputePercent'],
    is: 'refused',
    tests: [],
    call: {
      overrides: {
        containerOverrides: [
          {
            name: 'main',
            resourceRequirements: [{ type: 'GPU', value: '1', sharingStrategy: { nvidiaMps: { memory: 1, maxComputePercent: 1 } } }],
          },
        ],
      },
    },
    says: 'Tasks using the Fargate launch type do not support GPU resource requirements',
  },
  {
    at: 'overrides',
    leaves: ['cpu', 'memory', 'ephemeralStorage.sizeInGiB'],
    is: 'works',
    tests: [`${SPEC}: the call overrides the definition`],
    call: { overrides: { cpu: '512', memory: '4096', ephemeralStorage: { sizeInGiB: 40 } } },
    definition: { cpu: '1024', memory: '4096' },
    elsewhere: ['memory'],
  },
  {
    at: 'overrides',
    leaves: ['taskRoleArn', 'executionRoleArn'],
    is: 'works',
    tests: [`${ECS}: is answered at once as AWS answers`],
    call: { overrides: { taskRoleArn: role, executionRoleArn: role } },
  },
  {
    at: 'overrides.inferenceAcceleratorOverrides[]',
    leaves: ['deviceName', 'deviceType'],
    is: 'refused',
    tests: [],
    call: { overrides: { inferenceAcceleratorOverrides: [{ deviceName: 'd', deviceType: 't' }] } },
    says: "Unsupported field 'inferenceAcceleratorOverrides'",
  },
  {
    at: 'placementConstraints[]',
    leaves: ['type', 'expression'],
    is: 'refused',
    tests: [],
    call: { placementConstraints: [{ type: 'memberOf', expression: 'a' }] },
    says: 'Placement constraints are not supported with FARGATE launch type.',
  },
  {
    at: 'placementStrategy[]',
    leaves: ['type', 'field'],
    is: 'refused',
    tests: [],
    call: { placementStrategy: [{ type: 'spread', field: 'host' }] },
    says: 'Placement strategies are not supported with FARGATE launch type.',
  },
  {
    at: '',
    leaves: ['referenceId'],
    is: 'works',
    note: "AWS's reference gives it a greatest length, and no effect",
    tests: [`${ECS}: is refused in AWS’s words`],
    call: { referenceId: 'r' },
    elsewhere: ['referenceId'],
  },
  {
    at: 'volumeConfigurations[]',
    leaves: [
      'name',
      ...[
        'roleArn',
        'kmsKeyId',
        'volumeType',
        'sizeInGiB',
        'snapshotId',
        'volumeInitializationRate',
        'iops',
        'throughput',
        'filesystemType',
        'terminationPolicy.deleteOnTermination',
        'tagSpecifications[].resourceType',
        'tagSpecifications[].tags[].key',
        'tagSpecifications[].tags[].value',
        'tagSpecifications[].propagateTags',
      ].map((leaf) => `managedEBSVolume.${leaf}`),
    ],
    is: 'works',
    note: 'A volume is as fast as the disk of its host, and is not encrypted: type, speed and key are checked, kept and read back.',
    tests: [`${VOLUMES}: ${MADE}`, `${VOLUMES}: what a volume can not be is refused, and nothing is made`, LAUNCHED],
    definition: { volumes: [{ name: 'v', configuredAtLaunch: true }], tags: [{ key: 'd', value: 'd' }] },
    call: {
      volumeConfigurations: [
        {
          name: 'v',
          managedEBSVolume: {
            roleArn: role,
            kmsKeyId: 'k',
            volumeType: 'gp3',
            sizeInGiB: 10,
            snapshotId: 'snap-0123456789abcdef0',
            volumeInitializationRate: 100,
            iops: 3500,
            throughput: 130,
            filesystemType: 'ext4',
            terminationPolicy: { deleteOnTermination: false },
            tagSpecifications: [{ resourceType: 'volume', tags: [{ key: 'a', value: 'b' }], propagateTags: 'TASK_DEFINITION' }],
          },
        },
      ],
    },
  },
  {
    at: 'volumeConfigurations[]',
    leaves: ['managedEBSVolume.encrypted'],
    is: 'works',
    note: 'kept and read back: nothing is encrypted',
    tests: [`${VOLUMES}: ${MADE}`],
    definition: { volumes: [{ name: 'v', configuredAtLaunch: true }] },
    call: { volumeConfigurations: [{ name: 'v', managedEBSVolume: { roleArn: role, sizeInGiB: 10, encrypted: false } }] },
  },
];
