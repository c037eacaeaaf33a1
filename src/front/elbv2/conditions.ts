/** Conditions of rules, from the API's words to ours and back. `Values` is the older form of two of them; AWS shows both. */
import type { RuleCondition as ApiCondition } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';
import type { RuleCondition } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';

const fields = ['http-header', 'path-pattern', 'host-header', 'query-string', 'source-ip', 'http-request-method'];

/** Throws ValidationError, and Unsupported for regular expressions. */
export function toConditions(input: readonly ApiCondition[]): RuleCondition[] {
  return input.map(toCondition);
}

function toCondition(input: ApiCondition): RuleCondition {
  const { Field: field = '' } = input;
  const configs = [input.HostHeaderConfig, input.PathPatternConfig, input.HttpHeaderConfig];
  if (input.RegexValues !== undefined || configs.some((config) => config?.RegexValues !== undefined)) {
    throw notInBerth('conditions with regular expressions');
  }
  switch (field) {
    case 'host-header':
      return { field, values: eitherForm(field, input.Values, input.HostHeaderConfig?.Values) };
    case 'path-pattern':
      return { field, values: eitherForm(field, input.Values, input.PathPatternConfig?.Values) };
    case 'http-header':
      return { field, name: input.HttpHeaderConfig?.HttpHeaderName ?? '', values: config(input.Values, input.HttpHeaderConfig?.Values) };
    case 'http-request-method':
      return { field, values: config(input.Values, input.HttpRequestMethodConfig?.Values) };
    case 'source-ip':
      return { field, values: config(input.Values, input.SourceIpConfig?.Values) };
    case 'query-string': {
      const pairs = config(input.Values?.map((Value) => ({ Key: undefined, Value })), input.QueryStringConfig?.Values); // prettier-ignore
      return { field, values: pairs.map(({ Key, Value }) => ({ key: Key === undefined || Key === '' ? null : Key, value: Value ?? '' })) };
    }
    default:
      throw elbFault('ValidationError', `Condition field '${clip(field)}' must be one of '[${fields.join(', ')}]'`);
  }
}

function eitherForm(field: string, values: string[] | undefined, configured: string[] | undefined): string[] {
  if (values !== undefined && values.length > 0 && configured !== undefined && String(values) !== String(configured)) {
    throw elbFault('ValidationError', `You can specify the values of the condition field '${field}' in one form only`);
  }
  return configured ?? values ?? [];
}

/** These fields take their configuration alone. */
function config<T>(values: T[] | undefined, configured: T[] | undefined): T[] {
  if (values !== undefined && values.length > 0) {
    throw elbFault('ValidationError', "The condition's configuration must be specified in place of 'Values'");
  }
  return configured ?? [];
}

export function conditionViews(conditions: readonly RuleCondition[]): ApiCondition[] {
  return conditions.map((condition) => {
    const { field: Field } = condition;
    switch (condition.field) {
      case 'host-header':
        return { Field, Values: condition.values, HostHeaderConfig: { Values: condition.values } };
      case 'path-pattern':
        return { Field, Values: condition.values, PathPatternConfig: { Values: condition.values } };
      case 'http-header':
        return { Field, HttpHeaderConfig: { HttpHeaderName: condition.name, Values: condition.values } };
      case 'http-request-method':
        return { Field, HttpRequestMethodConfig: { Values: condition.values } };
      case 'source-ip':
        return { Field, SourceIpConfig: { Values: condition.values } };
      case 'query-string':
        return { Field, QueryStringConfig: { Values: condition.values.map(({ key, value }) => ({ ...(key === null ? {} : { Key: key }), Value: value })) } }; // prettier-ignore
    }
  });
}
