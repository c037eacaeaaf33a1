/** What the actions of a listener or a rule may be, as far as it can be seen without the target groups (API reference, Action). */
import { limits } from '#base/limits.ts';
import { elbFault } from './elb-fault.ts';
import type { ListenerAction, ListenerRecord, LoadBalancerType } from './load-balancer.ts';
import { clip } from './names.ts';

type Forward = Extract<ListenerAction, { type: 'forward' }>;
type Redirect = Extract<ListenerAction, { type: 'redirect' }>;
type FixedResponse = Extract<ListenerAction, { type: 'fixed-response' }>;

const ORDER_MAX = 50_000;
const WEIGHT_MAX = 999;
const STICKY_SECONDS_MAX = 604_800;
const PART_CHARS = 128;
const BODY_CHARS = 1024;
const contentTypes = ['text/plain', 'text/css', 'text/html', 'application/javascript', 'application/json'];

/** The redirect's parts that change nothing. */
export const unchangedRedirect = {
  protocol: '#{protocol}',
  port: '#{port}',
  host: '#{host}',
  path: '/#{path}',
  query: '#{query}',
} as const;

/** Throws ELBv2's ValidationError, InvalidLoadBalancerAction and TooManyActions. */
export function assertActions(
  actions: readonly ListenerAction[],
  on: { type: LoadBalancerType; protocol: ListenerRecord['desired']['protocol'] },
): void {
  const [action, second] = actions;
  if (action === undefined) {
    throw elbFault('ValidationError', "An action of type 'redirect', 'fixed-response', or 'forward' must be specified");
  }
  if (second !== undefined) {
    throw elbFault(
      'InvalidLoadBalancerAction',
      "Exactly one action of type 'redirect', 'fixed-response', or 'forward' may be specified, and it must be the last one",
    );
  }
  if (action.order !== null && !between(action.order, 1, ORDER_MAX)) {
    throw elbFault('ValidationError', `The action order '${action.order}' must be between 1 and ${ORDER_MAX}`);
  }
  if (on.type === 'network' && action.type !== 'forward') {
    throw elbFault(
      'InvalidLoadBalancerAction',
      `The action type '${action.type}' is not supported on a Network Load Balancer: it forwards`,
    );
  }
  if (action.type === 'forward') assertForward(action, on.type);
  if (action.type === 'redirect') assertRedirect(action, on.protocol);
  if (action.type === 'fixed-response') assertFixedResponse(action);
}

function assertForward({ groups, stickiness }: Forward, type: LoadBalancerType): void {
  if (groups.length === 0) throw elbFault('ValidationError', 'A target group ARN must be specified');
  if (groups.length > limits.targetGroupsPerAction) {
    throw elbFault('TooManyActions', `A forward action can have up to '${limits.targetGroupsPerAction}' target groups`);
  }
  if (new Set(groups.map((group) => group.arn)).size !== groups.length) {
    throw elbFault('ValidationError', 'A target group can be specified only once in a forward action');
  }
  for (const { weight } of groups) {
    if (!between(weight, 0, WEIGHT_MAX)) {
      throw elbFault('ValidationError', `The weight '${weight}' must be between 0 and ${WEIGHT_MAX}`);
    }
  }
  if (stickiness === null) return;
  if (stickiness.enabled && type === 'network') {
    throw elbFault('InvalidConfigurationRequest', 'Target group stickiness is not supported on a Network Load Balancer');
  }
  if (stickiness.enabled && stickiness.seconds === null) {
    throw elbFault('ValidationError', 'Target group stickiness duration must be specified when it is enabled');
  }
  if (stickiness.seconds !== null && !between(stickiness.seconds, 1, STICKY_SECONDS_MAX)) {
    throw elbFault('ValidationError', `Target group stickiness duration must be between 1 and ${STICKY_SECONDS_MAX} seconds`);
  }
}

function assertRedirect(action: Redirect, listener: ListenerRecord['desired']['protocol']): void {
  const parts: [string, string, RegExp, number][] = [
    ['protocol', action.protocol, /^(HTTPS?|#\{protocol\})$/, PART_CHARS],
    ['port', action.port, /^(#\{port\}|[1-9]\d{0,4})$/, PART_CHARS],
    ['host', action.host, /^([A-Za-z0-9.*?-]|#\{host\})+$/, PART_CHARS],
    ['path', action.path, /^\/[\x21-\x7e]*$/, PART_CHARS],
    ['query', action.query, /^[\x21-\x7e]*$/, PART_CHARS],
  ];
  for (const [name, value, pattern, chars] of parts) {
    if (!pattern.test(value) || value.length > chars || (name === 'port' && Number(value) > 65_535)) {
      throw elbFault('ValidationError', `The redirect ${name} '${clip(value)}' is not valid`);
    }
  }
  if (listener === 'HTTPS' && action.protocol === 'HTTP') {
    throw elbFault('InvalidLoadBalancerAction', 'HTTPS can not be redirected to HTTP');
  }
  const moves = action.protocol !== '#{protocol}' && action.protocol !== listener;
  if (!moves && action.port === '#{port}' && action.host === '#{host}' && action.path === '/#{path}') {
    throw elbFault('InvalidLoadBalancerAction', 'The redirect configuration is not valid because it creates a loop.');
  }
}

function assertFixedResponse({ statusCode, contentType, body }: FixedResponse): void {
  if (!/^[245]\d\d$/.test(statusCode)) {
    throw elbFault(
      'ValidationError',
      `The fixed response status code '${clip(statusCode)}' is not valid: it must be a 2XX, 4XX or 5XX code`,
    );
  }
  if (contentType !== null && !contentTypes.includes(contentType)) {
    throw elbFault('ValidationError', `The fixed response content type '${clip(contentType)}' must be one of ${contentTypes.join(', ')}`);
  }
  if (body !== null && body.length > BODY_CHARS) {
    throw elbFault('ValidationError', `The fixed response body can have up to ${BODY_CHARS} characters; this one has ${body.length}`);
  }
}

function between(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
