/** Policy evaluation: a call of a principal with 50 statements of the kinds that are in use, all of them about the action that is called, decided with the facts of a call. Runs alone: `node bench/policy.ts`. */
import { compilePolicy, decide, parsePolicy } from '#policy/index.ts';
import { documentOf, statementsOf, STATEMENTS } from './policy-document.ts';
import { report } from './promises.ts';

const CALLS = 200_000;

export async function policy(): Promise<boolean> {
  const last = [
    { Effect: 'Deny', Action: 'ecs:RunTask', Resource: '*', Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    {
      Effect: 'Allow',
      Action: 'ecs:RunTask',
      Resource: '*',
      Condition: { StringLike: { 'aws:RequestTag/team': '${aws:PrincipalTag/team}*' } },
    },
  ];
  const set = {
    identity: [compilePolicy(parsePolicy(documentOf(statementsOf(last, ['ecs:RunTask'])), 'identity'))],
    boundary: null,
    session: null,
  };
  const facts = new Map([
    ['aws:requestedregion', 'us-east-1'],
    ['aws:sourceip', '10.1.2.3'],
    ['aws:principaltag/team', 'a'],
    ['aws:requesttag/team', 'ab'],
    ['ecs:cluster', 'arn:aws:ecs:us-east-1:123456789012:cluster/default'],
  ]);
  const ask = (i: number) =>
    decide(set, {
      action: 'ecs:RunTask',
      resource: `arn:aws:ecs:us-east-1:123456789012:task-definition/app-${i % STATEMENTS}-web:1`,
      facts,
    });
  for (let i = 0; i < 5000; i++) if (!ask(i).allowed) throw new Error('the benchmark asks for what is allowed');
  const from = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) ask(i);
  const microseconds = Number(process.hrtime.bigint() - from) / 1000 / CALLS;
  return report('policy-evaluation', microseconds, `${CALLS} calls, ${STATEMENTS} statements`);
}

if (import.meta.main) process.exitCode = (await policy()) ? 0 : 1;
