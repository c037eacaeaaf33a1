/** The Range header (RFC 9110, section 14.2), of which S3 serves one range. */
import { s3Fault } from '#objects/index.ts';

/** Bytes `from` to `to`, exclusive. */
export type Span = { from: number; to: number; isRange: boolean };

/** What isn't a range of bytes is passed over, as the RFC has it. Throws InvalidRange. */
export function readRange(text: string | undefined, size: number): Span {
  const whole = { from: 0, to: size, isRange: false };
  const found = /^bytes=(\d*)-(\d*)$/.exec(text?.trim() ?? '');
  if (found === null) return whole;
  const [, first = '', last = ''] = found;
  if (first === '' && last === '') return whole;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return whole;
  if (from < to) return { from, to, isRange: true };
  throw s3Fault('InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: text ?? '',
    ActualObjectSize: String(size),
    headers: { 'Content-Range': `bytes */${size}` },
  });
}

/** UploadPartCopy's, which must be there whole: `bytes=first-last`. */
export function readCopyRange(text: string | undefined, size: number): { from: number; to: number } {
  if (text === undefined) return { from: 0, to: size };
  const found = /^bytes=(\d+)-(\d+)$/.exec(text.trim());
  const [from, last] = [Number(found?.[1]), Number(found?.[2])];
  if (found === null || last < from) {
    throw s3Fault('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy', { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: text.slice(0, 200) }); // prettier-ignore
  }
  if (last < size) return { from, to: last + 1 };
  throw s3Fault('InvalidArgument', `Range specified is not valid for source object of size: ${size}`, {
    ArgumentName: 'x-amz-copy-source-range',
    ArgumentValue: text.slice(0, 200),
  });
}
