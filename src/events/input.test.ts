import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkInput, inputOf } from './input.ts';
import type { TargetInput } from './input.ts';
import type { EventEnvelope } from './types.ts';

const event: EventEnvelope = {
  version: '0',
  id: '7bf73129-1428-4cd3-a780-95db273d1602',
  'detail-type': 'EC2 Instance State-change Notification',
  source: 'aws.ec2',
  account: '123456789012',
  time: '2015-11-11T21:29:54Z',
  region: 'us-east-1',
  resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111'],
  detail: { 'instance-id': 'i-0123456789', state: 'RUNNING', note: 'say "hi"', list: [1, { a: 2 }], count: 3 },
};
const facts = { ruleArn: 'arn:rule', ruleName: 'r', ingestedAt: '2015-11-11T21:29:55Z' };
const given = (input: TargetInput) => inputOf(input, event, facts);
const transformed = (template: string, paths: Record<string, string> = { instance: '$.detail.instance-id', state: '$.detail.state', note: '$.detail.note', list: '$.detail.list', none: '$.detail.none' }) => {
  checkInput({ transformer: { paths, template } });
  return given({ transformer: { paths, template } });
}; // prettier-ignore

test('the whole, a part, a constant', () => {
  assert.deepEqual(JSON.parse(given({})), event);
  assert.equal(given({ path: '$.detail.list[1].a' }), '2');
  assert.equal(given({ path: "$.detail['instance-id']" }), '"i-0123456789"');
  assert.equal(given({ path: '$.nothing.there' }), 'null');
  assert.equal(given({ constant: '{"a":1}' }), '{"a":1}');
});

test('templates: text, strings, JSON', () => {
  assert.equal(transformed('"instance <instance> is in <state>"'), '"instance i-0123456789 is in RUNNING"');
  assert.equal(transformed('instance <instance> is in <state>'), 'instance i-0123456789 is in RUNNING');
  assert.equal(transformed('{"instance": <instance>, "all": <list>}'), '{"instance": "i-0123456789", "all": [1,{"a":2}]}');
  assert.deepEqual(JSON.parse(transformed('{"text": "it says <note>", "raw": <note>, "none": <none>}')), { text: 'it says say "hi"', raw: 'say "hi"', none: '' });
  assert.equal(transformed('{"rule": <aws.events.rule-arn>, "at": "<aws.events.event.ingestion-time>"}'), '{"rule": "arn:rule", "at": "2015-11-11T21:29:55Z"}');
  assert.deepEqual(JSON.parse(transformed('{"original": <aws.events.event.json>}')), { original: event });
}); // prettier-ignore

test('what is no path and no template is refused', () => {
  for (const path of ['detail', '$detail', '$.', '$.a[x]', '$.a..b'])
    assert.throws(() => checkInput({ path }), { name: 'ExpressionError' }, path);
  assert.throws(() => transformed('<who>'), /does not name/);
  assert.throws(() => transformed('x', { 'a b': '$' }), /invalid key/);
  assert.throws(() => transformed('x', { AWSa: '$' }), /reserved/);
});
