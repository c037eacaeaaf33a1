/** Wishes about listeners. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { changeListenerAttributes } from '#domain/elb-attributes.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { loadBalancerArn, type ListenerAction, type ListenerRecord, type LoadBalancerRecord } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { listenerOf, loadBalancerOf } from './elb-lookup.ts';
import { assertForwards } from './listener-forwards.ts';
import { assertCertificate, assertPort, assertProtocol, secured } from './listener-security.ts';
import type { IntentDeps } from './types.ts';

type Desired = ListenerRecord['desired'];
/** What a caller may say of a listener; undefined: as it was, or AWS's default. */
export type ListenerChange = {
  port?: number | undefined;
  protocol?: Desired['protocol'] | undefined;
  sslPolicy?: string | undefined;
  /** The default certificate, in a list as the API has it. */
  certificateArns?: string[] | undefined;
  alpnPolicy?: string | undefined;
  defaultActions?: ListenerAction[] | undefined;
};
export type ListenerWish = ListenerChange & {
  port: number;
  protocol: Desired['protocol'];
  defaultActions: ListenerAction[];
  tags: Tag[];
  /** Its certificate may still be on its way: for what berth makes by itself. */
  certificatePending?: boolean;
};

/** The same call again gets the same listener; another one on its port is DuplicateListener. */
export async function createListener(deps: IntentDeps, scope: Scope, lbArn: string, wish: ListenerWish): Promise<ListenerRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const lb = await loadBalancerOf(tx, scope, lbArn);
    const desired: Desired = {
      defaultRuleId: hexId(deps.random, 16),
      loadBalancerType: lb.desired.type,
      loadBalancerId: lb.desired.id,
      port: wish.port,
      protocol: wish.protocol,
      ...secured(wish.protocol, wish),
      defaultActions: wish.defaultActions,
      attributes: {},
      tags: wish.tags,
      createdAt: now,
      modifiedAt: now,
    };
    await assertListener(tx, scope, lb, desired, wish.certificatePending !== true);
    const inside = { ...scope, loadBalancer: lb.key.name };
    const others = await tx.listeners.list(inside);
    const present = others.find((listener) => listener.desired.port === wish.port);
    if (present !== undefined) {
      if (sameListener(present.desired, desired)) return present;
      throw duplicate(lb);
    }
    if (others.length >= limits.listenersPerLoadBalancer) {
      throw elbFault('TooManyListeners', `You have reached the limit of ${limits.listenersPerLoadBalancer} listeners of a load balancer`);
    }
    return await tx.listeners.insert({ ...inside, id: hexId(deps.random, 16) }, desired, { shift: null });
  });
}

export async function modifyListener(deps: IntentDeps, scope: Scope, arn: string, change: ListenerChange): Promise<ListenerRecord> {
  const now = deps.clock.now();
  return await changeListener(deps, scope, arn, async (listener, tx) => {
    const before = listener.desired;
    const lb = await ownerOf(tx, listener);
    const protocol = change.protocol ?? before.protocol;
    const desired: Desired = {
      ...before,
      protocol,
      port: change.port ?? before.port,
      ...secured(protocol, change, before),
      defaultActions: change.defaultActions ?? before.defaultActions,
      modifiedAt: change.defaultActions === undefined ? before.modifiedAt : now,
    };
    await assertListener(tx, scope, lb, desired, change.certificateArns !== undefined);
    if (protocol !== before.protocol) await assertRules(tx, scope, lb, listener, protocol);
    const others = await tx.listeners.list({ ...scope, loadBalancer: lb.key.name });
    if (others.some((other) => other.key.id !== listener.key.id && other.desired.port === desired.port)) throw duplicate(lb);
    return desired;
  });
}

/** Its rules go with it. */
export async function deleteListener(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const { key } = await listenerOf(tx, scope, arn);
    for (const rule of await tx.listenerRules.list({ ...scope, loadBalancer: key.loadBalancer, listener: key.id })) {
      await tx.listenerRules.delete(rule.key);
    }
    await tx.listeners.delete(key);
  });
}

export async function modifyListenerAttributes(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  changes: Record<string, string>,
): Promise<ListenerRecord> {
  return await changeListener(deps, scope, arn, ({ desired }) => ({ ...desired, attributes: changeListenerAttributes(desired, changes) }));
}

/** Adds to those besides the default one, for other names (SNI). */
export async function addListenerCertificates(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  certificateArns: string[],
): Promise<ListenerRecord> {
  return await changeListener(deps, scope, arn, async ({ desired }, tx) => {
    if (desired.certificateArns.length === 0) {
      throw elbFault('InvalidConfigurationRequest', `Certificates cannot be added to a listener with the protocol '${desired.protocol}'`);
    }
    for (const certificate of certificateArns) await assertCertificate(tx, scope, certificate);
    const merged = [...new Set([...desired.certificateArns, ...certificateArns])];
    if (merged.length > limits.certificatesPerListener + 1) {
      throw elbFault(
        'TooManyCertificates',
        `A listener can have up to ${limits.certificatesPerListener} certificates besides its default one`,
      );
    }
    return { ...desired, certificateArns: merged };
  });
}

export async function removeListenerCertificates(deps: IntentDeps, scope: Scope, arn: string, certificateArns: string[]): Promise<void> {
  await changeListener(deps, scope, arn, ({ desired }) => {
    const [first] = desired.certificateArns;
    if (first !== undefined && certificateArns.includes(first)) {
      throw elbFault('OperationNotPermitted', `The default certificate '${first}' cannot be removed from the listener: use ModifyListener`);
    }
    return { ...desired, certificateArns: desired.certificateArns.filter((certificate) => !certificateArns.includes(certificate)) };
  });
}

/** `certified`: whether its certificate is a caller's new choice. One that expired since doesn't stand in the way of other changes. */
async function assertListener(tx: WriteTx, scope: Scope, lb: LoadBalancerRecord, desired: Desired, certified = true): Promise<void> {
  assertProtocol(lb.desired.type, desired.protocol);
  assertPort(desired.port);
  const [certificate] = desired.certificateArns;
  if (certificate !== undefined && certified) await assertCertificate(tx, scope, certificate);
  await assertForwards(tx, scope, lb, desired.protocol, desired.defaultActions);
}

/** Whether its rules fit another protocol. */
async function assertRules(
  tx: WriteTx,
  scope: Scope,
  lb: LoadBalancerRecord,
  { key }: ListenerRecord,
  protocol: Desired['protocol'],
): Promise<void> {
  for (const rule of await tx.listenerRules.list({ ...scope, loadBalancer: key.loadBalancer, listener: key.id })) {
    await assertForwards(tx, scope, lb, protocol, rule.desired.actions);
  }
}

async function changeListener(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  change: (listener: ListenerRecord, tx: WriteTx) => Desired | Promise<Desired>,
): Promise<ListenerRecord> {
  return await deps.store.write(async (tx) => {
    const listener = await listenerOf(tx, scope, arn);
    return await tx.listeners.setDesired(listener.key, await change(listener, tx), listener.revision);
  });
}

/** A listener never outlives its load balancer. */
export async function ownerOf(tx: WriteTx, listener: ListenerRecord): Promise<LoadBalancerRecord> {
  const { account, region, loadBalancer } = listener.key;
  const lb = await tx.loadBalancers.get({ account, region, name: loadBalancer });
  if (lb === undefined) throw elbFault('LoadBalancerNotFound', 'One or more load balancers not found');
  return lb;
}

function duplicate(lb: LoadBalancerRecord) {
  return elbFault('DuplicateListener', `A listener already exists on this port for this load balancer '${loadBalancerArn(lb)}'`);
}

function sameListener(a: Desired, b: Desired): boolean {
  const settings = ({ protocol, port, sslPolicy, certificateArns, alpnPolicy, defaultActions, tags }: Desired) =>
    JSON.stringify([protocol, port, sslPolicy, certificateArns, alpnPolicy, defaultActions, tags]);
  return settings(a) === settings(b);
}
