import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createMeters } from '#base/meters.ts';
import { formatOf, openBook, render } from './exposition.ts';
import { meterFamilies } from './own-families.ts';

it('text of both formats', () => {
  const book = openBook();
  book.add('counter', 'a_requests', 'Re"quests\nof \\ a.', { path: 'x"\\\ny' }, 3);
  book.add('gauge', 'a_gone', 'Not known.', {}, undefined);
  book.info('a_build', 'Version.', { version: '1' });
  const meters = createMeters();
  const seen = meters.histogram('a_seconds', 'Times.', ['op'], [0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 7]) seen(['x'], seconds);
  meterFamilies(book, meters.read());
  const buckets = [
    'a_seconds_bucket{op="x",le="0.1"} 2',
    'a_seconds_bucket{op="x",le="1"} 3',
    'a_seconds_bucket{op="x",le="+Inf"} 4',
    'a_seconds_sum{op="x"} 7.65',
    'a_seconds_count{op="x"} 4',
  ];
  assert.equal(
    render(book.families(), 'text'),
    [
      '# HELP a_requests_total Re"quests\\nof \\\\ a.',
      '# TYPE a_requests_total counter',
      'a_requests_total{path="x\\"\\\\\\ny"} 3',
      '# HELP a_build_info Version.',
      '# TYPE a_build_info gauge',
      'a_build_info{version="1"} 1',
      '# HELP a_seconds Times.',
      '# TYPE a_seconds histogram',
      ...buckets,
      '',
    ].join('\n'),
  );
  assert.equal(
    render(book.families(), 'openmetrics'),
    [
      '# HELP a_requests Re\\"quests\\nof \\\\ a.',
      '# TYPE a_requests counter',
      'a_requests_total{path="x\\"\\\\\\ny"} 3',
      '# HELP a_build Version.',
      '# TYPE a_build info',
      'a_build_info{version="1"} 1',
      '# HELP a_seconds Times.',
      '# TYPE a_seconds histogram',
      ...buckets,
      '# EOF',
      '',
    ].join('\n'),
  );
});

it('the format that is wanted', () => {
  // As Prometheus 2.42 and 3 ask.
  assert.equal(
    formatOf(
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    ),
    'openmetrics',
  );
  assert.equal(formatOf('text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5'), 'text');
  assert.deepEqual([formatOf(undefined), formatOf('*/*'), formatOf('text/html')], ['text', 'text', 'text']);
});

it('a family of too many series ends in one that is the rest', () => {
  const meters = createMeters();
  const count = meters.counter('a', 'A.', ['x']);
  for (let n = 0; n < 2500; n++) count([`v${n}`]);
  const { series } = meters.read()[0] ?? assert.fail();
  assert.equal(series.length, 2001);
  assert.deepEqual(series.at(-1), { labels: ['other'], values: [500] });
});
