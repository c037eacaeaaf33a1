/** Services through the stock tools of Debian 12 (AWS CLI 2.9, boto3) and the JavaScript SDK: their waiters see what the loops bring about. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { CreateServiceCommand, DeleteServiceCommand, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { waitUntilServicesInactive, waitUntilServicesStable } from '@aws-sdk/client-ecs';
import { script } from './aws-sdk.ts';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until, type Ran } from './platform.ts';

const SERVICE_ERROR = 254;
const IDLE = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
const WAIT_SECONDS = 120;

installPackages({ '/usr/bin/aws': 'awscli', '/usr/lib/python3/dist-packages/boto3/__init__.py': 'python3-boto3' });
const { platform, sdk, dir } = await platformFixture();
let subnets: string[];

before(async () => {
  subnets = await sdk.subnets();
  await sdk.register('idle', [script(IDLE)]);
  await sdk.register('idle', [script(IDLE)]);
});

/** Nothing of the machine's own AWS configuration takes part. */
const environment = () => ({
  ...platform.env,
  AWS_CONFIG_FILE: join(dir, 'none'),
  AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none'),
  AWS_PAGER: '',
});
const cli = (args: string[]): Promise<Ran> =>
  platform.command(AWS, ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--output', 'json', 'ecs', ...args], {
    env: environment(),
    timeoutMs: 180_000,
  });
async function ecs<T = Record<string, never>>(...args: string[]): Promise<T> {
  const ran = await cli(args);
  assert.equal(ran.code, 0, `aws ecs ${args.join(' ')} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return (ran.stdout.trim() === '' ? {} : JSON.parse(ran.stdout)) as T;
}
type Service = {
  status: string;
  runningCount: number;
  desiredCount: number;
  taskDefinition: string;
  deployments: { id: string; status: string }[];
  events: { message: string }[];
};

describe('the AWS CLI', () => {
  it('makes a service, waits until it is stable, changes it and waits until it is gone', async () => {
    const network = JSON.stringify({ awsvpcConfiguration: { subnets } });
    const where = ['--service-name', 'cli', '--task-definition', 'idle:1', '--desired-count', '2'];
    await ecs<{ service: Service }>('create-service', ...where, '--launch-type', 'FARGATE', '--network-configuration', network);
    const read = async () => (await ecs<{ services: Service[] }>('describe-services', '--services', 'cli')).services[0];
    // The waiter looks each 15 s.
    const stable = async () => {
      await until(
        'one deployment, whole',
        async () => {
          const now = await read();
          return now?.deployments.length === 1 && now.runningCount === now.desiredCount;
        },
        120_000,
      );
      await ecs('wait', 'services-stable', '--services', 'cli');
    };
    await stable();
    const first = await read();
    assert.deepEqual([first?.runningCount, first?.deployments.length], [2, 1]);
    assert.ok(first?.events.some((event) => /has started \d tasks?: \(task [0-9a-f]{32}\)/.test(event.message)));
    const { taskArns } = await ecs<{ taskArns: string[] }>('list-tasks', '--service-name', 'cli');
    assert.equal(taskArns.length, 2);

    const quick = JSON.stringify({ minimumHealthyPercent: 0, maximumPercent: 200 });
    const change = ['--service', 'cli', '--task-definition', 'idle:2', '--desired-count', '1'];
    await ecs('update-service', ...change, '--deployment-configuration', quick);
    await stable();
    const second = await read();
    assert.match(second?.taskDefinition ?? '', /idle:2$/);
    assert.deepEqual([second?.runningCount, second?.deployments.length], [1, 1]);

    const early = await cli(['delete-service', '--service', 'cli']);
    assert.equal(early.code, SERVICE_ERROR);
    assert.match(early.stderr, /InvalidParameterException.*The service cannot be stopped while it is scaled above 0\./);
    await ecs('delete-service', '--service', 'cli', '--force');
    await until('inactive', async () => (await read())?.status === 'INACTIVE');
    await ecs('wait', 'services-inactive', '--services', 'cli');
    assert.equal((await read())?.status, 'INACTIVE');
  });
});

const BOTO3 = `
import boto3, json, os, sys
ecs = boto3.client('ecs', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
subnets = sys.argv[1].split(',')
wait = {'Delay': 1, 'MaxAttempts': 120}
for n in range(3):
    ecs.create_service(serviceName='py-%d' % n, taskDefinition='idle:1', desiredCount=1, launchType='FARGATE',
        networkConfiguration={'awsvpcConfiguration': {'subnets': subnets}})
names = ['py-%d' % n for n in range(3)]
ecs.get_waiter('services_stable').wait(services=names, WaiterConfig=wait)
pages = list(ecs.get_paginator('list_services').paginate(PaginationConfig={'PageSize': 2}))
arns = [arn for page in pages for arn in page['serviceArns']]
for name in names:
    ecs.delete_service(service=name, force=True)
ecs.get_waiter('services_inactive').wait(services=names, WaiterConfig=wait)
try:
    ecs.update_service(service='py-0', desiredCount=1)
    error = None
except ecs.exceptions.ServiceNotActiveException as e:
    error = e.response['Error']['Code']
print(json.dumps({'pages': len(pages), 'names': sorted(arn.split('/')[-1] for arn in arns), 'error': error}))
`;

describe('boto3', () => {
  it('waits, pages, and knows the errors by their types', async () => {
    const path = join(dir, 'services.py');
    writeFileSync(path, BOTO3);
    const ran = await platform.command('/usr/bin/python3', [path, subnets.join(',')], { env: environment(), timeoutMs: 300_000 });
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(JSON.parse(ran.stdout), { pages: 2, names: ['py-0', 'py-1', 'py-2'], error: 'ServiceNotActiveException' });
  });
});

describe('the JavaScript SDK', () => {
  it('waits for services too', async () => {
    const wait = { client: sdk.ecs, maxWaitTime: WAIT_SECONDS, minDelay: 1, maxDelay: 1 };
    const networkConfiguration = { awsvpcConfiguration: { subnets } };
    const wish = { taskDefinition: 'idle:1', desiredCount: 1, launchType: 'FARGATE' as const, networkConfiguration };
    await sdk.ecs.send(new CreateServiceCommand({ serviceName: 'js', ...wish }));
    await waitUntilServicesStable(wait, { services: ['js'] });
    await sdk.ecs.send(new UpdateServiceCommand({ service: 'js', desiredCount: 0 }));
    await waitUntilServicesStable(wait, { services: ['js'] });
    await sdk.ecs.send(new DeleteServiceCommand({ service: 'js' }));
    await waitUntilServicesInactive(wait, { services: ['js'] });
  });
});
