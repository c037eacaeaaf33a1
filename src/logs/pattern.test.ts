import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { compilePattern } from './pattern.ts';

function check(pattern: string, yes: string[], no: string[]): void {
  const match = compilePattern(pattern);
  for (const message of yes) assert.equal(match(message), true, `${pattern} should match ${message}`);
  for (const message of no) assert.equal(match(message), false, `${pattern} should not match ${message}`);
}

describe('filter patterns', () => {
  it('of terms', () => {
    check('', ['anything', ''], []);
    check('ERROR', ['[ERROR] x', 'ERROR'], ['error', 'warn']);
    check('ERROR ARGUMENTS', ['ERROR 1 ARGUMENTS'], ['ERROR', 'ARGUMENTS']);
    check('"INTERNAL SERVER ERROR"', ['x INTERNAL SERVER ERROR y'], ['INTERNAL ERROR SERVER']);
    check('ERROR -EXITING', ['ERROR 1'], ['ERROR EXITING']);
    check('?ERROR ?WARN', ['ERROR', 'a WARN'], ['info']);
    check('ERROR ?WARN', ['ERROR'], ['WARN']);
    check('-"a b"', ['b a'], ['x a b']);
  });

  it('of regular expressions, in each of the three', () => {
    check('%ERR(OR)?[0-9]+%', ['an ERR12', 'ERROR1'], ['ERROR', 'err1']);
    check('%a\\%b% -%x+%', ['a%b'], ['a%b x', 'ab']);
    check('?%^a% ?"b c"', ['ab', 'x b c'], ['ba']);
    check('{ $.ip = %^10\\.0\\.% && $.n > 1 }', ['{"ip":"10.0.0.1","n":2}'], ['{"ip":"110.0.0.1","n":2}', '{"n":2}']);
    check('{ $.a != %x% }', ['{"a":"y"}'], ['{"a":"xx"}', '{}']);
    check('[ip = %127\\.0\\.0\\.[1-9]%, ...]', ['127.0.0.1 x'], ['127.0.0.0 x']);
    // What would take for ever by backtracking.
    check('%(a+)+$%', ['a'], [`${'a'.repeat(5000)}b`]);
  });

  it('of JSON', () => {
    check('{ $.level = "ERROR" }', ['{"level":"ERROR"}'], ['{"level":"info"}', 'level ERROR', '{"level"', '[]']);
    check('{ $.level = ERR* }', ['{"level":"ERROR"}'], ['{"level":"WARN"}']);
    check(
      '{ $.a.b[0].c >= 5 && $.x != "y" }',
      ['{"a":{"b":[{"c":5}]},"x":"z"}'],
      ['{"a":{"b":[{"c":4}]},"x":"z"}', '{"a":{"b":[{"c":5}]}}'],
    );
    check('{ ($.a = 1 || $.b = 2) && $.c IS TRUE }', ['{"a":1,"c":true}', '{"b":2,"c":true}'], ['{"a":1}', '{"c":true}']);
    check('{ $.a NOT EXISTS }', ['{}'], ['{"a":null}']);
    check('{ $.a IS NULL }', ['{"a":null}'], ['{}', '{"a":0}']);
    check('{ $.ip = 10.* }', ['{"ip":"10.0.0.1"}'], ['{"ip":"110.0.0.1"}']);
    check("{ $['a b'] = 1 }", ['{"a b":1}'], ['{"a":1}']);
    check('{ $.list[*] = "x" }', ['{"list":["y","x"]}'], ['{"list":["y"]}']);
  });

  it('of fields', () => {
    const line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 404 1534';
    check('[ip, id, user, timestamp, request, status_code = 4*, size]', [line], [line.replace('404', '200'), `${line} more`]);
    check('[..., status = 404 || status = 500, size > 1000]', [line], [line.replace('1534', '999')]);
    check('[ip = 127.*, ...]', [line], ['10.0.0.1 x']);
    check('[..., status = 404, ]', [line], [`${line} more`]);
    check('[w1 = "a" && w1 != "b", w2]', ['a x'], ['b x', 'a']);
  });

  it('are refused when they can not be read, and never anything else', () => {
    for (const bad of [
      '{ $.a }',
      '{ $.a = }',
      '{',
      '[a',
      '[..., ...]',
      '"open',
      '%(%',
      '{ $.a = %[% }',
      '{ $.a = 1 } x',
      '{ a = 1 }',
      'x'.repeat(2000),
    ]) {
      assert.throws(
        () => compilePattern(bad),
        (error) => isFault(error, 'InvalidParameter'),
        bad,
      );
    }
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      '$.a',
      '$',
      '=',
      '!=',
      '&&',
      '||',
      '"',
      '\\',
      '*',
      '-',
      '?',
      '...',
      ',',
      'IS',
      'NOT',
      ' ',
      '1',
      'x',
      '%',
      '&',
    );
    fc.assert(
      fc.property(fc.array(piece), fc.string(), fc.json(), (pieces, text, json) => {
        try {
          const match = compilePattern(pieces.join(''));
          match(text);
          match(json);
        } catch (error) {
          assert.ok(isFault(error, 'InvalidParameter'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
