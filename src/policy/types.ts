/** What the evaluator is asked and what it answers. Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements". */

/** Values of condition keys by the key's name in lower case; a list where the key may have several values. A map is one. */
export type Facts = Pick<ReadonlyMap<string, string | readonly string[]>, 'get'>;

/** Who asks, as the Principal element of a resource's policy sees it. */
export type Asker =
  /** `arn`: the user's, or of a session its own (`arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`); `roleArn`: the role behind a session. */
  | { kind: 'aws'; account: string; arn: string; roleArn?: string }
  /** `ecs-tasks.amazonaws.com` */
  | { kind: 'service'; service: string };

export type PolicyRequest = {
  /** `ecs:RunTask` */
  action: string;
  /** An ARN, or `*` where the action has no resources. */
  resource: string;
  facts: Facts;
};

/** A policy made ready: patterns cut up, operators looked up, addresses parsed. */
export type CompiledPolicy = {
  statements: readonly CompiledStatement[];
  /** `action` is in lower case. */
  about(action: string): Relevant;
};

/** What of a policy is about one action. */
export type Relevant = {
  /** Those whose Action covers it, in their order. */
  statements: readonly CompiledStatement[];
  /** All condition keys that these ask about, in lower case. */
  keys: readonly string[];
};

export type CompiledStatement = {
  sid: string | undefined;
  deny: boolean;
  /** `action` is in lower case. */
  action(action: string): boolean;
  /** null where any will do. */
  resource: ((resource: ArnParts, facts: Facts) => boolean) | null;
  conditions: readonly ((facts: Facts) => boolean)[];
  /** The condition keys that it asks about, in conditions and in variables, in lower case. */
  keys: readonly string[];
  /** In policies of resources only. */
  principal: ((asker: Asker) => PrincipalMatch) | null;
};

/**
 * `account`: the account is trusted, whose own policies must allow it too. `role`: the role behind the caller's session is, which its boundary and
 * the session's policies still limit. `exact`: the very caller is (a user, a session), or everybody.
 */
export type PrincipalMatch = 'none' | 'account' | 'role' | 'exact';

/** An ARN's six parts; one part for anything else. */
export type ArnParts = readonly string[];

/** All that bears on a call. */
export type PolicySet = {
  /** Of the user or role: inline and managed ones. */
  identity: readonly CompiledPolicy[];
  /** Its permissions boundary. */
  boundary: CompiledPolicy | null;
  /** What was given at AssumeRole: null when nothing was. */
  session: readonly CompiledPolicy[] | null;
};

export type PolicyKind = 'identity' | 'boundary' | 'session' | 'resource';

/** `explicit`: a Deny said so; else nothing of that kind allows it. */
export type Decision = { allowed: true } | { allowed: false; explicit: boolean; kind: PolicyKind };
