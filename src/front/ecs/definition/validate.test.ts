import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { isFault } from '#base/fault.ts';
import { fargateSizes, isFargateSize } from '#domain/fargate-sizes.ts';
import { fillDefaults } from './defaults.ts';
import { validateDefinition } from './validate.ts';

const web: ContainerDefinition = { name: 'web', image: 'nginx:1.27' };
const side: ContainerDefinition = { name: 'side', image: 'busybox', essential: false };
const fargate: RegisterTaskDefinitionRequest = {
  family: 'web',
  requiresCompatibilities: ['FARGATE'],
  networkMode: 'awsvpc',
  cpu: '256',
  memory: '512',
  containerDefinitions: [web],
};
const container = (fields: Partial<ContainerDefinition>): RegisterTaskDefinitionRequest => ({
  ...fargate,
  containerDefinitions: [{ ...web, ...fields }],
});
const ec2 = (
  fields: Partial<RegisterTaskDefinitionRequest>,
  of: Partial<ContainerDefinition> = { memory: 128 },
): RegisterTaskDefinitionRequest => ({
  family: 'web',
  containerDefinitions: [{ ...web, ...of }],
  ...fields,
});
const awslogs = {
  logDriver: 'awslogs' as const,
  options: { 'awslogs-group': '/g', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'p' },
};
const without = (name: string) => ({
  ...awslogs,
  options: Object.fromEntries(Object.entries(awslogs.options).filter(([key]) => key !== name)),
});
const role = 'arn:aws:iam::123456789012:role/execution';
const notFargate = (field: string) => `Fargate compatible task definitions do not support ${field}`;

const refused: [string, RegisterTaskDefinitionRequest][] = [
  ['Family should not be null or empty.', { ...fargate, family: '' }],
  ['Family contains invalid characters.', { ...fargate, family: 'a b' }],
  ['Family contains invalid characters.', { ...fargate, family: 'a'.repeat(256) }],
  ['Fargate only supports network mode \u2018awsvpc\u2019.', { ...fargate, networkMode: 'bridge' }],
  ["Fargate requires that 'cpu' be defined at the task level.", { ...fargate, cpu: undefined }],
  ["Fargate requires that 'memory' be defined at the task level.", { ...fargate, memory: undefined }],
  [
    'No Fargate configuration exists for given values: 4096 CPU, 4096 memory. See the Amazon ECS documentation for the valid values.',
    { ...fargate, cpu: '4096', memory: '4096' },
  ],
  [
    'No Fargate configuration exists for given values: 32768 CPU, 65536 memory. See the Amazon ECS documentation for the valid values.',
    { ...fargate, cpu: '32 vCPU', memory: '64GB' },
  ],
  ["Invalid 'cpu' setting for task.", { ...fargate, cpu: 'much' }],
  ["Invalid 'memory' setting for task.", { ...fargate, memory: '-1' }],
  ["Invalid 'cpu' setting for task.", ec2({ cpu: '64' })],
  ['EphemeralStorage size should be at least 21', { ...fargate, ephemeralStorage: { sizeInGiB: 20 } }],
  ['EphemeralStorage size should be at most 200', { ...fargate, ephemeralStorage: { sizeInGiB: 201 } }],
  ['Fargate requires task definition to have execution role ARN to support log driver awslogs.', container({ logConfiguration: awslogs })],
  [
    'Fargate requires task definition to have execution role ARN to support ECR images.',
    container({ image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1' }),
  ],
  [
    'Log driver awslogs disallows options: log_key',
    { ...container({ logConfiguration: { ...awslogs, options: { ...awslogs.options, log_key: 'log' } } }), executionRoleArn: role },
  ],
  [
    "Log driver awslogs option 'awslogs-create-group' should only be set to 'true', else omit option.",
    {
      ...container({ logConfiguration: { ...awslogs, options: { ...awslogs.options, 'awslogs-create-group': 'false' } } }),
      executionRoleArn: role,
    },
  ],
  [
    'Log driver splunk disallows options: awslogs-group',
    container({
      logConfiguration: { logDriver: 'splunk', options: { 'splunk-url': 'http://a', 'splunk-token': 'b', 'awslogs-group': 'c' } },
    }),
  ],
  [
    'json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]',
    container({ logConfiguration: { logDriver: 'json-file' } }),
  ],
  [
    'Log driver awslogs requires options: awslogs-group',
    { ...container({ logConfiguration: without('awslogs-group') }), executionRoleArn: role },
  ],
  [
    'Log driver awslogs requires options: awslogs-region, awslogs-group',
    { ...container({ logConfiguration: { logDriver: 'awslogs' } }), executionRoleArn: role },
  ],
  [
    'Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.',
    { ...container({ logConfiguration: without('awslogs-stream-prefix') }), executionRoleArn: role },
  ],
  [
    "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'",
    container({ secrets: [{ name: 'A', valueFrom: 'a' }] }),
  ],
  [
    'Private repository authentication requires that the task definition specify a value for executionRoleArn.',
    container({ repositoryCredentials: { credentialsParameter: 'registry' } }),
  ],
  [
    "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'A'.",
    { ...container({ secrets: [{ name: 'A', valueFrom: 'a' }], environment: [{ name: 'A', value: '1' }] }), executionRoleArn: role },
  ],
  [
    'When networkMode=awsvpc, the host ports and container ports in port mappings must match.',
    container({ portMappings: [{ containerPort: 80, hostPort: 8080 }] }),
  ],
  ['Links are not supported when networkMode=awsvpc', container({ links: ['a'] })],
  ['DNS servers are not supported on container when networkMode=awsvpc', container({ dnsServers: ['1.1.1.1'] })],
  ['DNS search domains are not supported on container when networkMode=awsvpc', container({ dnsSearchDomains: ['x'] })],
  ['Disable Networking is not supported on container when networkMode=awsvpc', container({ disableNetworking: true })],
  [
    'Extra hosts are not supported on container when networkMode=awsvpc',
    container({ extraHosts: [{ hostname: 'a', ipAddress: '1.1.1.1' }] }),
  ],
  ['Hostname is not supported on container when networkMode=awsvpc', container({ hostname: 'a' })],
  ['cannot specify both single port and port range', container({ portMappings: [{ containerPort: 80, containerPortRange: '80-90' }] })],
  ["Invalid 'containerPortRange' setting.", container({ portMappings: [{ containerPortRange: '90-80' }] })],
  [
    'The container port 80 is used multiple times in task.',
    {
      ...fargate,
      containerDefinitions: [
        { ...web, portMappings: [{ containerPort: 80 }] },
        { ...side, portMappings: [{ containerPort: 80 }] },
      ],
    },
  ],
  [
    'The port mapping name is already used: names must be unique within a task definition.',
    container({
      portMappings: [
        { containerPort: 80, name: 'a' },
        { containerPort: 81, name: 'a' },
      ],
    }),
  ],
  [notFargate('ipcMode'), { ...fargate, ipcMode: 'task' }],
  [notFargate('dockerSecurityOptions'), container({ dockerSecurityOptions: ['x'] })],
  [notFargate('dockerVolumeConfiguration'), { ...fargate, volumes: [{ name: 'v', dockerVolumeConfiguration: { scope: 'task' } }] }],
  [notFargate('sourcePath'), { ...fargate, volumes: [{ name: 'v', host: { sourcePath: '/x' } }] }],
  [notFargate('placementConstraints'), { ...fargate, placementConstraints: [{ type: 'memberOf', expression: 'x' }] }],
  [notFargate('sharedMemorySize'), container({ linuxParameters: { sharedMemorySize: 64 } })],
  [notFargate('maxSwap'), container({ linuxParameters: { maxSwap: 64 } })],
  [notFargate('devices'), container({ linuxParameters: { devices: [{ hostPath: '/dev/fuse' }] } })],
  ["Fargate requires that the 'privileged' setting be 'false'", container({ privileged: true })],
  ['NET_ADMIN is not allowed on Fargate.', container({ linuxParameters: { capabilities: { add: ['NET_ADMIN'] } } })],
  [
    'Tasks using the Fargate launch type do not support GPU resource requirements',
    container({ resourceRequirements: [{ type: 'GPU', value: '1' }] }),
  ],
  ["Unsupported field 'inferenceAccelerators'", { ...fargate, inferenceAccelerators: [{ deviceName: 'a', deviceType: 'b' }] }],
  [
    "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
    { ...fargate, pidMode: 'host' },
  ],
  [
    'A dependency container with SUCCESS or COMPLETE condition cannot be an essential container',
    { ...fargate, containerDefinitions: [web, { ...side, dependsOn: [{ containerName: 'web', condition: 'SUCCESS' }] }] },
  ],
  [
    'A dependency container with HEALTHY condition must have health check configured',
    { ...fargate, containerDefinitions: [web, { ...side, dependsOn: [{ containerName: 'web', condition: 'HEALTHY' }] }] },
  ],
  ['Cannot depend on container x because it does not exist.', container({ dependsOn: [{ containerName: 'x', condition: 'START' }] })],
  [
    'Container dependencies form a cycle: web -> side -> web.',
    {
      ...fargate,
      containerDefinitions: [
        { ...web, dependsOn: [{ containerName: 'side', condition: 'START' }] },
        { ...side, dependsOn: [{ containerName: 'web', condition: 'START' }] },
      ],
    },
  ],
  ['Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.', container({ stopTimeout: 121 })],
  ['Tasks using the Fargate launch type must have a container start timeout between 2 and 120 seconds.', container({ startTimeout: 1 })],
  ['Container.image should not be null or empty.', container({ image: '' })],
  ['Container.image contains invalid characters.', container({ image: '$IMAGE NAME' })],
  ['Container.name should not be null or empty.', container({ name: undefined })],
  ['Container.name contains invalid characters.', container({ name: 'a b' })],
  ['Container list cannot be empty.', { ...fargate, containerDefinitions: [] }],
  ['Too many containers.', { ...fargate, containerDefinitions: Array.from({ length: 11 }, (_, i) => ({ ...web, name: `c${i}` })) }],
  ['Container names must be unique within a task definition.', { ...fargate, containerDefinitions: [web, web] }],
  [
    'Task definition does not have any essential container. At least one container must be essential.',
    { ...fargate, containerDefinitions: [side] },
  ],
  ["The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.", container({ cpu: 257 })],
  ["The 'memory' setting for container is greater than for the task.", container({ memory: 513 })],
  [
    "Invalid setting for container 'web'. 'memory' must be greater than or equal to 'memoryReservation'.",
    container({ memory: 100, memoryReservation: 200 }),
  ],
  ["Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified.", ec2({}, {})],
  ["Unknown volume 'v'.", container({ mountPoints: [{ sourceVolume: 'v', containerPath: '/v' }] })],
  [
    "Invalid 'versionConsistency' setting 'sometimes' for container 'web': use enabled or disabled.",
    container({ versionConsistency: 'sometimes' as 'enabled' }),
  ],
  [
    "The 'restartAttemptPeriod' setting for container 'web' must be between 60 and 1800.",
    container({ restartPolicy: { enabled: true, restartAttemptPeriod: 59 } }),
  ],
  [
    'A container can have at most 10 environment files.',
    container({ environmentFiles: Array.from({ length: 11 }, () => ({ type: 's3' as const, value: 'arn:aws:s3:::b/f.env' })) }),
  ],
  ['Soft limit exceeds hard limit for ulimit nofile.', container({ ulimits: [{ name: 'nofile', softLimit: 2, hardLimit: 1 }] })],
  [
    'When using an EFS access point, the root directory must either be set to "/" or be omitted.',
    {
      ...fargate,
      volumes: [
        {
          name: 'v',
          efsVolumeConfiguration: {
            fileSystemId: 'fs-1',
            rootDirectory: '/data',
            transitEncryption: 'ENABLED',
            authorizationConfig: { accessPointId: 'fsap-1' },
          },
        },
      ],
    },
  ],
  [
    'EFS IAM authorization requires transit encryption to be enabled.',
    { ...fargate, volumes: [{ name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-1', authorizationConfig: { iam: 'ENABLED' } } }] },
  ],
  [
    'When log driver awsfirelens is specified on a container, at least one container with a FireLens configuration must be present in the task definition.',
    container({ logConfiguration: { logDriver: 'awsfirelens' } }),
  ],
  ['Container health check interval must be between 5 and 300.', container({ healthCheck: { command: ['CMD', 'true'], interval: 4 } })],
  [
    'No Fargate configuration exists for given values: Windows tasks need at least 1024 CPU.',
    { ...fargate, runtimePlatform: { operatingSystemFamily: 'WINDOWS_SERVER_2022_CORE' } },
  ],
];

describe('what RegisterTaskDefinition refuses', () => {
  for (const [text, definition] of refused) {
    it(text, () => {
      assert.throws(
        () => validateDefinition(definition),
        (error) => {
          assert.ok(isFault(error, 'ClientError'), String(error));
          assert.equal(error.message, text);
          return true;
        },
      );
    });
  }

  it('Actual length: more than 64 KiB', () => {
    const long = container({ environment: [{ name: 'A', value: 'x'.repeat(66_000) }] });
    assert.throws(() => validateDefinition(long), /^Fault: Actual length: '\d+'\. Max allowed length is '65536' bytes\.$/);
  });
});

describe('the extension privileged, named by a tag', () => {
  const extended = (fields: Partial<ContainerDefinition>, value = 'privileged') => ({
    ...container(fields),
    tags: [{ key: 'berth:extensions', value }],
  });
  const device = (fields: object) => extended({ linuxParameters: { devices: [{ hostPath: '/dev/fuse', ...fields }] } });

  it('lets in what Fargate refuses, and stays compatible with Fargate', () => {
    for (const definition of [
      extended({ privileged: true }),
      extended({ linuxParameters: { capabilities: { add: ['NET_ADMIN', 'ALL'] } } }),
      device({ containerPath: '/dev/fuse', permissions: ['read', 'write', 'mknod'] }),
    ]) {
      assert.deepEqual(validateDefinition(definition).compatibilities, ['EC2', 'FARGATE']);
      assert.throws(() => validateDefinition({ ...definition, tags: [] }), /Fargate/);
      assert.throws(() => validateDefinition({ ...definition, tags: [{ key: 'berth:extensions', value: '' }] }), /Fargate/);
    }
  });

  it('lets in nothing else', () => {
    const cases: [RegisterTaskDefinitionRequest, RegExp][] = [
      [extended({ privileged: true, dockerSecurityOptions: ['x'] }), /do not support dockerSecurityOptions/],
      [extended({ linuxParameters: { sharedMemorySize: 64 } }), /do not support sharedMemorySize/],
      [extended({ linuxParameters: { capabilities: { add: ['FLY'] } } }), /'FLY' is not a Linux capability/],
      [device({ hostPath: '/etc/shadow' }), /Invalid device '\/etc\/shadow'/],
      [device({ hostPath: '/dev/../etc/shadow' }), /Invalid device/],
      [device({ containerPath: '/etc/passwd' }), /Invalid device '\/etc\/passwd'/],
      [device({ permissions: ['execute'] }), /Invalid device permission 'execute'/],
      [extended({ privileged: true }, 'gpu'), /'gpu' is not an extension/],
    ];
    for (const [definition, text] of cases) assert.throws(() => validateDefinition(definition), text);
  });
});

describe('what people write, as public repositories show it', () => {
  const written: Record<string, RegisterTaskDefinitionRequest> = {
    'members that say nothing, as exports of a definition have them': {
      ...container({
        user: '',
        workingDirectory: '',
        hostname: '',
        versionConsistency: '' as 'enabled',
        command: [],
        entryPoint: [],
        links: [],
        dnsServers: [],
        extraHosts: [],
        environmentFiles: [],
        secrets: [],
        systemControls: [],
        ulimits: [],
        resourceRequirements: [],
        dockerLabels: {},
        linuxParameters: { capabilities: { add: [], drop: [] }, devices: [], tmpfs: [] },
        logConfiguration: { ...awslogs, secretOptions: [] },
      }),
      executionRoleArn: role,
      placementConstraints: [],
      inferenceAccelerators: [],
    },
    'sizes in words': { ...fargate, cpu: '.25 vCPU', memory: '0.5 GB' },
    'a protocol of the application that the port is not known for, and the host port 0': container({
      portMappings: [
        { containerPort: 22, hostPort: 22, protocol: 'tcp', name: 'ci-22-tcp', appProtocol: 'http' },
        { containerPort: 80, hostPort: 0 },
      ],
    }),
    'a health check without CMD, which checks nothing': container({ healthCheck: { command: ['CMD-SHELL, curl -f http://localhost || exit 1'] } }), // prettier-ignore
    'a sidecar with a reservation alone': {
      ...fargate,
      containerDefinitions: [
        { ...web, dependsOn: [{ containerName: 'xray', condition: 'START' }] },
        { ...side, name: 'xray', cpu: 32, memoryReservation: 256, portMappings: [{ containerPort: 2000, protocol: 'udp' }] },
      ],
    },
    'App Mesh': {
      ...fargate,
      proxyConfiguration: { type: 'APPMESH', containerName: 'web', properties: [{ name: 'IgnoredUID', value: '1337' }] },
    },
    'nothing of the task but its containers': ec2({}, { cpu: 128, memoryReservation: 128, portMappings: [{ containerPort: 80 }] }),
    'other machines': ec2({ networkMode: 'bridge', requiresCompatibilities: ['EXTERNAL'], cpu: '512', memory: '1024' }),
  };
  for (const [what, definition] of Object.entries(written)) it(what, () => void validateDefinition(definition));
});

describe('the 74 sizes of Fargate', () => {
  it('are 74', () =>
    assert.equal(
      fargateSizes.reduce((sum, row) => sum + row.memoryMib.length, 0),
      74,
    ));
  it('each pair is accepted, and its neighbours are not', () => {
    for (const { cpu, memoryMib } of fargateSizes) {
      for (const memory of memoryMib) {
        assert.equal(validateDefinition({ ...fargate, cpu: String(cpu), memory: String(memory) }).cpu, cpu);
        assert.ok(!isFargateSize(cpu, memory + 1) && !isFargateSize(cpu, memory - 1) && !isFargateSize(cpu + 1, memory));
      }
    }
  });
});

describe('what is filled in', () => {
  const fill = (definition: RegisterTaskDefinitionRequest) => fillDefaults(definition, validateDefinition(definition));

  it('as AWS fills it', () => {
    const filled = fill({
      ...container({ portMappings: [{ containerPort: 80 }], healthCheck: { command: ['CMD', 'true'] } }),
      cpu: '.5 vCPU',
      memory: '1GB',
    });
    assert.equal(filled.cpu, '512');
    assert.equal(filled.memory, '1024');
    assert.deepEqual(filled.compatibilities, ['EC2', 'FARGATE']);
    assert.deepEqual(filled.volumes, []);
    assert.deepEqual(filled.placementConstraints, []);
    assert.deepEqual(filled.containerDefinitions, [
      {
        name: 'web',
        image: 'nginx:1.27',
        cpu: 0,
        essential: true,
        environment: [],
        mountPoints: [],
        volumesFrom: [],
        systemControls: [],
        portMappings: [{ containerPort: 80, hostPort: 80, protocol: 'tcp' }],
        healthCheck: { command: ['CMD', 'true'], interval: 30, timeout: 5, retries: 3 },
      },
    ]);
  });

  it('with the capabilities that it needs', () => {
    const filled = fill({ ...container({ logConfiguration: awslogs }), executionRoleArn: role, taskRoleArn: role });
    assert.deepEqual(
      filled.requiresAttributes?.map((attribute) => attribute.name),
      [
        'com.amazonaws.ecs.capability.logging-driver.awslogs',
        'ecs.capability.execution-role-awslogs',
        'com.amazonaws.ecs.capability.task-iam-role',
        'com.amazonaws.ecs.capability.docker-remote-api.1.19',
        'ecs.capability.task-eni',
        'com.amazonaws.ecs.capability.docker-remote-api.1.18',
      ],
    );
  });

  it('a definition for EC2 is kept, and is compatible with Fargate only when it could run there', () => {
    assert.deepEqual(fill(ec2({})).compatibilities, ['EXTERNAL', 'EC2']);
    assert.deepEqual(fill(ec2({ networkMode: 'awsvpc' })).compatibilities, ['EC2']);
    assert.deepEqual(fill({ ...fargate, requiresCompatibilities: ['EC2'] }).compatibilities, ['EC2', 'FARGATE']);
    assert.equal(
      fill(ec2({}, { memory: 128, portMappings: [{ containerPort: 80 }] })).containerDefinitions?.[0]?.portMappings?.[0]?.hostPort,
      0,
    );
  });

  it('nothing that was given is lost', () => {
    const whole = container({
      restartPolicy: { enabled: true, ignoredExitCodes: [1] },
      dockerLabels: { a: 'b' },
      readonlyRootFilesystem: true,
    });
    const filled = fill({ ...whole, proxyConfiguration: { containerName: 'web', type: 'APPMESH' }, enableFaultInjection: true });
    const [only] = filled.containerDefinitions ?? [];
    assert.deepEqual(only?.restartPolicy, { enabled: true, ignoredExitCodes: [1] });
    assert.deepEqual(filled.proxyConfiguration, { containerName: 'web', type: 'APPMESH' });
    assert.equal(filled.enableFaultInjection, true);
  });
});

describe('extensions that lift a ban of Fargate', () => {
  const tagged = (value: string, definition: RegisterTaskDefinitionRequest): RegisterTaskDefinitionRequest => ({
    ...definition,
    tags: [{ key: 'berth:extensions', value }],
  });
  const capability = (name: 'NET_ADMIN'): RegisterTaskDefinitionRequest =>
    container({ linuxParameters: { capabilities: { add: [name] } } });

  it('each lifts its own, and no other', () => {
    const lifted: [string, RegisterTaskDefinitionRequest][] = [
      ['sizes', { ...fargate, cpu: '300', memory: '700' }],
      ['sizes', { ...fargate, cpu: '32 vCPU', memory: '64GB' }],
      ['sizes', { ...fargate, ephemeralStorage: { sizeInGiB: 500 } }],
      ['timeouts', container({ stopTimeout: 3600, startTimeout: 86_400 })],
      ['capabilities', capability('NET_ADMIN')],
    ];
    for (const [name, definition] of lifted) {
      assert.ok(validateDefinition(tagged(name, definition)).compatibilities.includes('FARGATE'));
      const others = ['sizes', 'timeouts', 'capabilities'].filter((other) => other !== name).join(' ');
      for (const off of [definition, tagged(others, definition)]) assert.throws(() => validateDefinition(off), /Fargate|at most 200/);
    }
  });

  it('and keeps what no machine could give', () => {
    assert.throws(
      () => validateDefinition(tagged('sizes', { ...fargate, cpu: '1' })),
      /Invalid 'cpu' setting for task: 1\. With the extension/,
    );
    assert.throws(() => validateDefinition(tagged('sizes', { ...fargate, memory: '4' })), /Invalid 'memory' setting for task: 4\./);
    assert.throws(() => validateDefinition(tagged('timeouts', container({ stopTimeout: 86_401 }))), /at most 86400 seconds/);
    assert.throws(() => validateDefinition(tagged('capabilities', container({ privileged: true }))), /'privileged' setting be 'false'/);
  });
});
