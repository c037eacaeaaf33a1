/** AssumeRole: temporary credentials of a role that trusts the caller. */
import type { AssumeRoleRequest, AssumeRoleResponse, Tag } from '@aws-sdk/client-sts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { parseRoleArn, type RoleRecord } from '#domain/iam.ts';
import { clip, constraintText } from '#domain/names.ts';
import { requestTags, resourceTags } from '#gateway/access.ts';
import type { CallContext, Operation, OwnFacts } from '#gateway/types.ts';
import { findRole, managedDocument, rolePrincipal, type Identity } from '#identity/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { parsePolicy } from '#policy/index.ts';

export type StsDeps = Pick<IntentDeps, 'store'> & { clock: Clock; identity: Identity };

const SECONDS_MIN = 900;
const SECONDS_MAX = 43_200;
const CHAINED_MAX = 3600;
const POLICY_MAX = 2048;
const POLICIES_MAX = 10;
const TAGS_MAX = 50;

export function assumeRole({ store, clock, identity }: StsDeps): Operation<AssumeRoleRequest, AssumeRoleResponse> {
  return {
    name: 'AssumeRole',
    action: 'sts:AssumeRole',
    resources: ({ RoleArn }) => [RoleArn ?? '*'],
    // The role's own policy has a say.
    open: true,
    async handle(input, context) {
      const arn = input.RoleArn ?? '';
      const seconds = checked(input);
      const role = await store.read((tx) => findRole(tx, arn));
      if (role === undefined) throw denied(context, 'sts:AssumeRole', arn);
      assertSourceIdentity(input, context);
      const sourceIdentity = input.SourceIdentity ?? context.principal.session?.sourceIdentity ?? null;
      for (const action of actionsOf(input, sourceIdentity)) await assertAssumable(role, action, input, context);
      assertDuration(role, seconds, input, context);
      const made = identity.mint({
        ...rolePrincipal(role, input.RoleSessionName ?? ''),
        seconds,
        policies: await sessionPolicies(input),
        tags: Object.fromEntries((input.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
        sourceIdentity,
      });
      return {
        Credentials: credentialsView(made),
        AssumedRoleUser: { AssumedRoleId: made.principal.userId, Arn: made.principal.arn },
        ...(sourceIdentity === null ? {} : { SourceIdentity: sourceIdentity }),
      };
    },
  };

  async function assertAssumable(role: RoleRecord, action: string, input: AssumeRoleRequest, context: CallContext): Promise<void> {
    const { principal, region, sourceIp, userAgent } = context;
    const call = { now: clock.now, region, sourceIp, userAgent, secure: false };
    const resource = input.RoleArn ?? '';
    const { decision } = await identity.judgeAssume(role, {
      principal,
      action,
      resource,
      call,
      facts: factsOf(role, input, principal.session?.sourceIdentity),
    });
    if (!decision.allowed) throw denied(context, action, resource);
  }

  async function sessionPolicies({ Policy, PolicyArns }: AssumeRoleRequest): Promise<string[] | null> {
    if (Policy === undefined && PolicyArns === undefined) return null;
    const managed = await store.read((tx) => Promise.all((PolicyArns ?? []).map(({ arn }) => managedDocument(tx, arn ?? ''))));
    const all = [...(Policy === undefined ? [] : [Policy]), ...managed];
    for (const text of all) parsePolicy(text, 'identity');
    return all;
  }
}

export function credentialsView(made: { accessKeyId: string; secretAccessKey: string; sessionToken: string; expiresAt: number }) {
  return {
    AccessKeyId: made.accessKeyId,
    SecretAccessKey: made.secretAccessKey,
    SessionToken: made.sessionToken,
    Expiration: new Date(made.expiresAt),
  };
}

/** The texts of STS for members that don't hold what the model asks for. */
export function constraint(member: string, value: unknown, what: string): Fault {
  return new Fault('InvalidParameter', constraintText(String(value), member, what)); // prettier-ignore
}

/** How long the session is to be. */
function checked(input: AssumeRoleRequest): number {
  const { RoleArn: arn = '', RoleSessionName: name = '', DurationSeconds: seconds = 3600 } = input;
  if (parseRoleArn(arn) === undefined) throw new Fault('InvalidParameter', `${clip(arn)} is invalid`);
  if (!/^[\w+=,.@-]*$/.test(name)) throw constraint('roleSessionName', name, 'satisfy regular expression pattern: [\\w+=,.@-]*');
  if (name.length < 2) throw constraint('roleSessionName', name, 'have length greater than or equal to 2');
  if (name.length > 64) throw constraint('roleSessionName', name, 'have length less than or equal to 64');
  assertText('sourceIdentity', input.SourceIdentity, { max: 64, pattern: /^[\w+=,.@-]*$/ });
  assertText('externalId', input.ExternalId, { max: 1224, pattern: /^[\w+=,.@:/-]*$/ });
  assertTags(input.Tags ?? []);
  assertSeconds(seconds, SECONDS_MAX);
  if (input.SerialNumber !== undefined || input.TokenCode !== undefined) throw new Fault('AccessDenied', 'MultiFactorAuthentication failed with invalid MFA one time pass code. '); // prettier-ignore
  if ((input.TransitiveTagKeys ?? []).length > 0)
    throw new Fault('Unsupported', 'berth does not implement TransitiveTagKeys of AssumeRole yet.');
  if ((input.Policy?.length ?? 0) > POLICY_MAX) throw constraint('policy', '...', `have length less than or equal to ${POLICY_MAX}`);
  if ((input.PolicyArns?.length ?? 0) > POLICIES_MAX)
    throw constraint('policyArns', '...', `have length less than or equal to ${POLICIES_MAX}`);
  return seconds;
}

function assertText(member: string, text: string | undefined, { max, pattern }: { max: number; pattern: RegExp }): void {
  if (text === undefined) return;
  if (!pattern.test(text)) throw constraint(member, text, `satisfy regular expression pattern: ${pattern.source.slice(1, -1)}`);
  if (text.length < 2) throw constraint(member, text, 'have length greater than or equal to 2');
  if (text.length > max) throw constraint(member, text, `have length less than or equal to ${max}`);
}

/** As AWS's own are bounded (STS API reference, `Tag`); keys are the same in any letters. */
function assertTags(tags: readonly Tag[]): void {
  if (tags.length > TAGS_MAX) throw constraint('tags', '...', `have length less than or equal to ${TAGS_MAX}`);
  tags.forEach(({ Key: key = '', Value: value = '' }, i) => {
    if (key === '' || key.length > 128) throw constraint(`tags.${i + 1}.member.key`, key, 'have length between 1 and 128');
    if (value.length > 256) throw constraint(`tags.${i + 1}.member.value`, value, 'have length less than or equal to 256');
    if (/^aws:/i.test(key))
      throw new Fault('InvalidParameter', `Tag keys that begin with 'aws:' are reserved; '${clip(key)}' can't be set.`);
  });
  if (new Set(tags.map(({ Key }) => Key?.toLowerCase())).size === tags.length) return;
  throw new Fault('InvalidParameter', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.', {
    details: { errorName: 'InvalidParameterValue' },
  });
}

export function assertSeconds(seconds: number, max: number): void {
  if (seconds < SECONDS_MIN) throw constraint('durationSeconds', seconds, `have value greater than or equal to ${SECONDS_MIN}`);
  if (seconds > max) throw constraint('durationSeconds', seconds, `have value less than or equal to ${max}`);
}

function assertDuration(role: RoleRecord, seconds: number, input: AssumeRoleRequest, { principal }: CallContext): void {
  if (principal.actor?.kind === 'role' && (input.DurationSeconds ?? 0) > CHAINED_MAX) {
    throw new Fault(
      'InvalidParameter',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  if (seconds > role.maxSessionSeconds) {
    throw new Fault('InvalidParameter', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
}

/** Once set it stays, through all roles that are assumed from there (IAM user guide, "Monitor and control actions taken with assumed roles"). */
function assertSourceIdentity({ SourceIdentity: wanted, RoleArn: arn = '' }: AssumeRoleRequest, context: CallContext): void {
  const present = context.principal.session?.sourceIdentity ?? null;
  if (wanted !== undefined && present !== null && wanted !== present) throw denied(context, 'sts:SetSourceIdentity', arn);
}

/** Tags and a source identity, also one from a role before, each need a permission of their own. */
function actionsOf({ Tags }: AssumeRoleRequest, sourceIdentity: string | null): string[] {
  return [
    'sts:AssumeRole',
    ...((Tags ?? []).length > 0 ? ['sts:TagSession'] : []),
    ...(sourceIdentity === null ? [] : ['sts:SetSourceIdentity']),
  ];
}

function factsOf(role: RoleRecord, input: AssumeRoleRequest, former: string | null | undefined): OwnFacts {
  const facts: OwnFacts = {
    ...resourceTags(role.tags, 'iam'),
    ...requestTags(input.Tags),
    'sts:RoleSessionName': input.RoleSessionName ?? '',
  };
  if (input.ExternalId !== undefined) facts['sts:ExternalId'] = input.ExternalId;
  const sourceIdentity = input.SourceIdentity ?? former ?? null;
  if (sourceIdentity !== null) facts['sts:SourceIdentity'] = sourceIdentity;
  return facts;
}

/** STS never says why: it would tell of a role that isn't the caller's. */
function denied({ principal }: CallContext, action: string, arn: string): Fault {
  return new Fault('AccessDenied', `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${arn}`);
}
