/** The Principal element. Source: IAM user guide, "AWS JSON policy elements: Principal". */
import type { Asker, PrincipalMatch } from './types.ts';

/** `names`: of `AWS`, `Service`, ...; `negated`: NotPrincipal. */
export type PrincipalElement = { names: Record<string, readonly string[]>; negated: boolean };

export function compilePrincipal({ names, negated }: PrincipalElement): (asker: Asker) => PrincipalMatch {
  const aws = names['AWS'] ?? [];
  const services = new Set((names['Service'] ?? []).map((name) => name.toLowerCase()));
  const isAnyone = aws.includes('*');
  const anyService = services.has('*');
  const accounts = new Set(aws.map(accountOf).filter((account) => account !== undefined));
  const exact = new Set(aws);
  const match = (asker: Asker): PrincipalMatch => {
    if (asker.kind === 'service') return anyService || services.has(asker.service.toLowerCase()) ? 'exact' : 'none';
    if (isAnyone || exact.has(asker.arn)) return 'exact';
    if (asker.roleArn !== undefined && exact.has(asker.roleArn)) return 'role';
    return accounts.has(asker.account) ? 'account' : 'none';
  };
  if (!negated) return match;
  return (asker) => (match(asker) === 'none' ? 'exact' : 'none');
}

/** The account of `123456789012` and `arn:aws:iam::123456789012:root`, which both mean all of it. */
function accountOf(name: string): string | undefined {
  return /^(?:arn:aws:iam::)?(\d{12})(?::root)?$/.exec(name)?.[1];
}
