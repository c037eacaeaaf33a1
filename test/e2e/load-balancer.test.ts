/** Traffic through load balancers on a real platform: made by the stock SDK, reached from the machine and from tasks, and what happens when something dies. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { before, describe, it } from 'node:test';
import { DescribeLogStreamsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  AddTagsCommand,
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateRuleCommand,
  CreateTargetGroupCommand,
  DeleteLoadBalancerCommand,
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
  waitUntilTargetInService,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { LoadBalancer, TargetHealth } from '@aws-sdk/client-elastic-load-balancing-v2';
import { realClock } from '#base/clock.ts';
import { createClient } from '#cli/client.ts';
import { addressOf, script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

/** Answers `hello NAME`, at /cgi-bin/slow after three seconds. */
const server = (name: string) =>
  script(
    `mkdir -p /w/cgi-bin; echo 'hello ${name}' > /w/index.html; printf '#!/bin/sh\\nsleep 3\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\nslow ${name}"\\n' > /w/cgi-bin/slow; chmod +x /w/cgi-bin/slow; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait`,
    { portMappings: [{ containerPort: 80 }] },
  );

const { platform, sdk } = await platformFixture();
const { elb } = sdk;
let vpcId: string;
const servers = new Map<string, string>();

before(async () => {
  vpcId = await sdk.vpc();
  for (const name of ['one', 'two']) {
    const [task] = await sdk.running(await sdk.run(await sdk.register(name, [server(name)])));
    assert.ok(task);
    servers.set(name, addressOf(task));
  }
});

type Seen = { status: number; body: string };
const visit = (host: string, path = '/', headers: Record<string, string> = {}, port = 80): Promise<Seen> =>
  new Promise((resolve) => {
    const nothing = () => resolve({ status: 0, body: '' });
    const req = get({ host, port, path, headers, agent: false, timeout: 15_000 }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: body.trim() }));
      res.on('error', nothing);
    });
    req.on('timeout', () => req.destroy());
    req.on('error', nothing);
  });

async function balancer(name: string): Promise<{ lb: LoadBalancer; arn: string }> {
  const made = await elb.send(new CreateLoadBalancerCommand({ Name: name, Subnets: await sdk.subnets() }));
  const arn = made.LoadBalancers?.[0]?.LoadBalancerArn ?? '';
  const lb = await until(`${name} is active`, async () => {
    const [now] = (await elb.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [arn] }))).LoadBalancers ?? [];
    return now?.State?.Code === 'active' && now;
  });
  return { lb, arn };
}

async function targetGroup(name: string): Promise<string> {
  const settings = {
    Protocol: 'HTTP',
    Port: 80,
    VpcId: vpcId,
    TargetType: 'ip',
    HealthCheckIntervalSeconds: 5,
    HealthCheckTimeoutSeconds: 2,
  } as const;
  return (await elb.send(new CreateTargetGroupCommand({ Name: name, ...settings }))).TargetGroups?.[0]?.TargetGroupArn ?? '';
}

async function listen(lbArn: string, groupArn: string): Promise<string> {
  const wish = {
    LoadBalancerArn: lbArn,
    Protocol: 'HTTP',
    Port: 80,
    DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
  } as const;
  return (
    (await elb.send(new CreateListenerCommand({ ...wish, DefaultActions: [...wish.DefaultActions] }))).Listeners?.[0]?.ListenerArn ?? ''
  );
}

const target = (name: string) => ({ Id: servers.get(name) ?? '', Port: 80 });
const register = (groupArn: string, ...names: string[]) =>
  elb.send(new RegisterTargetsCommand({ TargetGroupArn: groupArn, Targets: names.map(target) }));
async function health(groupArn: string, name: string): Promise<TargetHealth | undefined> {
  const all = (await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: groupArn }))).TargetHealthDescriptions ?? [];
  return all.find((one) => one.Target?.Id === servers.get(name))?.TargetHealth;
}

/** The load balancer's own address, as a task resolves it. */
async function inTask(command: string): Promise<string[]> {
  const { printed } = await sdk.toEnd('visitor', [script(command)]);
  return printed['main'] ?? [];
}
async function addressOfName(dnsName: string): Promise<string> {
  const lines = await inTask(`nslookup ${dnsName} | awk '/^Address/ { print $NF }' | tail -n 1`);
  return (lines[0] ?? '').replace(/:\d+$/, '');
}

type Counts = { answered: number; failed: number; longestMs: number };

/** What becomes of requests, one after the other by each of four clients, while `during` goes on and a second longer. */
async function underLoad(host: string, during: () => Promise<void>): Promise<Counts> {
  let running = true;
  const counts = { answered: 0, failed: 0, longestMs: 0 };
  const client = async () => {
    while (running) {
      const begun = Date.now();
      if ((await visit(host)).status === 200) counts.answered += 1;
      else counts.failed += 1;
      counts.longestMs = Math.max(counts.longestMs, Date.now() - begun);
    }
  };
  const clients = Array.from({ length: 4 }, client);
  try {
    await during();
    await pause(1000);
  } finally {
    running = false;
    await Promise.all(clients);
  }
  assert.ok(counts.answered > 0, JSON.stringify(counts));
  return counts;
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** SIGKILL; what it was before, once another has taken its place. */
async function kill(name: 'haproxy' | 'control' | 'host') {
  const before = processesOf(platform);
  assert.ok(before);
  process.kill(before[name], 'SIGKILL');
  await until(`another ${name}`, async () => {
    const now = processesOf(platform)?.[name];
    return now !== undefined && now !== before[name];
  });
  return before;
}

describe('load balancers', { concurrency: false }, () => {
  let first: { lb: LoadBalancer; arn: string };
  let firstIp: string;
  let group: string;
  let listener: string;

  it('answers once the target is healthy, on the machine and in tasks, by name', async () => {
    first = await balancer('first');
    group = await targetGroup('group-one');
    await register(group, 'one');
    assert.equal((await health(group, 'one'))?.State, 'unused');
    listener = await listen(first.arn, group);
    await waitUntilTargetInService({ client: elb, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { TargetGroupArn: group });
    firstIp = await addressOfName(first.lb.DNSName ?? '');
    assert.match(firstIp, /^\d+\.\d+\.\d+\.\d+$/);
    assert.deepEqual(await visit(firstIp), { status: 200, body: 'hello one' });
    assert.deepEqual(await inTask(`wget -qO- http://${first.lb.DNSName}/`), ['hello one']);
    // On the front door by its name.
    assert.equal((await visit('127.0.0.1', '/', { host: 'first.localhost' }, platform.endpointPort)).body, 'hello one');
    // Nothing else of the machine is open at that address.
    assert.deepEqual(await inTask(`nc -w 2 ${firstIp} ${platform.apiPort} < /dev/null 2> /dev/null && echo open || echo closed`), [
      'closed',
    ]);
  });

  it('rules decide, and two load balancers have port 80 each', async () => {
    const other = await targetGroup('group-two');
    await register(other, 'two');
    await elb.send(
      new CreateRuleCommand({
        ListenerArn: listener,
        Priority: 10,
        Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/two*'] } }],
        Actions: [{ Type: 'forward', TargetGroupArn: other }],
      }),
    );
    const text = { StatusCode: '403', ContentType: 'text/plain', MessageBody: 'not for you' } as const;
    await elb.send(
      new CreateRuleCommand({
        ListenerArn: listener,
        Priority: 5,
        Conditions: [{ Field: 'host-header', HostHeaderConfig: { Values: ['*.closed.org'] } }],
        Actions: [{ Type: 'fixed-response', FixedResponseConfig: text }],
      }),
    );
    await until('the rule', async () => (await visit(firstIp, '/two')).status === 404); // its own 404, from the other server
    await until('the host rule', async () => (await visit(firstIp, '/', { host: 'a.closed.org' })).body === 'not for you');
    assert.equal((await visit(firstIp)).body, 'hello one');

    const second = await balancer('second');
    const group2 = await targetGroup('group-three');
    await register(group2, 'two');
    await listen(second.arn, group2);
    const ip = await addressOfName(second.lb.DNSName ?? '');
    assert.notEqual(ip, firstIp);
    await until('the second', async () => (await visit(ip)).body === 'hello two');
    assert.equal((await visit(firstIp)).body, 'hello one');
    await elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: second.arn }));
    await until('its address is given back', async () => (await visit(ip)).status === 0);
    assert.equal((await visit(firstIp)).body, 'hello one');
  });

  it('by its tag a load balancer has an access log, and one without it has none', async () => {
    const quiet = await balancer('quiet');
    await listen(quiet.arn, await targetGroup('group-quiet'));
    const quietIp = await addressOfName(quiet.lb.DNSName ?? '');
    await until('the quiet one', async () => (await visit(quietIp, '/unheard')).status === 503);
    await visit(firstIp, '/too-early');
    const logGroup = '/elb/access';
    await elb.send(new AddTagsCommand({ ResourceArns: [first.arn], Tags: [{ Key: 'berth:access-logs', Value: logGroup }] }));
    const messages = async (): Promise<string[]> => {
      const found = await sdk.logs.send(new FilterLogEventsCommand({ logGroupName: logGroup })).catch((error: Error) => {
        if (error.name === 'ResourceNotFoundException') return { events: [] };
        throw error;
      });
      return (found.events ?? []).map(({ message }) => message ?? '');
    };
    await until('the log is on', async () => {
      await visit(firstIp, '/heard', { 'user-agent': 'a "visitor"' });
      return (await messages()).some((line) => line.includes('/heard'));
    });
    await visit(quietIp, '/unheard');
    await visit('127.0.0.1', '/by-name', { host: 'first.localhost' }, platform.endpointPort);
    await visit(firstIp, '/', { host: 'a.closed.org' });
    await until('all lines', async () => {
      const lines = await messages();
      return ['/by-name', 'a.closed.org'].every((text) => lines.some((line) => line.includes(text)));
    });
    const lines = await messages();
    const name = first.arn.replace(/^.*:loadbalancer\//, '');
    const heard = lines.find((line) => line.includes('/heard')) ?? '';
    const to = `${servers.get('one')}:80`;
    assert.ok(heard.startsWith('http 20') && heard.includes(` ${name} `) && heard.includes(` ${to} `), heard);
    assert.ok(
      heard.includes(` 404 404 `) && heard.includes(`"GET http://${firstIp}:80/heard HTTP/1.1" "a \\x22visitor\\x22" - - ${group} `),
      heard,
    );
    assert.match(lines.find((line) => line.includes('a.closed.org')) ?? '', / 403 - .* 5 \S+Z "fixed-response" /);
    // Through the front door it is two hops and one line, with who asked.
    assert.match(lines.filter((line) => line.includes('/by-name')).join('\n'), /^http \S+ \S+ 127\.0\.0\.1:0 [^\n]*$/);
    assert.ok(!lines.some((line) => /unheard|too-early/.test(line)));
    const { logStreams } = await sdk.logs.send(new DescribeLogStreamsCommand({ logGroupName: logGroup }));
    assert.deepEqual(
      logStreams?.map(({ logStreamName }) => logStreamName),
      [name],
    );
    const { endpoint, region, credentials } = sdk.config;
    const metrics = await createClient({ endpoint, region, credentials }, realClock()).call('berth', 'DescribeLoadBalancerMetrics', {});
    type Timed = {
      loadBalancerArn?: string;
      targetGroupArn?: string;
      latencyMs?: { count: number; p50: number; p90: number; p99: number };
    };
    const [timed, ...others] = metrics['loadBalancers'] as Timed[];
    assert.deepEqual([timed?.loadBalancerArn, others], [first.arn, []]);
    assert.ok(timed?.latencyMs && timed.latencyMs.count >= 3 && timed.latencyMs.p50 <= timed.latencyMs.p99);
    const groups = (metrics['targetGroups'] as Timed[]).filter(({ latencyMs }) => latencyMs !== undefined);
    assert.deepEqual(
      groups.map(({ targetGroupArn }) => targetGroupArn),
      [group],
    );
    // The same for Prometheus, beside what tasks use.
    const authorization = `Basic ${Buffer.from(`${credentials.accessKeyId}:${credentials.secretAccessKey}`).toString('base64')}`;
    const scraped = await (await fetch(`${endpoint}/metrics`, { headers: { authorization } })).text();
    const told = (pattern: string) => Number(new RegExp(`^${pattern} (\\S+)$`, 'm').exec(scraped)?.[1]);
    assert.ok(told('berth_listener_requests_total\\{[^}]*load_balancer="first"[^}]*port="80"\\}') >= 3, scraped);
    assert.ok(told('berth_target_group_response_time_seconds\\{[^}]*quantile="0.99"\\}') >= 0, scraped);
    assert.ok(told('berth_container_memory_bytes\\{[^}]*family="one"[^}]*container="main"\\}') > 0, scraped);
    assert.ok(told('berth_task_disk_written_bytes_total\\{[^}]*family="one"[^}]*\\}') >= 0, scraped);
    assert.ok(told('berth_api_requests_total\\{service="ecs",operation="RunTask",code="ok"\\}') >= 2, scraped);
    await elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: quiet.arn }));
  });

  it('HAProxy killed: only what was under way fails, and connections wait for the next one', async () => {
    await pause(1500);
    const counts = await underLoad(firstIp, async () => void (await kill('haproxy')));
    assert.ok(counts.failed <= 4 && counts.longestMs < 5000, JSON.stringify(counts));
  });

  it('the control plane killed: no request fails, and health is told again', async () => {
    let haproxy: number | undefined;
    const counts = await underLoad(firstIp, async () => {
      ({ haproxy } = await kill('control'));
      await until('health', async () => (await health(group, 'one').catch(() => undefined))?.State === 'healthy');
    });
    assert.equal(counts.failed, 0, JSON.stringify(counts));
    assert.equal(processesOf(platform)?.haproxy, haproxy);
  });

  it('the host agent killed: the address stays, and no request fails', async () => {
    const counts = await underLoad(firstIp, async () => {
      await kill('host');
      await until('a host', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
      assert.deepEqual(await inTask(`wget -qO- http://${first.lb.DNSName}/`), ['hello one']);
    });
    assert.equal(counts.failed, 0, JSON.stringify(counts));
  });

  it('a target that is deregistered finishes what it has', async () => {
    await register(group, 'two');
    await until('the second target', async () => (await health(group, 'two'))?.State === 'healthy');
    await elb.send(new DeregisterTargetsCommand({ TargetGroupArn: group, Targets: [target('two')] }));
    await until('one alone', async () => (await health(group, 'two')) === undefined);
    const slow = visit(firstIp, '/cgi-bin/slow');
    await pause(500);
    await register(group, 'two');
    await until('the second target', async () => (await health(group, 'two'))?.State === 'healthy');
    await elb.send(new DeregisterTargetsCommand({ TargetGroupArn: group, Targets: [target('one')] }));
    await until('two alone', async () => (await visit(firstIp)).body === 'hello two');
    assert.equal((await health(group, 'one'))?.State, 'draining');
    assert.equal((await health(group, 'one'))?.Reason, 'Target.DeregistrationInProgress');
    assert.deepEqual(await slow, { status: 200, body: 'slow one' });
    await until('it is gone', async () => (await health(group, 'one')) === undefined);
  });

  it('a target that fails its check says why, and no target means 503', async () => {
    await elb.send(new DeregisterTargetsCommand({ TargetGroupArn: group, Targets: [target('two')] }));
    await until('it is gone', async () => (await health(group, 'two')) === undefined);
    await until('nobody', async () => (await visit(firstIp)).status === 503);
    await elb.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets: [{ Id: servers.get('one') ?? '', Port: 81 }] }));
    const told = await until(
      'unhealthy',
      async () => {
        const now = await health(group, 'one');
        return now?.State === 'unhealthy' && now;
      },
      60_000,
    );
    assert.deepEqual([told.Reason, told.Description], ['Target.FailedHealthChecks', 'Health checks failed']);
    assert.equal((await visit(firstIp)).status, 503);
  });
});
