/** Secrets of Secrets Manager and the rules of their staging labels. Source: Secrets Manager API reference, version 2017-10-17. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export const CURRENT = 'AWSCURRENT';
export const PREVIOUS = 'AWSPREVIOUS';

export type SecretRecord = {
  key: Scope & { name: string };
  revision: number;
  /** Six letters at the end of its ARN: others for each life of a name. */
  suffix: string;
  description: string | null;
  createdAt: number;
  changedAt: number;
  /** Midnight (UTC) of the day on which a value was last read. */
  accessedAt: number | null;
  /** Set while it waits to be removed. */
  deletion: { at: number; due: number } | null;
  tags: Tag[];
  /** Its resource policy, as it was written. */
  policy: string | null;
  stages: Stages;
};

/** Staging label -> id of the one version that has it. A version without any is deprecated. */
export type Stages = Record<string, string>;

export type SecretVersionRecord = {
  /** `secret`: `NAME-SUFFIX`. */
  key: Scope & { secret: string; id: string };
  revision: number;
  createdAt: number;
  isBinary: boolean;
  /** Encrypted by the vault, in the context `secretContext`. */
  value: string;
};

type Named = Pick<SecretRecord, 'key' | 'suffix'>;
export const secretIdOf = ({ key, suffix }: Named) => `${key.name}-${suffix}`;
export const secretArn = ({ account, region }: Scope, rest: string) => `arn:aws:secretsmanager:${region}:${account}:secret:${rest}`;
export const arnOfSecret = (secret: Named) => secretArn(secret.key, secretIdOf(secret));

export const secretContext = ({ account, region, secret, id }: SecretVersionRecord['key']) => ({
  purpose: 'secret',
  id: `${account}/${region}/${secret}/${id}`,
});

/** Labels of a version, sorted. */
export const stagesOf = (stages: Stages, version: string): string[] =>
  Object.keys(stages)
    .filter((stage) => stages[stage] === version)
    .toSorted();

/** A version gets these labels; one that loses AWSCURRENT by it gets AWSPREVIOUS. The first version of all is the current one. */
export function attachStages(stages: Stages, version: string, wished: readonly string[]): Stages {
  const isFirst = stages[CURRENT] === undefined;
  return [...new Set([...wished, ...(isFirst ? [CURRENT] : [])])].reduce((all, stage) => moveStage(all, stage, version), stages);
}

/** AWSPREVIOUS follows AWSCURRENT: it is on the version that was current before. */
export function moveStage(stages: Stages, stage: string, version: string): Stages {
  const before = stages[CURRENT];
  const moved = { ...stages, [stage]: version };
  return stage === CURRENT && before !== undefined && before !== version ? { ...moved, [PREVIOUS]: before } : moved;
}

export function dropStage(stages: Stages, stage: string): Stages {
  return Object.fromEntries(Object.entries(stages).filter(([name]) => name !== stage));
}

/** Deprecated versions past `keep`, the oldest first. */
export function surplusVersions(stages: Stages, versions: readonly SecretVersionRecord[], keep: number): SecretVersionRecord[] {
  const named = new Set(Object.values(stages));
  const deprecated = versions.filter((version) => !named.has(version.key.id)).toSorted((a, b) => a.createdAt - b.createdAt);
  return deprecated.slice(0, Math.max(0, versions.length - keep));
}
