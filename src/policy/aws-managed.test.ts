import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awsManagedPolicies, awsManagedPolicy } from './aws-managed.ts';
import { compilePolicy } from './compile.ts';
import { parsePolicy } from './document.ts';
import { decide } from './evaluate.ts';

const at = (name: string) => `arn:aws:iam::aws:policy/${name}`;

test('each of AWS’s policies is found by its ARN, and can be read', () => {
  const all = awsManagedPolicies();
  assert.ok(all.size > 1000, `there are only ${all.size}`);
  for (const [arn, { version, createdAt, updatedAt }] of all) {
    const policy = awsManagedPolicy(arn);
    assert.deepEqual([policy?.version, policy?.createdAt, policy?.updatedAt], [version, createdAt, updatedAt], arn);
    assert.match(arn, /^arn:aws:iam::aws:policy\/(service-role\/|job-function\/)?[\w+=,.@-]{1,128}$/);
    assert.match(version, /^v[1-9]\d*$/);
    assert.ok(Date.parse(createdAt) <= Date.parse(updatedAt), arn);
    const { statements } = compilePolicy(parsePolicy(policy?.document ?? '', 'identity'));
    assert.ok(statements.length > 0, arn);
  }
});

test('a name that AWS hasn’t is none, whatever it is made of', () => {
  for (const arn of ['', at('ReadOnlyAcces'), at('ReadOnlyAccess '), `${at('ReadOnlyAccess')}": `, at('a\nb'), 'arn:aws:iam::aws:policy/'])
    assert.equal(awsManagedPolicy(arn), undefined, JSON.stringify(arn));
});

test('those that roles have most often say what they say on AWS', () => {
  const says = (name: string, action: string, resource = '*') => {
    const identity = [compilePolicy(parsePolicy(awsManagedPolicy(at(name))?.document ?? '', 'identity'))];
    return decide({ identity, boundary: null, session: null }, { action, resource, facts: new Map() }).allowed;
  };
  assert.equal(says('AdministratorAccess', 'iam:CreateUser'), true);
  assert.equal(says('PowerUserAccess', 'ecs:RunTask'), true);
  assert.equal(says('PowerUserAccess', 'iam:CreateUser'), false);
  for (const name of ['ReadOnlyAccess', 'job-function/ViewOnlyAccess', 'SecurityAudit']) {
    assert.equal(says(name, 'ecs:ListClusters'), true, name);
    assert.equal(says(name, 'ecs:RunTask'), false, name);
  }
  assert.equal(says('ReadOnlyAccess', 's3:GetObject', 'arn:aws:s3:::b/k'), true);
  assert.equal(says('job-function/ViewOnlyAccess', 's3:GetObject', 'arn:aws:s3:::b/k'), false);
  assert.equal(says('service-role/AWSLambdaBasicExecutionRole', 'logs:PutLogEvents'), true);
});
