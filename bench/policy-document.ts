/** 50 statements of the kinds that are in use; the last of them allow what is measured, and nothing before. */
export const STATEMENTS = 50;

type Statement = Record<string, unknown>;

/** `last`: what ends the 50. `all`: an action that the others are about too, so that each of their resources and conditions is looked at. */
export function statementsOf(last: Statement[], all: string[] = []): Statement[] {
  const statements = Array.from({ length: STATEMENTS - last.length }, (_, i) => ({
    Sid: `s${i}`,
    Effect: i % 6 === 5 ? 'Deny' : 'Allow',
    Action: ['ecs:Describe*', `ecs:Run${i}*`, 'logs:*', ...all],
    Resource: [`arn:aws:ecs:*:123456789012:task-definition/app-${i}-*:*`, `arn:aws:ecs:us-east-1:*:cluster/\${aws:PrincipalTag/team}-${i}`],
    Condition: {
      StringEquals: { 'aws:RequestedRegion': ['us-east-1', 'eu-west-1'] },
      ArnLike: { 'ecs:cluster': `arn:aws:ecs:*:*:cluster/c${i}*` },
    },
  }));
  return [...statements, ...last];
}

export const documentOf = (Statement: Statement[]): string => JSON.stringify({ Version: '2012-10-17', Statement });
