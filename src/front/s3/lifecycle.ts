/** Lifecycle configurations: what expires objects and ends uploads that nobody completes. Classes of storage, and so transitions to them, are not here. */
import type {
  DeleteBucketLifecycleCommandInput,
  GetBucketLifecycleConfigurationCommandInput,
  GetBucketLifecycleConfigurationOutput,
  LifecycleRule as GivenRule,
  LifecycleRuleFilter,
  PutBucketLifecycleConfigurationCommandInput,
} from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import { s3Fault, type LifecycleFilter, type LifecycleRule } from '#objects/index.ts';
import { invalid, notHere, ownBucket, s3Operation, type S3Deps } from './operation.ts';
import { readTags, tagView } from './tags.ts';

const DAY_MS = 86_400_000;
const SIZES = ['all_storage_classes_128K', 'varies_by_storage_class'] as const;

export function lifecycleOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('PutBucketLifecycleConfiguration', async (input: PutBucketLifecycleConfigurationCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      const given = input.LifecycleConfiguration?.Rules ?? [];
      if (given.length === 0 || given.length > limits.lifecycleRules) throw malformed();
      const rules = given.map(readRule);
      const ids = rules.map(({ id }) => id);
      if (new Set(ids).size !== ids.length) throw invalid('Rule ID must be unique. Found same ID for more than one rule');
      const size = input.TransitionDefaultMinimumObjectSize ?? SIZES[0];
      if (!SIZES.includes(size))
        throw invalid('Invalid TransitionDefaultMinimumObjectSize found', 'TransitionDefaultMinimumObjectSize', size);
      deps.objects.changeBucket(name, { lifecycle: { rules, transitionSize: size } });
      return { TransitionDefaultMinimumObjectSize: size };
    }),
    s3Operation('GetBucketLifecycleConfiguration', async (input: GetBucketLifecycleConfigurationCommandInput, context) => {
      const { name, lifecycle } = ownBucket(deps, context, input);
      if (!lifecycle) throw s3Fault('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist', { BucketName: name });
      const transitionSize = lifecycle.transitionSize as GetBucketLifecycleConfigurationOutput['TransitionDefaultMinimumObjectSize'];
      return { Rules: lifecycle.rules.map(ruleView), TransitionDefaultMinimumObjectSize: transitionSize };
    }),
    s3Operation('DeleteBucketLifecycle', async (input: DeleteBucketLifecycleCommandInput, context) => {
      deps.objects.changeBucket(ownBucket(deps, context, input).name, { lifecycle: null });
      return {};
    }),
  ];
}

const malformed = () =>
  s3Fault('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
const invalidRequest = (message: string) => s3Fault('InvalidRequest', message);

function readRule(given: GivenRule, index: number): LifecycleRule {
  const { Status, Expiration, AbortIncompleteMultipartUpload: abort, NoncurrentVersionExpiration: noncurrent } = given;
  if ((given.Transitions?.length ?? 0) > 0 || (given.NoncurrentVersionTransitions?.length ?? 0) > 0)
    throw notHere('transitions to other storage classes');
  if (Status !== 'Enabled' && Status !== 'Disabled') throw malformed();
  const id = given.ID || `rule-${index + 1}`;
  if (id.length > 255) throw invalid('ID length should not exceed allowed limit of 255');
  const filter = readFilter(given);
  const expiration = readExpiration(Expiration);
  const deleteMarkers = Expiration?.ExpiredObjectDeleteMarker ?? null;
  if (expiration === null && deleteMarkers === null && abort === undefined && noncurrent === undefined) {
    throw invalidRequest('At least one action needs to be specified in a rule');
  }
  if (abort !== undefined) {
    if (filter.tags.length > 0) throw invalidRequest('AbortIncompleteMultipartUpload cannot be specified with Tags');
    if (filter.largerThan !== null || filter.smallerThan !== null) throw invalidRequest('AbortIncompleteMultipartUpload cannot be specified with Object Size'); // prettier-ignore
  }
  if (deleteMarkers !== null && filter.tags.length > 0) throw invalidRequest('ExpiredObjectDeleteMarker cannot be specified with Tags');
  return {
    id,
    enabled: Status === 'Enabled',
    filter,
    expiration,
    deleteMarkers,
    abortDays: abort === undefined ? null : positive('DaysAfterInitiation', 'AbortIncompleteMultipartUpload', abort.DaysAfterInitiation),
    noncurrent: noncurrent === undefined ? null : {
      days: positive('NoncurrentDays', 'NoncurrentVersionExpiration', noncurrent.NoncurrentDays),
      newer: noncurrent.NewerNoncurrentVersions ?? null,
    },
  }; // prettier-ignore
}

function positive(member: string, action: string, value: number | undefined): number {
  if (value === undefined) throw malformed();
  if (!Number.isInteger(value) || value < 1 || value > 2_147_483_647) throw invalid(`'${member}' for ${action} action must be a positive integer`); // prettier-ignore
  return value;
}

function readExpiration(given: GivenRule['Expiration']): LifecycleRule['expiration'] {
  if (given === undefined) return null;
  const { Days, Date: date, ExpiredObjectDeleteMarker: marker } = given;
  if ([Days, date, marker].filter((one) => one !== undefined).length !== 1) throw malformed();
  if (Days !== undefined) return { days: positive('Days', 'Expiration', Days) };
  if (date === undefined) return null;
  if (date.getTime() % DAY_MS !== 0) throw invalid("'Date' must be at midnight GMT");
  return { at: date.getTime() };
}

/** A filter has one of its members, or `And` with several; rules of old have a prefix of their own. */
function readFilter({ Prefix, Filter }: GivenRule): LifecycleFilter {
  if ((Prefix === undefined) === (Filter === undefined)) throw malformed();
  const none = { prefix: null, tags: [], largerThan: null, smallerThan: null };
  if (Filter === undefined) return { ...none, form: 'rule', prefix: Prefix ?? '' };
  const { And: and, Tag: tag, ...alone } = Filter;
  const named = [and, tag, ...Object.values(alone)].filter((one) => one !== undefined).length;
  if (named > 1) throw malformed();
  const { Prefix: prefix = null, ObjectSizeGreaterThan: largerThan = null, ObjectSizeLessThan: smallerThan = null } = and ?? alone;
  const tags = readTags(and?.Tags ?? (tag === undefined ? [] : [tag]), limits.objectTags);
  if (and !== undefined && tags.length + [prefix, largerThan, smallerThan].filter((one) => one !== null).length < 2) throw malformed();
  if ((largerThan ?? 0) < 0 || (smallerThan ?? 1) < 1)
    throw invalid("'ObjectSizeGreaterThan' and 'ObjectSizeLessThan' must not be negative");
  if (largerThan !== null && smallerThan !== null && largerThan >= smallerThan) {
    throw invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'");
  }
  return { form: and === undefined ? 'filter' : 'and', prefix, tags, largerThan, smallerThan };
}

function ruleView(rule: LifecycleRule): GivenRule {
  const { expiration, deleteMarkers, abortDays, noncurrent, filter } = rule;
  const ends = expiration !== null || deleteMarkers !== null;
  return {
    ID: rule.id,
    Status: rule.enabled ? 'Enabled' : 'Disabled',
    ...(filter.form === 'rule' ? { Prefix: filter.prefix ?? '' } : { Filter: filterView(filter) }),
    ...(ends && { Expiration: { ...(expiration !== null && ('days' in expiration ? { Days: expiration.days } : { Date: new Date(expiration.at) })), ...(deleteMarkers !== null && { ExpiredObjectDeleteMarker: deleteMarkers }) } }), // prettier-ignore
    ...(abortDays !== null && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortDays } }),
    ...(noncurrent !== null && { NoncurrentVersionExpiration: { NoncurrentDays: noncurrent.days, ...(noncurrent.newer !== null && { NewerNoncurrentVersions: noncurrent.newer }) } }), // prettier-ignore
  };
}

function filterView({ form, prefix, tags, largerThan, smallerThan }: LifecycleFilter): LifecycleRuleFilter {
  const sized = {
    ...(prefix !== null && { Prefix: prefix }),
    ...(largerThan !== null && { ObjectSizeGreaterThan: largerThan }),
    ...(smallerThan !== null && { ObjectSizeLessThan: smallerThan }),
  };
  if (form === 'and') return { And: { ...sized, ...(tags.length > 0 && { Tags: tagView(tags) }) } };
  const [tag] = tagView(tags);
  return { ...sized, ...(tag !== undefined && { Tag: tag }) };
}
