/** Parameters of SSM Parameter Store. Source: Systems Manager API reference, version 2014-11-06, "PutParameter". */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type ParameterType = 'String' | 'StringList' | 'SecureString';
export type ParameterTier = 'Standard' | 'Advanced';

/** What each version has of its own. */
export type ParameterContent = {
  type: ParameterType;
  tier: ParameterTier;
  description: string | null;
  allowedPattern: string | null;
  dataType: string;
  modifiedAt: number;
  /** ARN of who wrote it. */
  modifiedBy: string;
};

/** `version`: the newest. `labels`: label -> version. */
export type ParameterRecord = ParameterContent & {
  key: Scope & { name: string };
  revision: number;
  version: number;
  labels: Record<string, number>;
  tags: Tag[];
};

export type ParameterVersionRecord = ParameterContent & {
  key: Scope & { name: string; version: number };
  revision: number;
  /** Encrypted by the vault, in the context `parameterContext`; whatever its type. */
  value: string;
};

export const parameterContext = ({ account, region, name, version }: ParameterVersionRecord['key']) => ({
  purpose: 'parameter',
  id: `${account}/${region}/${name}/${version}`,
});

/** A name that begins with a slash shares it with the ARN's own. */
export const parameterArn = ({ account, region }: Scope, name: string) =>
  `arn:aws:ssm:${region}:${account}:parameter${name.startsWith('/') ? '' : '/'}${name}`;

/** `NAME`, or an ARN of it, with `:VERSION` or `:LABEL` behind it. `arn`: what of it is one; null for a plain name. */
export type ParameterSelector = { name: string; selector: string | null; arn: { account: string; region: string } | null };

const ARN = /^arn:aws:ssm:([^:]+):(\d{12}):parameter(\/[^:]+)(?::([^:]+))?$/;

/** undefined: it can't be either. */
export function parseParameterSelector(text: string): ParameterSelector | undefined {
  if (text.startsWith('arn:')) {
    const [, region, account, path, selector = null] = ARN.exec(text) ?? [];
    if (region === undefined || account === undefined || path === undefined) return undefined;
    // Of `/name` nobody can tell whether the parameter is `name` or `/name`: a name of one level may be written both ways.
    return { name: path, selector, arn: { account, region } };
  }
  const [name = '', selector = null, ...more] = text.split(':');
  return name === '' || more.length > 0 || selector === '' ? undefined : { name, selector, arn: null };
}

/** The version that a selector names; undefined when there is none. */
export function selectedVersion(parameter: ParameterRecord, selector: string | null): number | undefined {
  if (selector === null) return parameter.version;
  return /^\d+$/.test(selector) ? Number(selector) : parameter.labels[selector];
}

export const labelsOf = ({ labels }: Pick<ParameterRecord, 'labels'>, version: number): string[] =>
  Object.keys(labels)
    .filter((label) => labels[label] === version)
    .toSorted();
