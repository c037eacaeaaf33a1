import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { parseEnvFile, parseObjectArn } from './env-file.ts';

const parse = (text: string) => parseEnvFile(Buffer.from(text));

describe('an environment file', () => {
  it('is lines of NAME=VALUE, whose values are what stands there', () => {
    const text = '\ufeff# comment\r\nA=1\n  B = "two" \n\nC=x=y=z # no comment\nEMPTY=\nONLY_NAME\n   # another\nD=ü\nA=2';
    assert.deepEqual(parse('A=1\r\nB= "two" \nC=x=y # z\nEMPTY=\nONLY_NAME\n  # c\n  D=ü\nA=2\n'), { A: '2', B: ' "two" ', C: 'x=y # z', EMPTY: '', D: 'ü' }); // prettier-ignore
    assert.throws(() => parse(text), /line 3 has a variable name that contains whitespace/);
    assert.deepEqual(parse('\ufeffA=1'), { A: '1' });
    assert.deepEqual(Object.keys(parse('__proto__=1')), ['__proto__']);
  });

  it('that can be none is refused, without a word of its values', () => {
    assert.throws(() => parse('=secret'), (error: Error) => /line 1 has no variable name/.test(error.message) && !error.message.includes('secret')); // prettier-ignore
    assert.throws(() => parse('A=b\0c'), /line 1 contains a null character/);
    assert.throws(() => parseEnvFile(Buffer.from([0x41, 0x3d, 0xff])), /not UTF-8/);
  });

  it('gives back whatever was written so', () => {
    const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
    const value = fc.string({ maxLength: 20 }).filter((text) => !/[\n\r\0]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (variables) => {
        const text = Object.entries(variables).map(([key, one]) => `${key}=${one}`).join('\n'); // prettier-ignore
        assert.deepEqual(parse(text), variables);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          parseEnvFile(bytes);
        } catch (error) {
          assert.ok(isFault(error, 'InvalidParameter'));
        }
      }),
    );
  });

  it('is named by an ARN', () => {
    assert.deepEqual(parseObjectArn('arn:aws:s3:::b/dir/x.env'), { bucket: 'b', key: 'dir/x.env' });
    for (const wrong of ['arn:aws:s3:::b', 'arn:aws:s3:::b/', 's3://b/x.env', 'arn:aws:sqs:::b/x'])
      assert.equal(parseObjectArn(wrong), undefined);
  });
});
