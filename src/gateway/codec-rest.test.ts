/** What no served API has yet; the rest is shown through the SDK's client in front/efs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRest, encodeRest, matchUri } from './codec-rest.ts';
import { extractShapes, linkShapes } from './shapes.ts';

const input = [3, 'ns', 'In', 0, ['Key', 'Since', 'Codes', 'Meta', 'Rest', 'Body'], [
  [0, 1], [4, { httpHeader: 'X-Since' }], [65, { httpHeader: 'X-Codes' }], [128, { httpPrefixHeaders: 'x-meta-' }], [128, 64], [21, 16],
]]; // prettier-ignore
const output = [3, 'ns', 'Out', 0, ['Code', 'At', 'Meta', 'Text'], [[1, 32], [4, { httpHeader: 'X-At' }], [128, { httpPrefixHeaders: 'x-meta-' }], [0, 16]]]; // prettier-ignore
const operation = [9, 'ns', 'Put', { http: ['PUT', '/things/{Key+}', 200] }, input, output];
const shapes = linkShapes(extractShapes({ Put$: operation }, ['Put'])).operations.get('Put') ?? assert.fail('no operation');

test('labels, greedy ones too, and nothing of another path', () => {
  assert.deepEqual(matchUri('/a/{B}/c', '/a/x%2Fy/c'), { B: 'x/y' });
  assert.deepEqual(matchUri('/a/{B+}', '/a/x/y%20z'), { B: 'x/y z' });
  for (const path of ['/a', '/a/', '/b/x/c', '/a/x/c/d', '/a/x']) assert.equal(matchUri('/a/{B}/c', path), undefined, path);
  assert.throws(() => matchUri('/a/{B}', '/a/%zz'), /percent encoding/);
});

test('members from path, headers, the whole query and the body as it is', () => {
  const headers = { 'x-since': ['Fri, 27 Nov 2026 05:44:44 GMT'], 'x-codes': ['1, 2', '3'], 'x-meta-a': ['b'], other: ['c'] };
  const payload = { body: Buffer.from([0, 255]), parameters: new URLSearchParams('p=1&q=2'), path: '/things/a/b', headers };
  assert.deepEqual(decodeRest(payload, shapes.input, shapes.http), {
    Key: 'a/b',
    Since: new Date('2026-11-27T05:44:44Z'),
    Codes: [1, 2, 3],
    Meta: { a: 'b' },
    Rest: { p: '1', q: '2' },
    Body: new Uint8Array([0, 255]),
  });
  assert.throws(() => decodeRest({ ...payload, headers: { 'x-codes': ['1,x'] } }, shapes.input, shapes.http), /'x' of X-Codes/);
});

test('an answer with a status, headers and a text of its own', () => {
  const given = { Code: 202, At: new Date('2026-11-27T05:44:44Z'), Meta: { a: 'b' }, Text: 'hello' };
  assert.deepEqual(encodeRest(shapes.output, given, shapes.http), {
    contentType: 'text/plain',
    body: 'hello',
    headers: { 'X-At': 'Fri, 27 Nov 2026 05:44:44 GMT', 'x-meta-a': 'b' },
    status: 202,
  });
});
