/** Who calls, and whether they may. */
import type { Principal } from '#domain/records.ts';
import type { Decision } from '#policy/index.ts';

/** What is known of the call itself. `now`: ms since the epoch, asked where a policy does. */
export type CallFacts = { now(): number; region: string; sourceIp: string; userAgent: string; secure: boolean };

/** The operation's own condition keys. */
export type OwnFacts = Record<string, string | string[]>;

/** An ARN, or one with another form of it (`alias`), condition keys, further ones that have to be looked up (`about`), and a policy of its own. */
export type Touched = string | { arn: string; alias?: string; facts?: OwnFacts; about?(): Promise<OwnFacts>; policy?: string };

export type Question = { principal: Principal; action: string; resource: string; call: CallFacts; facts: OwnFacts };

/** `text`: in AWS's words, for what is denied. */
export type Verdict = { decision: Decision; text: string };
