import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AlarmState, MetricAlarmDesired, MissingData } from '#domain/alarm.ts';
import { evaluateAlarm } from './alarms.ts';

const alarm = (change: Partial<MetricAlarmDesired>): MetricAlarmDesired => ({
  queries: [
    { id: 'm1', label: undefined, returned: true, periodS: 60, metric: { namespace: 'N', name: 'M', dimensions: {}, statistic: 'Sum' } },
  ],
  periodS: 60,
  threshold: 1,
  comparison: 'GreaterThanOrEqualToThreshold',
  evaluationPeriods: 3,
  datapointsToAlarm: 3,
  missingData: 'missing',
  actionsEnabled: true,
  actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] },
  updatedAt: 0,
  tags: [],
  set: null,
  front: {},
  ...change,
});

/** `0` does not breach, `X` does, `-` is missing; the newest last. */
const points = (text: string) =>
  text.split(' ').flatMap((one, index) => (one === '-' ? [] : [{ at: Date.UTC(2026, 10, 27, 9, index), value: one === 'X' ? 5 : 0 }]));

describe('an alarm', () => {
  const treatments: MissingData[] = ['missing', 'ignore', 'breaching', 'notBreaching'];
  /** The tables of the user guide: what each treatment comes to; keep: it stays as it is. */
  const tables: [needed: number, text: string, states: (AlarmState | 'keep')[]][] = [
    [3, '0 - X - X', ['OK', 'OK', 'OK', 'OK']],
    [3, '- - - - 0', ['OK', 'OK', 'OK', 'OK']],
    [3, '- - - - -', ['INSUFFICIENT_DATA', 'keep', 'ALARM', 'OK']],
    [3, '0 X X - X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [3, '- - X - -', ['ALARM', 'keep', 'ALARM', 'OK']],
    [2, '0 - X - X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [2, '0 0 X 0 X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [2, '0 - X - -', ['OK', 'OK', 'ALARM', 'OK']],
    [2, '- - - - 0', ['OK', 'OK', 'ALARM', 'OK']],
    [2, '- - - X -', ['ALARM', 'keep', 'ALARM', 'OK']],
  ];
  for (const [needed, text, states] of tables) {
    it(`of ${needed} out of 3 is told by ${text}`, () => {
      const told = treatments.map(
        (missingData) => evaluateAlarm(alarm({ missingData, datapointsToAlarm: needed }), points(text), 0)?.state ?? 'keep',
      );
      assert.deepEqual(told, states);
    });
  }

  it('compares in four ways', () => {
    const told = (comparison: MetricAlarmDesired['comparison'], value: number) =>
      evaluateAlarm(alarm({ comparison, evaluationPeriods: 1, datapointsToAlarm: 1 }), [{ at: 0, value }], 0)?.state === 'ALARM';
    assert.deepEqual(
      [0, 1, 2].map((value) => told('GreaterThanThreshold', value)),
      [false, false, true],
    );
    assert.deepEqual(
      [0, 1, 2].map((value) => told('GreaterThanOrEqualToThreshold', value)),
      [false, true, true],
    );
    assert.deepEqual(
      [0, 1, 2].map((value) => told('LessThanThreshold', value)),
      [true, false, false],
    );
    assert.deepEqual(
      [0, 1, 2].map((value) => told('LessThanOrEqualToThreshold', value)),
      [true, true, false],
    );
  });

  it('says why in CloudWatch’s words', () => {
    const reason = (change: Partial<MetricAlarmDesired>, text: string) => evaluateAlarm(alarm(change), points(text), 0)?.reason;
    const one = { evaluationPeriods: 1, datapointsToAlarm: 1 };
    assert.equal(
      reason(one, 'X'),
      'Threshold Crossed: 1 out of the last 1 datapoint [5.0 (27/11/26 09:00:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).',
    );
    assert.equal(
      reason({}, 'X X 0'),
      'Threshold Crossed: 1 out of the last 3 datapoints [0.0 (27/11/26 09:02:00)] was not greater than or equal to the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition).',
    );
    assert.equal(reason(one, '-'), 'Insufficient Data: 1 datapoint was unknown.');
    assert.equal(
      reason({ missingData: 'breaching' }, '-'),
      'Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].',
    );
  });
});
