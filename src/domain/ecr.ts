/** Repositories of berth's own registry as ECR has them (API reference, version 2015-09-21). Desired state, all of it: intent is the only writer. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type Mutability = 'MUTABLE' | 'IMMUTABLE' | 'IMMUTABLE_WITH_EXCLUSION' | 'MUTABLE_WITH_EXCLUSION';

export type RepositoryRecord = {
  key: Scope & { name: string };
  revision: number;
  createdAt: number;
  mutability: Mutability;
  /** Patterns of tags (`*` stands for any text) that are the other way round. */
  exclusions: string[];
  scanOnPush: boolean;
  encryption: { type: string; kmsKey: string | null };
  tags: Tag[];
  /** The repository's own policy, as it was given. */
  policy: string | null;
  /** `evaluatedAt`: when its rules were last acted on; 0 for not yet. */
  lifecycle: { text: string; evaluatedAt: number } | null;
  /** The policy of the last StartLifecyclePolicyPreview. */
  preview: string | null;
};

/** A manifest in a repository: an image, an index of images, or an artifact. Its bytes are a blob of the registry. */
export type EcrImageRecord = {
  key: Scope & { repository: string; digest: string };
  revision: number;
  mediaType: string;
  artifactType: string | null;
  configMediaType: string | null;
  sizeBytes: number;
  /** With its layers and configuration. */
  totalBytes: number;
  pushedAt: number;
  pulledAt: number | null;
  /** Digests of its configuration and layers, and of the manifests that an index names. */
  blobs: string[];
  children: string[];
  /** The manifest that this one speaks of (image-spec 1.1, `subject`). */
  subject: string | null;
  annotations: Record<string, string>;
};

export type EcrTagRecord = { key: Scope & { repository: string; tag: string }; revision: number; digest: string; taggedAt: number };

/** That a repository has a blob: who may pull from one repository learns nothing of what others have. */
export type EcrLayerRecord = {
  key: Scope & { repository: string; digest: string };
  revision: number;
  sizeBytes: number;
  addedAt: number;
} & {
  /** When an image that had it was deleted, after it was added. */
  freedAt?: number;
};

/** `prefix`: of repositories that mirror an outside registry; `ROOT` for all that have no other rule. */
export type PullThroughRecord = {
  key: Scope & { prefix: string };
  revision: number;
  /** As it was given, and without a scheme. */
  upstreamUrl: string;
  upstreamRegistry: string | null;
  /** null: none was given, which means ROOT. */
  upstreamPrefix: string | null;
  credentialArn: string | null;
  createdAt: number;
  updatedAt: number;
};

export const repositoryArn = ({ account, region, name }: Scope & { name: string }): string =>
  `arn:aws:ecr:${region}:${account}:repository/${name}`;

/** The name in a repository's ARN; null for any other text. */
export function repositoryOfArn(arn: string): (Scope & { name: string }) | null {
  const found = /^arn:[\w-]+:ecr:([\w-]+):(\d{12}):repository\/(.+)$/.exec(arn);
  return found === null ? null : { region: found[1] ?? '', account: found[2] ?? '', name: found[3] ?? '' };
}

/** CreateRepository: 2 to 256 characters of these. */
export const REPOSITORY_NAME = /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/** distribution-spec 1.1, "Pulling manifests". */
export const TAG_NAME = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Whether a tag that is there may not be moved. */
export function isImmutableTag({ mutability, exclusions }: Pick<RepositoryRecord, 'mutability' | 'exclusions'>, tag: string): boolean {
  const excluded = mutability.endsWith('_WITH_EXCLUSION') && exclusions.some((pattern) => matchesWildcard(pattern, tag));
  return mutability.startsWith('IMMUTABLE') !== excluded;
}

/** `*` stands for any text, also none. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

/** `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, the address of ECR's registries; null for any other host. */
export function ecrHost(host: string): Scope | null {
  const found = /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/.exec(host);
  return found === null ? null : { account: found[1] ?? '', region: found[2] ?? '' };
}

/** Whether this image's name is one of ECR's private registries. */
export const isEcrImage = (image: string): boolean => ecrHost(image.slice(0, Math.max(0, image.indexOf('/')))) !== null;
