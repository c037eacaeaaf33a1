/**
 * Express gateway services: image in, URL out. The service and all that stands before it (a shared load balancer with its listeners and
 * certificate, target groups, rules) come to be in one transaction, so that nothing is half made.
 */
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { certificateArn } from '#domain/certificate.ts';
import { expressHost, expressWildcard } from '#domain/express.ts';
import { listenerArn, loadBalancerArn, ruleArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { ListenerAction, ListenerRecord, LoadBalancerRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { ManagedResources, ServiceRecord } from '#domain/service.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { requestCertificate } from './certificates.ts';
import { createListener } from './listeners.ts';
import { createRule } from './listener-rules.ts';
import { createLoadBalancer } from './load-balancers.ts';
import { resolveNetwork } from './network.ts';
import { createService } from './services.ts';
import type { CreateServiceWish } from './services.ts';
import { createTargetGroup } from './target-groups.ts';
import { within } from './within.ts';
import type { IntentDeps } from './types.ts';

export type IngressWish = {
  subnetIds: string[];
  port: number;
  healthCheckPath: string;
  /** `200`, `200-499`. */
  healthCodes: string;
  tags: Tag[];
};

/** What stands before the service, for the deployment that shifts between its two groups. */
export type Ingress = {
  managed: ManagedResources;
  host: string;
  targetGroupArn: string;
  alternateTargetGroupArn: string;
  productionRuleArn: string;
};

export type ExpressWish = Omit<CreateServiceWish, 'plan' | 'token'> & {
  ingress: IngressWish;
  /** As of CreateService, with what was made before it. `parts` are for further wishes of the same transaction. */
  plan: (parts: IntentDeps, ingress: Ingress, ...of: Parameters<CreateServiceWish['plan']>) => ReturnType<CreateServiceWish['plan']>;
};

/** Throws what CreateService and the calls of load balancing throw; nothing is made then. */
export async function createExpressService(deps: IntentDeps, scope: Scope, wish: ExpressWish): Promise<ServiceRecord> {
  return await deps.store.write(async (tx) => {
    const parts = within(deps, tx);
    const ingress = await makeIngress(parts, tx, scope, wish);
    return await createService(parts, scope, {
      cluster: wish.cluster,
      name: wish.name,
      createdBy: wish.createdBy,
      token: null,
      plan: (...of) => wish.plan(parts, ingress, ...of),
    });
  });
}

async function makeIngress(parts: IntentDeps, tx: WriteTx, scope: Scope, wish: ExpressWish): Promise<Ingress> {
  const at = { account: scope.account, region: scope.region };
  const { vpcId, subnets } = await resolveNetwork(tx, at, { subnetIds: wish.ingress.subnetIds, securityGroupIds: [], publicIp: false });
  const zones = new Map(subnets.map((subnet) => [subnet.zone, subnet.key.id]));
  const { lb, https, http, certificate } = await sharedBalancer(parts, tx, at, vpcId, [...zones.values()]);
  const groups = [await targetGroup(parts, at, vpcId, wish.ingress), await targetGroup(parts, at, vpcId, wish.ingress)];
  const [first = '', second = ''] = groups.map(targetGroupArn);
  const host = await freeHost(tx, at, lb, expressHost(at.region, wish.cluster, wish.name));
  const rules: ManagedResources['rules'] = [];
  let productionRuleArn = '';
  for (const listener of [https, http]) {
    const made = await createRule(parts, at, listenerArn(listener), {
      priority: await nextPriority(tx, listener),
      conditions: [{ field: 'host-header', values: [host, `${host.split('.')[0]}.localhost`] }],
      actions: [forward(first, second)],
      tags: wish.ingress.tags,
    });
    const id = made.rule?.key.id ?? '';
    rules.push({ listener: listener.key.id, id });
    if (listener === https) productionRuleArn = ruleArn(listener, id);
  }
  const managed = { loadBalancer: lb.key.name, certificate, rules, targetGroups: groups.map((group) => group.key.name) };
  return { managed, host, targetGroupArn: first, alternateTargetGroupArn: second, productionRuleArn };
}

type Shared = { lb: LoadBalancerRecord; https: ListenerRecord; http: ListenerRecord; certificate: string };

/** One for all Express services of a VPC, as in AWS; its certificate covers the names of them all. */
async function sharedBalancer(parts: IntentDeps, tx: WriteTx, scope: Scope, vpcId: string, subnetIds: string[]): Promise<Shared> {
  const name = `ecs-express-gateway-${createHash('sha256').update(vpcId).digest('hex').slice(0, 8)}`;
  const present = await tx.loadBalancers.get({ ...scope, name });
  if (present !== undefined) return await sharedParts(tx, present);
  const lb = await createLoadBalancer(parts, scope, {
    name,
    type: 'application',
    scheme: 'internet-facing',
    ipAddressType: 'ipv4',
    subnetIds,
    securityGroupIds: [],
    tags: [{ key: 'AmazonECSManaged', value: 'true' }],
  });
  const domain = expressWildcard(scope.region);
  const issued = await requestCertificate(tx, { random: parts.random, now: parts.clock.now() }, scope, {
    domain,
    names: [domain],
    keyAlgorithm: 'EC_prime256v1',
    validationMethod: 'DNS',
    options: {},
    tags: [{ key: 'AmazonECSManaged', value: 'true' }],
  });
  const unknown: ListenerAction = {
    type: 'fixed-response',
    order: null,
    statusCode: '404',
    contentType: 'text/plain',
    body: 'No service has this name.',
  };
  const common = { defaultActions: [unknown], tags: [] };
  const arn = loadBalancerArn(lb);
  const https = await createListener(parts, scope, arn, {
    ...common,
    port: 443,
    protocol: 'HTTPS',
    certificateArns: [certificateArn(issued.key)],
    certificatePending: true,
  });
  const http = await createListener(parts, scope, arn, { ...common, port: 80, protocol: 'HTTP' });
  return { lb, https, http, certificate: issued.key.id };
}

async function sharedParts(tx: WriteTx, lb: LoadBalancerRecord): Promise<Shared> {
  const { account, region, name } = lb.key;
  const listeners = await tx.listeners.list({ account, region, loadBalancer: name });
  const https = listeners.find((listener) => listener.desired.protocol === 'HTTPS');
  const http = listeners.find((listener) => listener.desired.protocol === 'HTTP');
  const certificate = https?.desired.certificateArns[0]?.split('/').at(-1);
  if (https === undefined || http === undefined || certificate === undefined) {
    throw new Fault(
      'Conflict',
      `The load balancer ${name}, which Express services share, has lost a listener or its certificate: delete it, and it is made anew.`,
    );
  }
  return { lb, https, http, certificate };
}

async function targetGroup(parts: IntentDeps, scope: Scope, vpcId: string, wish: IngressWish): Promise<TargetGroupRecord> {
  return await createTargetGroup(parts, scope, {
    name: `ecs-gateway-tg-${hexId(parts.random, 16)}`,
    protocol: 'HTTP',
    protocolVersion: 'HTTP1',
    port: wish.port,
    vpcId,
    targetType: 'ip',
    healthCheck: {
      path: wish.healthCheckPath,
      matcher: wish.healthCodes,
      intervalSeconds: CHECK_S,
      timeoutSeconds: CHECK_TIMEOUT_S,
      unhealthyThreshold: 3,
    },
    tags: wish.tags,
  });
}

/** How often a target's health is looked at: sooner than the 30 s of a plain target group, so that one that died is noticed. */
const CHECK_S = 5;
const CHECK_TIMEOUT_S = 4;

function forward(first: string, second: string): ListenerAction {
  const groups = [
    { arn: first, weight: 100 },
    { arn: second, weight: 0 },
  ];
  return { type: 'forward', order: null, groups, stickiness: null };
}

async function nextPriority(tx: WriteTx, listener: ListenerRecord): Promise<number> {
  const { account, region, loadBalancer, id } = listener.key;
  const taken = new Set(
    (await tx.listenerRules.list({ account, region, loadBalancer, listener: id })).map((rule) => rule.desired.priority),
  );
  let priority = 1;
  while (taken.has(priority)) priority++;
  return priority;
}

/** A name that no rule of the load balancer has: services of two clusters may have one name. */
async function freeHost(tx: WriteTx, scope: Scope, lb: LoadBalancerRecord, wanted: string): Promise<string> {
  const rules = await tx.listenerRules.list({ ...scope, loadBalancer: lb.key.name });
  const hosts = new Set(
    rules.flatMap((rule) => rule.desired.conditions.flatMap((condition) => (condition.field === 'host-header' ? condition.values : []))),
  );
  const [label = '', ...rest] = wanted.split('.');
  for (let n = 1; ; n++) {
    const host = [n === 1 ? label : `${label.slice(0, 58)}-${n}`, ...rest].join('.');
    if (!hosts.has(host)) return host;
  }
}
