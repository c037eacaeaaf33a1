/**
 * An unchanged boto3 program, of Debian sid's packages, in a task with a task role, in each kind of sandbox: it finds its credentials and its endpoint by
 * itself, may what its role may, and is told in AWS's words what it may not.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { AttachRolePolicyCommand, CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { script, taskId } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { installPackages } from '../e2e/packages.ts';

const MIRROR = 'http://deb.debian.org/debian';
/** Until a task has ended; what a microVM does is emulated where there is no KVM. */
const PATIENCE_S = 900;
const kinds = ['container', 'gvisor', 'microvm'] as const;
const role = (name: string) => `arn:aws:iam::123456789012:role/${name}`;

/** As it would run on Fargate: nothing here knows of berth. */
const program = `
import os
import boto3
from botocore.exceptions import ClientError

def attempt(name, call, **arguments):
    try:
        call(**arguments)
        print(name, 'allowed')
    except ClientError as error:
        print(name, error.response['Error']['Code'], error.response['Error']['Message'])

session = boto3.Session()
print('keys in the environment', 'AWS_ACCESS_KEY_ID' in os.environ)
print('credentials by', session.get_credentials().method)
print('caller', session.client('sts').get_caller_identity()['Arn'])
ecs = session.client('ecs')
attempt('DescribeClusters', ecs.describe_clusters, clusters=['default'])
attempt('DescribeClusters of another', ecs.describe_clusters, clusters=['other'])
attempt('ListTasks', ecs.list_tasks, cluster='default')
attempt('ListTasks of another', ecs.list_tasks, cluster='other')
attempt('DescribeVpcs', session.client('ec2').describe_vpcs)
attempt('ListUsers', session.client('iam').list_users)
print('boto3', boto3.__version__)
`;

installPackages({ '/usr/sbin/debootstrap': 'debootstrap' });
const sid = mkdtempSync(join(tmpdir(), 'berth-boto3-'));
const { platform, sdk } = await platformFixture({ busybox: false, afterwards: () => rmSync(sid, { recursive: true, force: true }) });

before(async () => {
  const system = join(sid, 'root');
  execFileSync('debootstrap', ['--variant=minbase', '--include=python3-boto3', 'sid', system, MIRROR], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 20 * 60_000,
  });
  const left = ['./var/cache', './var/lib/apt', './usr/share/doc', './usr/share/locale', './usr/share/man', './dev', './proc', './sys'];
  const tar = join(sid, 'root.tar');
  execFileSync('tar', ['-C', system, ...left.map((path) => `--exclude=${path}/*`), '-cf', tar, '.']);
  await platform.ok(['image', 'import', tar, '--name', 'boto3'], { timeoutMs: 600_000 });
  await makeRoles();
});

async function makeRoles(): Promise<void> {
  const iam = new IAMClient(sdk.config);
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] }); // prettier-ignore
  const may = (RoleName: string, Statement: object[]) => iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }) })); // prettier-ignore
  try {
    for (const RoleName of ['app', 'execution']) await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust }));
    await iam.send(new AttachRolePolicyCommand({ RoleName: 'execution', PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' })); // prettier-ignore
    await may('execution', [{ Effect: 'Allow', Action: 'logs:CreateLogGroup', Resource: 'arn:aws:logs:*:*:log-group:/e2e:*' }]);
    await may('app', [
      { Effect: 'Allow', Action: 'ecs:DescribeClusters', Resource: 'arn:aws:ecs:*:*:cluster/default' },
      { Effect: 'Allow', Action: 'ecs:ListTasks', Resource: '*', Condition: { ArnEquals: { 'ecs:cluster': 'arn:aws:ecs:us-east-1:123456789012:cluster/default' } } }, // prettier-ignore
      { Effect: 'Allow', Action: '*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } } },
    ]);
  } finally {
    iam.destroy();
  }
}

for (const kind of kinds) {
  it(`does in a ${kind} sandbox what its role may`, async () => {
    const container = { ...script(''), image: 'boto3', command: ['python3', '-c', program] };
    const roles = { taskRoleArn: role('app'), executionRoleArn: role('execution'), cpu: '512', memory: '1024' };
    const definition = await sdk.register(`boto3-${kind}`, [container], roles);
    const [task] = await sdk.stopped(await sdk.run(definition, { tags: [{ key: 'berth:isolation', value: kind }] }), PATIENCE_S);
    assert.ok(task);
    const lines = await sdk.lines(task, 'main');
    const me = `arn:aws:sts::123456789012:assumed-role/app/${taskId(task)}`;
    const denied = (action: string, on?: string) => `User: ${me} is not authorized to perform: ${action}${on === undefined ? '' : ` on resource: ${on}`} because no identity-based policy allows the ${action} action`; // prettier-ignore
    const ecs = (resource: string) => `arn:aws:ecs:us-east-1:123456789012:${resource}`;
    assert.deepEqual(lines.slice(0, -1), [
      'keys in the environment False',
      'credentials by container-role',
      `caller ${me}`,
      'DescribeClusters allowed',
      `DescribeClusters of another AccessDeniedException ${denied('ecs:DescribeClusters', ecs('cluster/other'))}`,
      'ListTasks allowed',
      `ListTasks of another AccessDeniedException ${denied('ecs:ListTasks', ecs('container-instance/other/*'))}`,
      `DescribeVpcs UnauthorizedOperation You are not authorized to perform this operation. ${denied('ec2:DescribeVpcs')}`,
      `ListUsers AccessDenied ${denied('iam:ListUsers', 'arn:aws:iam::123456789012:user/')}`,
    ]);
    console.log(`  ${kind}: ${lines.at(-1)}`);
    assert.equal(task.containers?.[0]?.exitCode, 0);
  });
}
