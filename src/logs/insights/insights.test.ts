import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { parseQuery } from './parser.ts';
import { createPipeline, type Table } from './pipeline.ts';
import type { RowEvent } from './row.ts';

const BEGIN = Date.UTC(2026, 0, 2, 3, 4, 5);

/** One event a minute, in this order. */
function run(query: string, messages: string[], limit = 10_000): Table {
  const pipeline = createPipeline(parseQuery(query), { limit, now: BEGIN });
  for (const [i, message] of messages.entries()) pipeline.push(eventOf(message, i));
  return pipeline.end();
}
const eventOf = (message: string, minute: number): RowEvent => ({
  at: BEGIN + minute * 60_000,
  message,
  ingestedAt: BEGIN + minute * 60_000 + 5,
  stream: `s${minute % 2}`,
  log: '123456789012:app',
});
/** Lines as objects, which are read more easily. */
const rows = (query: string, messages: string[], limit?: number) =>
  run(query, messages, limit).map((line) => Object.fromEntries(line.map(({ field, value }) => [field, value])));
const values = (query: string, messages: string[], limit?: number) =>
  run(query, messages, limit).map((line) => line.map(({ value }) => value).join(' '));

const json = [
  '{"level":"ERROR","ms":120,"user":{"name":"ann"},"tags":["a","b"],"ok":false}',
  '{"level":"INFO","ms":5,"user":{"name":"bob"},"ok":true}',
  '{"level":"INFO","ms":50,"user":{"name":"ann"}}',
  'plain text, no JSON: ERROR 7',
];

describe('queries of Logs Insights', () => {
  it('show time and message, the newest first, when they say nothing else', () => {
    assert.deepEqual(rows('filter @message like /plain|bob/', json), [
      { '@timestamp': '2026-01-02 03:07:05.000', '@message': json[3] },
      { '@timestamp': '2026-01-02 03:05:05.000', '@message': json[1] },
    ]);
    assert.deepEqual(values('fields @logStream | limit 2', json), ['s1', 's0']);
  });

  it('find fields in JSON, and leave out what an event lacks', () => {
    assert.deepEqual(rows('fields level, user.name as who, tags.1, ok | sort ms', json), [
      {},
      { level: 'INFO', who: 'bob', ok: '1' },
      { level: 'INFO', who: 'ann' },
      { level: 'ERROR', who: 'ann', 'tags.1': 'b', ok: '0' },
    ]);
    assert.deepEqual(values('fields `user.name`, `a-b`', ['{"user.name":"dotted","a-b":1}']), ['dotted 1']);
  });

  it('filter by comparisons, sets, texts and expressions', () => {
    const found = (test: string) => values(`filter ${test} | stats count(*)`, json)[0];
    assert.equal(found('level = "ERROR"'), '1');
    assert.equal(found("level = 'INFO' and ms >= 50"), '1');
    assert.equal(found('level = "INFO" and (ms > 60 or ms < 10)'), '1');
    assert.equal(found('not level = "INFO"'), '2');
    assert.equal(found('level != "INFO"'), '1');
    assert.equal(found('level in ["ERROR", "INFO"]'), '3');
    assert.equal(found('level not in ["ERROR"]'), '3');
    assert.equal(found('@message like "JSON: ERR"'), '1');
    assert.equal(found('@message not like /(?i)error/'), '2');
    assert.equal(found('@message =~ /ERROR \\d/'), '1');
    assert.equal(found('ispresent(user.name)'), '3');
    assert.equal(found('ms * 2 + 10 = 250'), '1');
    assert.equal(found('ms / 5 = 10 # a comment\n and ok not in [1]'), '1');
    assert.equal(found('ok = true'), '1');
  });

  it('group and aggregate', () => {
    assert.deepEqual(rows('stats count(*) as n, avg(ms), sum(ms)/count(ms) as mean by level | sort n desc, level', json), [
      { level: 'INFO', n: '2', 'avg(ms)': '27.5', mean: '27.5' },
      { n: '1' },
      { level: 'ERROR', n: '1', 'avg(ms)': '120', mean: '120' },
    ]);
    assert.deepEqual(values('stats min(ms), max(ms), pct(ms, 50), count_distinct(user.name), latest(level), earliest(level)', json), [
      '5 120 50 2 INFO ERROR',
    ]);
    assert.deepEqual(rows('stats count(*) by bin(2m) | sort `bin(2m)`', json), [
      { 'bin(2m)': '2026-01-02 03:04:00.000', 'count(*)': '2' },
      { 'bin(2m)': '2026-01-02 03:06:00.000', 'count(*)': '2' },
    ]);
    assert.deepEqual(values('stats count(*)', []), ['0']);
    assert.deepEqual(values('stats count(*) as n by level | stats max(n)', json), ['2']);
    const many = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ v: i }));
    const [p90] = values('stats pct(v, 90)', many);
    assert.ok(Math.abs(Number(p90) - 4500) < 250, String(p90));
  });

  it('parse by stars and by groups', () => {
    const lines = ['user=ann, took 12 ms; done', 'nothing of it', 'user=bob, took 7 ms; failed'];
    assert.deepEqual(values('parse @message "user=*, took * ms; *" as user, ms, how | filter ms > 10 | display user, how', lines), [
      'ann done',
    ]);
    assert.deepEqual(rows('parse @message /user=(?<who>\\w+), took (?<ms>\\d+)/ | stats sum(ms) as ms by who | sort who', lines), [
      {},
      { who: 'ann', ms: '12' },
      { who: 'bob', ms: '7' },
    ]);
    assert.deepEqual(values('parse /took (?<ms>\\d+)/ | filter ispresent(ms) | fields ms', lines), ['7', '12']);
  });

  it('sort, limit and leave out what came before', () => {
    assert.deepEqual(values('fields ms | filter ispresent(ms) | sort ms desc | limit 2', json), ['120', '50']);
    assert.deepEqual(values('fields user.name | filter ispresent(ms) | dedup user.name', json), ['ann', 'bob']);
    const many = Array.from({ length: 30_000 }, (_, i) => JSON.stringify({ n: (i * 7919) % 30_000 }));
    assert.deepEqual(values('fields n | sort n asc | limit 3', many), ['0', '1', '2']);
    assert.equal(run('fields n', many, 100).length, 100);
    assert.equal(run('fields n', many).length, 10_000);
  });

  it('compute with texts, numbers and times', () => {
    const one = (expression: string) => values(`fields ${expression} as x | display x`, ['{"a":"  Ab ","n":-2.5}'])[0];
    assert.equal(one('strlen(trim(a))'), '2');
    assert.equal(one('concat(toupper(trim(a)), "-", n)'), 'AB--2.5');
    assert.equal(one('abs(n) ^ 2 % 4'), '2.25');
    assert.equal(one('greatest(n, 1, 0) - least(n, 3)'), '3.5');
    assert.equal(one('substr("hello", 1, 3)'), 'ell');
    assert.equal(one('replace("a.b.c", ".", "/")'), 'a/b/c');
    assert.equal(one('coalesce(gone, n)'), '-2.5');
    assert.equal(one('datefloor(@timestamp, 1h)'), '2026-01-02 03:00:00.000');
    assert.equal(one('dateceil(@timestamp, 1h)'), '2026-01-02 04:00:00.000');
    assert.equal(one('toMillis(@timestamp) / 1000'), String(BEGIN / 1000));
    assert.equal(one('fromMillis(0)'), '1970-01-01 00:00:00.000');
  });

  it('are refused with the place of what is wrong', () => {
    const wrong: [string, RegExp][] = [
      ['', /a command is missing/],
      ['pattern @message', /no command 'pattern'/],
      ['filter', /where a field or a value belongs/],
      ['filter a = ', /where a field or a value belongs/],
      ['filter (a = 1', /'\)' expected/],
      ['stats a by b', /no aggregate function/],
      ['filter count(*) > 1', /./],
      ['fields jsonParse(a)', /no function 'jsonparse'/],
      ['fields strlen()', /strlen\(\) takes 1/],
      ['limit 0', /limit takes a number from 1/],
      ['parse @message "a * b" as x, y', /1 stars, and there are 2 names/],
      ['parse @message /no group/', /no named group/],
      ['filter a like /(/', /can't be read/],
      ['fields a fields b', /unexpected 'fields'/],
      [`filter ${'('.repeat(500)}`, /too deep/],
      [`filter ${'not '.repeat(500)} a`, /too deep/],
      [`fields ${'-'.repeat(500)}1`, /too deep/],
    ];
    for (const [query, message] of wrong) {
      assert.throws(
        () => parseQuery(query),
        (error) =>
          isFault(error, 'InvalidParameter') && error.details['errorName'] === 'MalformedQueryException' && message.test(error.message),
        query,
      );
    }
  });

  it('hold no more than they may', () => {
    const pipeline = createPipeline(parseQuery('stats count(*) by @message'), { limit: 10, now: BEGIN });
    const long = 'x'.repeat(100_000);
    assert.throws(
      () => {
        for (let i = 0; i < 1000; i++) pipeline.push(eventOf(`${i} ${long}`, i));
      },
      (error) => isFault(error, 'LimitExceeded'),
    );
  });

  it('never do anything but answer or refuse', () => {
    const word = fc.constantFrom('fields', 'filter', 'stats', 'sort', 'limit', 'parse', 'dedup', 'display', '|', '@message', 'a', 'a.b', '(', ')', ',', '[', ']', '"x*"', '/a(?<n>.)/', 'like', 'in', 'not', 'and', 'or', 'as', 'by', 'count(*)', 'pct(a,5)', 'bin(5m)', '=', '<', '-', '*', '%', '^', '5', '5m', 'desc', '`q`', 'strlen(a)', '#'); // prettier-ignore
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.array(fc.oneof(fc.string(), fc.json()), { maxLength: 5 }), (words, messages) => {
        try {
          run(words.join(' '), messages);
        } catch (error) {
          assert.ok(isFault(error, 'InvalidParameter'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
