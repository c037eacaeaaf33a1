/** What the conditions of a listener's rule may be (API reference, RuleCondition; "Listener rules", Application Load Balancers user guide). */
import { isIPv6 } from 'node:net';
import { limits } from '#base/limits.ts';
import { isFault } from '#base/fault.ts';
import { parseCidr } from './cidr.ts';
import { elbFault } from './elb-fault.ts';
import type { RuleCondition } from './load-balancer.ts';
import { clip } from './names.ts';

const VALUE_CHARS = 128;
const HEADER_NAME_CHARS = 40;
const host = /^[A-Za-z0-9.*?-]+$/;
const path = /^[A-Za-z0-9_.$/~"'@:+&*?\\-]+$/;
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const printable = /^[\x20-\x7e]+$/;
/** Of these a rule may have several; of the others one. */
const repeatable: readonly RuleCondition['field'][] = ['http-header', 'query-string'];

/** Throws ELBv2's ValidationError. */
export function assertConditions(conditions: readonly RuleCondition[]): void {
  if (conditions.length === 0) throw wrong('A condition must be specified');
  for (const condition of conditions) assertCondition(condition);
  for (const { field } of conditions) {
    if (!repeatable.includes(field) && conditions.filter((other) => other.field === field).length > 1) {
      throw wrong(`A rule can only have one '${field}' condition`);
    }
  }
  const values = conditions.flatMap(textsOf);
  if (conditions.reduce((sum, condition) => sum + condition.values.length, 0) > limits.ruleConditionValues) {
    throw wrong(`A rule can only have '${limits.ruleConditionValues}' condition values`);
  }
  if (values.reduce((sum, value) => sum + wildcardsOf(value), 0) > limits.ruleWildcards) {
    throw wrong(`A rule can only have '${limits.ruleWildcards}' condition wildcards`);
  }
}

function assertCondition(condition: RuleCondition): void {
  const { field } = condition;
  if (condition.values.length === 0) throw wrong(`A condition value must be specified for the condition field '${field}'`);
  for (const value of textsOf(condition)) {
    if (value.length === 0 || value.length > VALUE_CHARS) {
      throw wrong(
        `A value of the condition field '${field}' must have 1 to ${VALUE_CHARS} characters; '${clip(value)}' has ${value.length}`,
      );
    }
  }
  switch (condition.field) {
    case 'host-header':
      for (const value of condition.values) assertHost(value);
      return;
    case 'path-pattern':
      for (const value of condition.values) if (!path.test(value)) throw invalid(field, value);
      return;
    case 'http-header':
      if (!token.test(condition.name) || condition.name.length > HEADER_NAME_CHARS) {
        throw wrong(
          `The header name '${clip(condition.name)}' is not valid: it must have 1 to ${HEADER_NAME_CHARS} characters of a header's name`,
        );
      }
      if (condition.name.toLowerCase() === 'host') {
        throw wrong("The header name 'Host' is not valid: use the condition field 'host-header'");
      }
      for (const value of condition.values) if (!printable.test(value)) throw invalid(field, value);
      return;
    case 'http-request-method':
      for (const value of condition.values) if (!/^[A-Z_-]{1,40}$/.test(value)) throw invalid(field, value);
      return;
    case 'query-string':
      for (const { key, value } of condition.values) {
        if (!printable.test(value)) throw invalid(field, value);
        if (key !== null && !printable.test(key)) throw invalid(field, key);
      }
      return;
    case 'source-ip':
      for (const value of condition.values) assertRange(value);
  }
}

function assertHost(value: string): void {
  if (!host.test(value)) throw invalid('host-header', value);
  if (!/\.[A-Za-z*?]+$/.test(value)) {
    throw wrong(`The host header value '${clip(value)}' must have at least one '.' and only letters after the last one`);
  }
}

/** CIDR, as AWS wants it. */
function assertRange(value: string): void {
  const [address = '', prefix = ''] = value.split('/');
  if (isIPv6(address) && !address.includes('%') && /^\d{1,3}$/.test(prefix) && Number(prefix) <= 128 && value === `${address}/${prefix}`)
    return;
  try {
    parseCidr(value);
  } catch (error) {
    if (!isFault(error)) throw error;
    throw wrong(`The source IP '${clip(value)}' is not a valid CIDR block`);
  }
}

/** All that is compared with wildcards or has a length. */
function textsOf(condition: RuleCondition): string[] {
  if (condition.field !== 'query-string') return condition.values;
  return condition.values.flatMap(({ key, value }) => (key === null ? [value] : [key, value]));
}

/** `*` and `?`, unless a backslash takes their meaning away. */
function wildcardsOf(value: string): number {
  return value.replace(/\\./g, '').replace(/[^*?]/g, '').length;
}

const wrong = (message: string) => elbFault('ValidationError', message);
const invalid = (field: string, value: string) =>
  wrong(`The value '${clip(value)}' of the condition field '${field}' contains a character that is not valid`);
