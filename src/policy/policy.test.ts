import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import { array, assert as check, constantFrom, integer, ipV4, ipV6, oneof, option, property, record, string, subarray, tuple } from 'fast-check'; // prettier-ignore
import { compilePolicy } from './compile.ts';
import { deniedText } from './denied.ts';
import { parsePolicy } from './document.ts';
import { asksAbout, decide, decideOnResource } from './evaluate.ts';
import { plainDecision, type PlainStatement } from './plain-evaluator.ts';
import type { Decision, PolicySet } from './types.ts';

type Facts = Record<string, string | string[]>;
type Statement = Record<string, unknown>;

const factsOf = (facts: Facts) => new Map(Object.entries(facts).map(([key, value]) => [key.toLowerCase(), value]));
const policy = (...statements: Statement[]) =>
  compilePolicy(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'identity'));
const only = (...statements: Statement[]): PolicySet => ({ identity: [policy(...statements)], boundary: null, session: null });
const asks = (set: PolicySet, action: string, resource = '*', facts: Facts = {}): Decision =>
  decide(set, { action, resource, facts: factsOf(facts) });
const allow = (Action: unknown, Resource: unknown = '*', more: Statement = {}) => ({ Effect: 'Allow', Action, Resource, ...more });
const deny = (Action: unknown, Resource: unknown = '*', more: Statement = {}) => ({ Effect: 'Deny', Action, Resource, ...more });

test('addresses are in a range as Node says it, whichever was asked about before', () => {
  const near = (address: string, last: number) => `${address.slice(0, address.lastIndexOf('.'))}.${last}`;
  const others = array(oneof(ipV4(), ipV6(), integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  check(
    property(tuple(ipV4(), integer({ min: 0, max: 32 }), others), ([address, prefix, asked]) => {
      const list = new BlockList();
      list.addSubnet(address, prefix);
      const set = only(allow('a:Get', '*', { Condition: { IpAddress: { 'aws:SourceIp': `${address}/${prefix}` } } }));
      const all = asked.map((other) => (typeof other === 'number' ? near(address, other) : other));
      for (const one of [...all, ...all]) {
        const wanted = list.check(one, one.includes(':') ? 'ipv6' : 'ipv4');
        assert.equal(asks(set, 'a:Get', '*', { 'aws:SourceIp': one }).allowed, wanted, `${one} in ${address}/${prefix}`);
      }
    }),
    { numRuns: 2000, seed: 7 },
  );
});

test('a key is asked about where a statement on the action has it, in a condition or a variable of any kind of policy', () => {
  const team = { Condition: { 'ForAnyValue:StringLike': { 'AWS:ResourceTag/Team': 'a' } } };
  const valued = { Condition: { StringEquals: { 'aws:username': '${aws:ResourceTag/team}' } } };
  const named = allow('ecs:*', "arn:aws:ecs:*:*:cluster/${aws:resourceTag/team, 'none'}");
  const plain = only(allow('*'));
  const cases: [PolicySet, string, boolean][] = [
    [plain, 'ecs:RunTask', false],
    [only(allow('ecs:RunTask', '*', team)), 'ecs:RunTask', true],
    [only(allow('ecs:RunTask', '*', team)), 'ECS:runtask', true],
    [only(allow('ecs:RunTask', '*', team)), 'ecs:StopTask', false],
    [only(allow('ecs:RunTask'), deny('*', '*', team)), 'ecs:StopTask', true],
    [only({ Effect: 'Deny', NotAction: 'ecs:StopTask', Resource: '*', ...team }), 'ecs:StopTask', false],
    [only({ Effect: 'Deny', NotAction: 'ecs:StopTask', Resource: '*', ...team }), 'ecs:RunTask', true],
    [only(allow('ecs:RunTask', '*', valued)), 'ecs:RunTask', true],
    [only(named), 'ecs:RunTask', true],
    [only({ Effect: 'Allow', Action: 'ecs:*', NotResource: named.Resource }), 'ecs:RunTask', true],
    [{ ...plain, boundary: policy(allow('*', '*', team)) }, 'ecs:RunTask', true],
    [{ ...plain, session: [policy(allow('*', '*', team))] }, 'ecs:RunTask', true],
  ];
  for (const [set, action, asked] of cases) {
    assert.equal(asksAbout(set, action, (key) => key === 'aws:resourcetag/team'), asked, `${action}: ${JSON.stringify(set)}`); // prettier-ignore
  }
});

test('actions, resources and their negations', () => {
  const cluster = 'arn:aws:ecs:us-east-1:123456789012:cluster/a';
  const cases: [Statement[], string, string, boolean][] = [
    [[allow('ecs:RunTask')], 'ecs:RunTask', '*', true],
    [[allow('ECS:runtask')], 'ecs:RunTask', '*', true],
    [[allow('ecs:Run*')], 'ecs:RunTask', '*', true],
    [[allow('ecs:?unTask')], 'ecs:RunTask', '*', true],
    [[allow('ecs:Run')], 'ecs:RunTask', '*', false],
    [[allow('*')], 'ecs:RunTask', cluster, true],
    [[], 'ecs:RunTask', '*', false],
    [[allow('*'), deny('ecs:RunTask')], 'ecs:RunTask', '*', false],
    [[deny('ecs:*'), allow('*')], 'ecs:RunTask', '*', false],
    [[{ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }], 'ecs:RunTask', '*', true],
    [[{ Effect: 'Allow', NotAction: ['iam:*', 'ecs:Run*'], Resource: '*' }], 'ecs:RunTask', '*', false],
    [[allow('ecs:*', cluster)], 'ecs:DescribeClusters', cluster, true],
    [[allow('ecs:*', cluster)], 'ecs:DescribeClusters', `${cluster}b`, false],
    [[allow('ecs:*', cluster)], 'ecs:ListClusters', '*', false],
    [[allow('ecs:*', 'arn:aws:ecs:*:123456789012:cluster/*')], 'ecs:DescribeClusters', cluster, true],
    [[allow('ecs:*', 'arn:aws:ecs:*:cluster/*')], 'ecs:DescribeClusters', cluster, false],
    [[allow('ecs:*', 'arn:aws:ecs')], 'ecs:DescribeClusters', cluster, true],
    [[{ Effect: 'Allow', Action: '*', NotResource: cluster }], 'ecs:DescribeClusters', cluster, false],
    [[{ Effect: 'Allow', Action: '*', NotResource: cluster }], 'ecs:DescribeClusters', `${cluster}b`, true],
    [[allow('*'), { Effect: 'Deny', Action: '*', NotResource: `${cluster}*` }], 'ecs:ListClusters', '*', false],
  ];
  for (const [statements, action, resource, allowed] of cases) {
    assert.equal(statements.length > 0 && asks(only(...statements), action, resource).allowed, allowed, JSON.stringify(statements));
  }
});

test('condition operators', () => {
  const cases: [string, Statement, Facts, boolean][] = [
    ['StringEquals', { 'aws:x': ['a', 'b'] }, { 'aws:X': 'b' }, true],
    ['StringEquals', { 'aws:x': 'a*' }, { 'aws:x': 'ab' }, false],
    ['StringEquals', { 'aws:x': 'a' }, {}, false],
    ['StringEqualsIfExists', { 'aws:x': 'a' }, {}, true],
    ['StringNotEquals', { 'aws:x': ['a', 'b'] }, { 'aws:x': 'c' }, true],
    ['StringNotEquals', { 'aws:x': ['a', 'b'] }, { 'aws:x': 'b' }, false],
    ['StringNotEquals', { 'aws:x': 'a' }, {}, true],
    ['StringEqualsIgnoreCase', { 'aws:x': 'AbC' }, { 'aws:x': 'aBc' }, true],
    ['StringLike', { 'aws:x': 'home/?/*' }, { 'aws:x': 'home/a/b/c' }, true],
    ['StringLike', { 'aws:x': 'home/?/*' }, { 'aws:x': 'home/ab/c' }, false],
    ['StringNotLike', { 'aws:x': 'a*' }, { 'aws:x': 'b' }, true],
    ['NumericLessThanEquals', { 'aws:n': 10 }, { 'aws:n': '10.0' }, true],
    ['NumericGreaterThan', { 'aws:n': '10' }, { 'aws:n': '9' }, false],
    ['NumericEquals', { 'aws:n': '10' }, { 'aws:n': 'ten' }, false],
    ['DateLessThan', { 'aws:CurrentTime': '2030-01-01T00:00:00Z' }, { 'aws:CurrentTime': '2026-11-27T09:00:00Z' }, true],
    ['DateGreaterThan', { 'aws:CurrentTime': '2030-01-01' }, { 'aws:CurrentTime': '2026-11-27T09:00:00Z' }, false],
    ['DateLessThan', { 'aws:EpochTime': '1893456000' }, { 'aws:EpochTime': '1795770000' }, true],
    ['Bool', { 'aws:SecureTransport': true }, { 'aws:SecureTransport': 'true' }, true],
    ['Bool', { 'aws:SecureTransport': 'false' }, {}, false],
    ['BoolIfExists', { 'aws:SecureTransport': 'true' }, {}, true],
    ['IpAddress', { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] }, { 'aws:SourceIp': '10.200.1.2' }, true],
    ['IpAddress', { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] }, { 'aws:SourceIp': '2001:db8::1' }, true],
    ['IpAddress', { 'aws:SourceIp': '10.0.0.1' }, { 'aws:SourceIp': '10.0.0.2' }, false],
    ['NotIpAddress', { 'aws:SourceIp': '10.0.0.0/8' }, { 'aws:SourceIp': '11.0.0.1' }, true],
    ['ArnLike', { 'ecs:cluster': 'arn:aws:ecs:*:*:cluster/prod-*' }, { 'ecs:cluster': 'arn:aws:ecs:us-east-1:1:cluster/prod-a' }, true],
    ['ArnEquals', { 'ecs:cluster': 'arn:aws:ecs:*:*:cluster/*' }, { 'ecs:cluster': 'arn:aws:ecs:us-east-1:1:cluster/a' }, true],
    ['ArnLike', { 'ecs:cluster': 'arn:aws:ecs:*:cluster/a' }, { 'ecs:cluster': 'arn:aws:ecs:us-east-1:1:cluster/a' }, false],
    ['ArnNotLike', { 'ecs:cluster': 'arn:aws:ecs:*:*:cluster/a' }, { 'ecs:cluster': 'arn:aws:ecs:us-east-1:1:cluster/a' }, false],
    ['BinaryEquals', { 'aws:b': 'QmluYXJ5' }, { 'aws:b': 'QmluYXJ5' }, true],
    ['Null', { 'aws:TokenIssueTime': 'true' }, {}, true],
    ['Null', { 'aws:TokenIssueTime': 'true' }, { 'aws:TokenIssueTime': 'x' }, false],
    ['Null', { 'aws:TokenIssueTime': false }, { 'aws:TokenIssueTime': 'x' }, true],
    ['ForAllValues:StringEquals', { 'aws:TagKeys': ['a', 'b'] }, { 'aws:TagKeys': ['a'] }, true],
    ['ForAllValues:StringEquals', { 'aws:TagKeys': ['a', 'b'] }, { 'aws:TagKeys': ['a', 'c'] }, false],
    ['ForAllValues:StringEquals', { 'aws:TagKeys': ['a'] }, {}, true],
    ['ForAnyValue:StringEquals', { 'aws:TagKeys': ['a'] }, { 'aws:TagKeys': ['c', 'a'] }, true],
    ['ForAnyValue:StringEquals', { 'aws:TagKeys': ['a'] }, { 'aws:TagKeys': [] }, false],
    ['ForAnyValue:StringEqualsIfExists', { 'aws:TagKeys': ['a'] }, {}, true],
    ['ForAllValues:StringNotEquals', { 'aws:TagKeys': ['a'] }, { 'aws:TagKeys': ['b', 'a'] }, false],
    ['ForAnyValue:StringNotEquals', { 'aws:TagKeys': ['a'] }, { 'aws:TagKeys': ['b', 'a'] }, true],
    ['StringLike', { 'aws:x': 'home/${aws:username}/*' }, { 'aws:x': 'home/ann/f', 'aws:username': 'ann' }, true],
    ['StringLike', { 'aws:x': 'home/${aws:username}/*' }, { 'aws:x': 'home/ann/f', 'aws:username': '*' }, false],
    ['StringEquals', { 'aws:x': "${aws:PrincipalTag/team, 'all'}" }, { 'aws:x': 'all' }, true],
    ['StringEquals', { 'aws:x': '${aws:PrincipalTag/team}' }, { 'aws:x': '' }, false],
    ['StringLike', { 'aws:x': 'a${*}${?}${$}' }, { 'aws:x': 'a*?$' }, true],
    ['StringLike', { 'aws:x': 'a${*}' }, { 'aws:x': 'abc' }, false],
  ];
  for (const [operator, keys, facts, allowed] of cases) {
    const said = asks(only(allow('*', '*', { Condition: { [operator]: keys } })), 'ecs:RunTask', '*', facts);
    assert.equal(said.allowed, allowed, `${operator} ${JSON.stringify(keys)} with ${JSON.stringify(facts)}`);
  }
});

test('variables in resources name the caller alone', () => {
  const set = only(allow('s3:*', 'arn:aws:s3:::homes/${aws:username}/*'));
  assert.ok(asks(set, 's3:GetObject', 'arn:aws:s3:::homes/ann/x', { 'aws:username': 'ann' }).allowed);
  assert.ok(!asks(set, 's3:GetObject', 'arn:aws:s3:::homes/bob/x', { 'aws:username': 'ann' }).allowed);
  assert.ok(!asks(set, 's3:GetObject', 'arn:aws:s3:::homes/bob/x', { 'aws:username': '*' }).allowed);
  assert.ok(!asks(set, 's3:GetObject', 'arn:aws:s3:::homes//x').allowed);
  const old = compilePolicy(parsePolicy(JSON.stringify({ Statement: allow('*', '*', { Condition: { StringEquals: { 'aws:x': '${aws:username}' } } }) }), 'identity')); // prettier-ignore
  const facts = factsOf({ 'aws:x': '${aws:username}', 'aws:username': 'ann' });
  assert.ok(decide({ identity: [old], boundary: null, session: null }, { action: 'a:B', resource: '*', facts }).allowed);
});

test('boundary, session and the words for each refusal', () => {
  const everything = policy(allow('*'));
  const text = (set: PolicySet) => {
    const said = asks(set, 'ecs:RunTask');
    return said.allowed ? 'allowed' : deniedText('arn:aws:iam::1:user/u', 'ecs:RunTask', '*', said);
  };
  const head = 'User: arn:aws:iam::1:user/u is not authorized to perform: ecs:RunTask on resource: * ';
  const logs = policy(allow('logs:*'));
  const no = policy(deny('ecs:*'));
  assert.equal(
    text({ identity: [], boundary: null, session: null }),
    `${head}because no identity-based policy allows the ecs:RunTask action`,
  );
  assert.equal(
    text({ identity: [everything, no], boundary: null, session: null }),
    `${head}with an explicit deny in an identity-based policy`,
  );
  assert.equal(
    text({ identity: [everything], boundary: logs, session: null }),
    `${head}because no permissions boundary allows the ecs:RunTask action`,
  );
  assert.equal(text({ identity: [everything], boundary: no, session: null }), `${head}with an explicit deny in a permissions boundary`);
  assert.equal(
    text({ identity: [everything], boundary: null, session: [logs] }),
    `${head}because no session policy allows the ecs:RunTask action`,
  );
  assert.equal(text({ identity: [everything], boundary: null, session: [no] }), `${head}with an explicit deny in a session policy`);
  assert.equal(text({ identity: [everything], boundary: everything, session: [everything] }), 'allowed');
});

test('trust policies: accounts, principals, services, across accounts', () => {
  const trust = (Principal: unknown, more: Statement = {}) =>
    compilePolicy(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal, ...more }] }), 'trust')); // prettier-ignore
  const ann = { kind: 'aws', account: '111111111111', arn: 'arn:aws:iam::111111111111:user/ann' } as const;
  const session = { kind: 'aws', account: '111111111111', arn: 'arn:aws:sts::111111111111:assumed-role/r/s', roleArn: 'arn:aws:iam::111111111111:role/r' } as const; // prettier-ignore
  const ecs = { kind: 'service', service: 'ecs-tasks.amazonaws.com' } as const;
  const request = {
    action: 'sts:AssumeRole',
    resource: 'arn:aws:iam::111111111111:role/target',
    facts: factsOf({ 'sts:ExternalId': 'x' }),
  };
  const none: PolicySet = { identity: [], boundary: null, session: null };
  const may = only(allow('sts:AssumeRole'));
  const mayNot = only(deny('sts:*'));
  const cases: [string, ReturnType<typeof trust>, PolicySet | null, typeof ann | typeof session | typeof ecs, boolean, boolean][] = [
    ['account without own', trust({ AWS: '111111111111' }), none, ann, true, false],
    ['account with own', trust({ AWS: 'arn:aws:iam::111111111111:root' }), may, ann, true, true],
    ['very user', trust({ AWS: ann.arn }), none, ann, true, true],
    ['very user, denied', trust({ AWS: ann.arn }), mayNot, ann, true, false],
    ['very user, other account', trust({ AWS: ann.arn }), none, ann, false, false],
    ['very user, other account, own', trust({ AWS: ann.arn }), may, ann, false, true],
    ['stranger', trust({ AWS: 'arn:aws:iam::111111111111:user/bob' }), may, ann, true, false],
    ['role of a session', trust({ AWS: session.roleArn }), none, session, true, true],
    ['the session', trust({ AWS: session.arn }), none, session, true, true],
    ['service', trust({ Service: ecs.service }), null, ecs, true, true],
    ['other service', trust({ Service: 'ec2.amazonaws.com' }), null, ecs, true, false],
    ['user for a service', trust({ Service: ecs.service }), may, ann, true, false],
    ['external id', trust({ AWS: '*' }, { Condition: { StringEquals: { 'sts:ExternalId': 'x' } } }), none, ann, true, true],
    ['wrong external id', trust({ AWS: '*' }, { Condition: { StringEquals: { 'sts:ExternalId': 'y' } } }), may, ann, true, false],
  ];
  for (const [name, document, own, asker, same, allowed] of cases) {
    assert.equal(decideOnResource(document, own, asker, same, request).allowed, allowed, name);
  }
});

test('what a resource grants to a user or a session itself no boundary and no session policy limits; to a role both do', () => {
  const arn = 'arn:aws:iam::111111111111:user/ann';
  const ann = { kind: 'aws', account: '111111111111', arn } as const;
  const session = { kind: 'aws', account: '111111111111', arn: 'arn:aws:sts::111111111111:assumed-role/r/s', roleArn: 'arn:aws:iam::111111111111:role/r' } as const; // prettier-ignore
  const grants = (AWS: string | string[]) =>
    compilePolicy(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: [{ ...allow('a:Get'), Principal: { AWS } }] }), 'resource')); // prettier-ignore
  const request = { action: 'a:Get', resource: 'arn:aws:a:::x', facts: factsOf({}) };
  const said = (AWS: string | string[], asker: typeof ann | typeof session, set: Partial<PolicySet>, same = true) => {
    const decision = decideOnResource(grants(AWS), { identity: [], boundary: null, session: null, ...set }, asker, same, request);
    return decision.allowed ? 'allowed' : `${decision.explicit ? 'denied' : 'nothing'} ${decision.kind}`;
  };
  const other = policy(allow('b:*'));
  const no = policy(deny('a:*'));
  assert.equal(said(ann.arn, ann, { boundary: other }), 'allowed');
  assert.equal(said('*', ann, { boundary: other }), 'allowed');
  assert.equal(said(ann.arn, ann, { boundary: no }), 'denied boundary');
  assert.equal(said(ann.arn, ann, { boundary: other }, false), 'nothing identity');
  assert.equal(said(session.arn, session, { boundary: other, session: [other] }), 'allowed');
  assert.equal(said([session.roleArn, session.arn], session, { boundary: other }), 'allowed');
  assert.equal(said(session.roleArn, session, { boundary: other }), 'nothing boundary');
  assert.equal(said(session.roleArn, session, { session: [other] }), 'nothing session');
  assert.equal(said(session.roleArn, session, {}), 'allowed');
  assert.equal(said('111111111111', ann, { boundary: other }), 'nothing identity');
});

test('what is malformed is said in the words of IAM', () => {
  const refusal = (document: unknown, use: 'identity' | 'trust' = 'identity') => {
    try {
      parsePolicy(typeof document === 'string' ? document : JSON.stringify(document), use);
      return 'taken';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const of = (statement: unknown) => ({ Version: '2012-10-17', Statement: statement });
  const cases: [unknown, string, ('identity' | 'trust')?][] = [
    ['{', 'Syntax errors in policy.'],
    ['{', 'This policy contains invalid Json', 'trust'],
    [{ Version: '2020-01-01', Statement: allow('*') }, 'Policy document must be version 2012-10-17 or greater.'],
    [of([]), 'Syntax errors in policy.'],
    [of({ Effect: 'Allow', Resource: '*' }), 'Policy statement must contain actions.'],
    [of({ Effect: 'Allow', Action: 'ecs:*' }), 'Policy statement must contain resources.'],
    [of({ Effect: 'allow', Action: 'ecs:*', Resource: '*' }), 'Syntax errors in policy.'],
    [of(allow('RunTask')), 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.'],
    [of(allow('a b:RunTask')), 'Vendor a b is not valid'],
    [of(allow('ecs:*', 'cluster/a')), 'Resource cluster/a must be in ARN format or "*".'],
    [of(allow('ecs:*', 'arn:moon:ecs:::x')), 'Partition "moon" is not valid for resource "arn:moon:ecs:::x".'],
    [of([allow('*', '*', { Sid: 'A' }), allow('*', '*', { Sid: 'A' })]), 'Statement IDs (SID) in a single policy must be unique.'],
    [of(allow('*', '*', { Principal: '*' })), 'Policy document should not specify a principal.'],
    [of(allow('*', '*', { Condition: { StringIs: { 'a:b': 'c' } } })), 'Syntax errors in policy.'],
    [of({ Effect: 'Allow', Action: 'sts:AssumeRole' }), 'Missing required field Principal', 'trust'],
    [of({ Effect: 'Allow', Action: 'ecs:RunTask', Principal: '*' }), 'AssumeRole policy may only specify STS AssumeRole actions.', 'trust'],
    [of({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: 'ann' } }), 'Invalid principal in policy: "AWS":"ann"', 'trust'],
    [of({ ...allow('sts:AssumeRole'), Principal: '*' }), 'Has prohibited field Resource', 'trust'],
  ];
  for (const [document, text, use] of cases) assert.equal(refusal(document, use), text, JSON.stringify(document));
});

test('whatever is asked, a slow and obvious evaluator says the same', () => {
  const word = constantFrom(
    'a',
    'b',
    'ab',
    'aab',
    'ba',
    '*',
    'a*',
    '*b',
    '?',
    'a?b',
    '**a',
    '${aws:username}',
    'x${aws:username}*',
    '${*}',
  );
  const action = constantFrom('ecs:RunTask', 'ecs:Run*', 'ecs:*', '*', 'iam:PassRole', 'ECS:?unTask', 'logs:*');
  const arn = oneof(
    constantFrom('*', 'arn:aws:ecs'),
    tuple(word, word, word).map(([region, account, name]) => `arn:aws:ecs:${region}:${account}:task/${name}`),
  );
  const operator = tuple(
    constantFrom('', 'ForAnyValue:', 'ForAllValues:'),
    constantFrom(
      'StringEquals',
      'StringNotEquals',
      'StringLike',
      'StringNotLike',
      'NumericLessThan',
      'NumericNotEquals',
      'StringEqualsIgnoreCase',
    ),
    constantFrom('', 'IfExists'),
  ).map((parts) => parts.join(''));
  const condition = record({ operator, key: constantFrom('aws:k', 'aws:L', 'aws:username'), values: array(oneof(word, constantFrom('1', '2')), { minLength: 1, maxLength: 3 }) }); // prettier-ignore
  const statement = record({
    effect: constantFrom('Allow', 'Allow', 'Deny'),
    actions: array(action, { minLength: 1, maxLength: 3 }),
    notAction: constantFrom(false, false, true),
    resources: array(arn, { minLength: 1, maxLength: 3 }),
    notResource: constantFrom(false, false, true),
    conditions: array(condition, { maxLength: 2 }),
  });
  const value = oneof(string({ unit: constantFrom('a', 'b', '*', 'A', '?', '1', '2'), maxLength: 3 }), constantFrom('1', '2', 'ab'));
  const facts = record({
    'aws:k': option(value, { nil: undefined }),
    'aws:l': option(array(value, { maxLength: 3 }), { nil: undefined }),
    'aws:username': option(value, { nil: undefined }),
  });
  const requested = tuple(constantFrom('ecs:RunTask', 'iam:PassRole', 'logs:PutLogEvents'), tuple(value, value, value), facts);
  const policies = array(statement, { minLength: 1, maxLength: 5 });
  check(
    property(policies, option(policies, { nil: null }), requested, subarray(['*']), (identity, boundary, [asked, parts, given], star) => {
      const resource = star.length > 0 ? '*' : `arn:aws:ecs:${parts[0]}:${parts[1]}:task/${parts[2]}`;
      const present = Object.fromEntries(
        Object.entries(given).filter((pair): pair is [string, string | string[]] => pair[1] !== undefined),
      );
      const set = { identity: [policy(...identity.map(written))], boundary: boundary && policy(...boundary.map(written)), session: null };
      const said = decide(set, { action: asked, resource, facts: new Map(Object.entries(present)) });
      const plain = plainDecision(identity as PlainStatement[], boundary as PlainStatement[] | null, asked, resource, present);
      assert.equal(said.allowed ? 'allowed' : `${said.explicit ? 'deny' : 'nothing'} ${said.kind}`, plain);
    }),
    { numRuns: Number(process.env['BERTH_FUZZ_RUNS'] ?? 500) },
  );
});

function written(one: {
  effect: string;
  actions: string[];
  notAction: boolean;
  resources: string[];
  notResource: boolean;
  conditions: { operator: string; key: string; values: string[] }[];
}): Statement {
  // prettier-ignore
  const Condition: Record<string, Record<string, string[]>> = {};
  for (const { operator, key, values } of one.conditions) (Condition[operator] ??= {})[key] = values;
  // Of two conditions with the same operator and key JSON has the last: so have both evaluators.
  one.conditions = Object.entries(Condition).flatMap(([operator, keys]) => Object.entries(keys).map(([key, values]) => ({ operator, key, values }))); // prettier-ignore
  return {
    Effect: one.effect,
    [one.notAction ? 'NotAction' : 'Action']: one.actions,
    [one.notResource ? 'NotResource' : 'Resource']: one.resources,
    Condition,
  };
}
