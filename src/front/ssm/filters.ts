/** Which parameters a filter means. Source: Systems Manager API reference, "ParameterStringFilter". */
import type { ParameterStringFilter } from '@aws-sdk/client-ssm';
import { clip } from '#domain/names.ts';
import type { ParameterRecord } from '#domain/parameter.ts';
import { parameterFault } from '#intent/index.ts';

export type Test = (parameter: ParameterRecord) => boolean;
export type Filter = { key: string; option: string | undefined; values: string[] };

export const readFilters = (filters: readonly ParameterStringFilter[] | undefined): Filter[] =>
  (filters ?? []).map(({ Key = '', Option, Values = [] }) => ({ key: Key, option: Option, values: Values }));

/** `allowed`: keys that the operation takes. Throws InvalidFilterKey, InvalidFilterOption, InvalidFilterValue. */
export function testsOf(filters: readonly Filter[], allowed: readonly string[]): Test[] {
  const seen = new Set<string>();
  return filters.map((filter) => {
    const { key, values } = filter;
    const isTag = key.startsWith('tag:') && key.length > 4 && allowed.includes('tag');
    if (!isTag && (key === 'tag' || !allowed.includes(key))) {
      throw parameterFault('InvalidFilterKey', `The filter key '${clip(key)}' can't be used here: use one of ${allowed.join(', ')}.`);
    }
    if (seen.has(key)) throw parameterFault('InvalidFilterKey', `The filter key '${clip(key)}' is there twice.`);
    seen.add(key);
    if (values.length > 50 || (values.length === 0 && !isTag)) {
      throw parameterFault('InvalidFilterValue', `The filter '${clip(key)}' takes 1 to 50 values; it has ${values.length}.`);
    }
    return isTag ? tagTest(filter) : testOf(filter);
  });
}

function tagTest({ key, option, values }: Filter): Test {
  assertOption(key, option, ['Equals']);
  const name = key.slice('tag:'.length);
  return ({ tags }) => tags.some((tag) => tag.key === name && (values.length === 0 || values.includes(tag.value)));
}

const members: Record<string, (parameter: ParameterRecord) => string> = {
  Type: ({ type }) => type,
  Tier: ({ tier }) => tier,
  DataType: ({ dataType }) => dataType,
  KeyId: ({ type }) => (type === 'SecureString' ? 'alias/aws/ssm' : ''),
};

function testOf({ key, option, values }: Filter): Test {
  if (key === 'Path') {
    const how = assertOption(key, option, ['Recursive', 'OneLevel'], 'OneLevel');
    return ({ key: { name } }) => values.some((path) => isUnder(name, path, how === 'Recursive'));
  }
  if (key === 'Label') {
    assertOption(key, option, ['Equals']);
    return ({ labels }) => values.some((label) => labels[label] !== undefined);
  }
  if (key === 'Name') {
    const how = assertOption(key, option, ['Equals', 'BeginsWith', 'Contains']);
    return ({ key: { name } }) => values.some((value) => compare(name, value, how));
  }
  const member = members[key];
  const how = assertOption(key, option, key === 'KeyId' ? ['Equals', 'BeginsWith'] : ['Equals']);
  return (parameter) => member !== undefined && values.some((value) => compare(member(parameter), value, how));
}

function compare(text: string, value: string, how: string): boolean {
  if (how === 'BeginsWith') return text.startsWith(value) || text.startsWith(`/${value}`);
  if (how === 'Contains') return text.includes(value);
  return text === value;
}

function assertOption(key: string, option: string | undefined, allowed: readonly string[], usual = 'Equals'): string {
  const given = option ?? usual;
  if (allowed.includes(given)) return given;
  throw parameterFault(
    'InvalidFilterOption',
    `The filter option '${clip(given)}' of ${clip(key)} is not valid: use ${allowed.join(' or ')}.`,
  );
}

/** A name without a slash is on the first level. */
export function isUnder(name: string, path: string, recursive: boolean): boolean {
  const full = name.startsWith('/') ? name : `/${name}`;
  const above = path.endsWith('/') ? path : `${path}/`;
  return full.startsWith(above) && (recursive || !full.slice(above.length).includes('/'));
}
