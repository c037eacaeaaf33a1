/**
 * Lifecycle policies: which images of a repository expire. Source: ECR user guide, "Lifecycle policy properties" and "How a lifecycle policy works". Pure: what
 * is due is decided from the images, their tags and the time.
 */
import { Fault } from '#base/fault.ts';
import { matchesWildcard, type EcrImageRecord } from './ecr.ts';

export type LifecycleRule = {
  priority: number;
  tagStatus: 'tagged' | 'untagged' | 'any';
  /** Patterns with `*`; an image needs a tag for each of them. */
  patterns: string[];
  count: { type: 'imageCountMoreThan' | 'sinceImagePushed' | 'sinceImagePulled'; number: number };
};

export type LifecycleImage = Pick<EcrImageRecord, 'pushedAt' | 'pulledAt' | 'children' | 'subject'> & { digest: string; tags: string[] };
export type Expiry = { digest: string; priority: number };

const DAY_MS = 24 * 3600_000;
const TEXT_CHARS = 30_720;

const invalid = (why: string): Fault =>
  new Fault(
    'InvalidParameter',
    `Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ${why}'`,
    { details: { errorName: 'InvalidParameterException' } },
  );

type Raw = Record<string, unknown>;
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);

/** In order of priority. Throws InvalidParameter. */
export function parseLifecycle(text: string): LifecycleRule[] {
  if (text.length < 100 || text.length > TEXT_CHARS) throw invalid(`the text must have 100 to ${TEXT_CHARS} characters`);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw invalid('the text is not JSON');
  }
  const list = isRaw(raw) ? raw['rules'] : undefined;
  if (!Array.isArray(list) || list.length === 0 || list.length > 50)
    throw invalid('object has missing required properties (["rules"]) or not 1 to 50 rules');
  const rules = list.map(parseRule).toSorted((a, b) => a.priority - b.priority);
  if (new Set(rules.map(({ priority }) => priority)).size !== rules.length) throw invalid('each rule needs a rulePriority of its own');
  const any = rules.filter(({ tagStatus }) => tagStatus === 'any');
  if (any.length > 1 || (any[0] !== undefined && any[0] !== rules.at(-1))) {
    throw invalid("only one rule may have tagStatus 'any', and it must have the highest rulePriority");
  }
  return rules;
}

function parseRule(raw: unknown): LifecycleRule {
  if (!isRaw(raw)) throw invalid('a rule is not an object');
  const { rulePriority: priority, selection, action } = raw;
  if (typeof priority !== 'number' || !Number.isInteger(priority) || priority < 1)
    throw invalid('rulePriority must be an integer of at least 1');
  if (!isRaw(action) || action['type'] !== 'expire')
    throw invalid(`the action of rule ${priority} must be expire; others are not served here`);
  if (!isRaw(selection)) throw invalid(`rule ${priority} has no selection`);
  const { tagStatus, countType: type, countNumber: number, countUnit } = selection;
  if (tagStatus !== 'tagged' && tagStatus !== 'untagged' && tagStatus !== 'any')
    throw invalid(`tagStatus of rule ${priority} must be tagged, untagged or any`);
  if (type !== 'imageCountMoreThan' && type !== 'sinceImagePushed' && type !== 'sinceImagePulled') {
    throw invalid(`countType of rule ${priority} must be imageCountMoreThan, sinceImagePushed or sinceImagePulled`);
  }
  if (type !== 'imageCountMoreThan' && countUnit !== 'days') throw invalid(`countUnit of rule ${priority} must be days`);
  if (type === 'imageCountMoreThan' && countUnit !== undefined) throw invalid(`rule ${priority} counts images: it has no countUnit`);
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1)
    throw invalid(`countNumber of rule ${priority} must be an integer of at least 1`);
  return { priority, tagStatus, patterns: patternsOf(priority, tagStatus, selection), count: { type, number } };
}

function patternsOf(priority: number, tagStatus: string, selection: Raw): string[] {
  const { tagPrefixList: prefixes, tagPatternList: patterns } = selection;
  const given = prefixes ?? patterns;
  if (tagStatus !== 'tagged') {
    if (given !== undefined) throw invalid(`rule ${priority} has a list of tags, and its tagStatus is ${tagStatus}`);
    return [];
  }
  const isList = Array.isArray(given) && given.length > 0 && given.every((one) => typeof one === 'string' && one !== '');
  if (!isList || (prefixes !== undefined && patterns !== undefined))
    throw invalid(`rule ${priority} needs one of tagPrefixList and tagPatternList`);
  const texts = given as string[];
  if (texts.some((one) => one.split('*').length > 5)) throw invalid(`a pattern of rule ${priority} has more than four wildcards`);
  return prefixes === undefined ? texts : texts.map((prefix) => `${prefix}*`);
}

/**
 * An image that a rule's selection fits is decided by that rule, whatever those behind it say. What an index that stays still names, and what only speaks of
 * another image (`subject`), is none of the policy's; the latter goes with what it speaks of.
 */
export function expiredImages(images: readonly LifecycleImage[], rules: readonly LifecycleRule[], now: number): Expiry[] {
  const named = new Set(images.flatMap(({ children }) => children));
  const candidates = images
    .filter(({ digest, subject }) => subject === null && !named.has(digest))
    .toSorted((a, b) => b.pushedAt - a.pushedAt || (a.digest < b.digest ? -1 : 1));
  const decided = new Set<string>();
  const expired: Expiry[] = [];
  for (const { priority, tagStatus, patterns, count } of rules) {
    const fits = candidates.filter(({ tags }) => selects(tagStatus, patterns, tags));
    const due = fits.filter((image, place) => isDue(count, image, place, now));
    expired.push(...due.filter(({ digest }) => !decided.has(digest)).map(({ digest }) => ({ digest, priority })));
    for (const { digest } of fits) decided.add(digest);
  }
  const gone = new Set(expired.map(({ digest }) => digest));
  const priorityOf = new Map(expired.map(({ digest, priority }) => [digest, priority]));
  for (const { digest, subject } of images) {
    if (subject !== null && gone.has(subject) && !gone.has(digest) && !named.has(digest))
      expired.push({ digest, priority: priorityOf.get(subject) ?? 0 });
  }
  return expired;
}

function selects(tagStatus: LifecycleRule['tagStatus'], patterns: string[], tags: string[]): boolean {
  if (tagStatus === 'any') return true;
  if (tagStatus === 'untagged') return tags.length === 0;
  return tags.length > 0 && patterns.every((pattern) => tags.some((tag) => matchesWildcard(pattern, tag)));
}

/** `place`: among those that the selection fits, the newest first. */
function isDue({ type, number }: LifecycleRule['count'], image: LifecycleImage, place: number, now: number): boolean {
  if (type === 'imageCountMoreThan') return place >= number;
  const since = type === 'sinceImagePulled' ? (image.pulledAt ?? image.pushedAt) : image.pushedAt;
  return now - since > number * DAY_MS;
}
