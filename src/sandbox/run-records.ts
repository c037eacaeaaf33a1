/** Records of a run one by one, for what looks at each line. */
import { containerAt, hasGap, isPartial, RECORD_HEAD, sourceAt, timeMsAt, walkRun } from '#base/output-run.ts';
import type { OutputRun } from '#base/output-run.ts';
import type { OutputRecord } from './driver.ts';

/** `from`, `to`: its place in the spool. The text is copied: a part of a line that is kept must not keep a whole run. */
export function eachRecord(run: OutputRun, names: string[], each: (record: OutputRecord, from: number, to: number) => void): void {
  const { bytes } = run;
  walkRun(bytes, (head, end) => {
    const record = {
      container: names[containerAt(bytes, head)] ?? '',
      source: sourceAt(bytes, head),
      timeMs: timeMsAt(bytes, head),
      data: Buffer.from(bytes.subarray(head + RECORD_HEAD, end)),
      partial: isPartial(bytes, head),
      gap: hasGap(bytes, head),
    };
    each(record, run.from + head, run.from + end);
  });
}
