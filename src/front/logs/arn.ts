/** Names of log groups and streams: ARNs, and the identifiers that callers give instead of names. */
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';

/** `*` stands for every group. */
export function groupArn({ account, region }: Scope, name: string): string {
  return `arn:aws:logs:${region}:${account}:log-group:${name}`;
}

export function streamArn(scope: Scope, group: string, stream: string): string {
  return `${groupArn(scope, group)}:log-stream:${stream}`;
}

/** The group that a call names by `logGroupName` or by `logGroupIdentifier` (name or ARN): one of the two. */
export function groupNameOf(input: { logGroupName?: string | undefined; logGroupIdentifier?: string | undefined }, scope: Scope): string {
  const { logGroupName, logGroupIdentifier } = input;
  if ((logGroupName === undefined) === (logGroupIdentifier === undefined)) {
    throw new Fault('InvalidParameter', 'Exactly one of logGroupName and logGroupIdentifier must be given.');
  }
  return logGroupName ?? nameOfIdentifier(logGroupIdentifier ?? '', scope);
}

/** A name, or the name in an ARN of this account and region. */
export function nameOfIdentifier(identifier: string, scope: Scope): string {
  return identifier.startsWith('arn:') ? nameOfArn(identifier, scope) : identifier;
}

/** Throws ResourceNotFound for an ARN of elsewhere, InvalidParameter for what is no log group's ARN. */
export function nameOfArn(arn: string, scope: Scope): string {
  const [, region, account, name] = /^arn:aws:logs:([^:]*):([^:]*):log-group:([^:]+)(?::\*)?$/.exec(arn) ?? [];
  if (name === undefined) throw new Fault('InvalidParameter', `Invalid resource ARN: '${arn.slice(0, 200)}' is not a log group's.`);
  if (region !== scope.region || account !== scope.account) {
    throw new Fault('ResourceNotFound', 'The specified log group does not exist.');
  }
  return name;
}
