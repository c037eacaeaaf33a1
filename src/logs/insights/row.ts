/** One event, or one line of a `stats`, as the commands of a query see it: fields that were computed, those that each event has, and those of its JSON. */
import { Instant, type Value } from './values.ts';

export type RowEvent = { at: number; message: string; ingestedAt: number; stream: string; log: string };

export type Row = {
  get(name: string): Value;
  set(name: string, value: Value): void;
  /** Bytes that it holds, about. */
  size(): number;
};

export function createRow(event: RowEvent | undefined): Row {
  const computed = new Map<string, Value>();
  let json: unknown;
  let isParsed = false;

  function ofEvent(name: string, { at, message, ingestedAt, stream, log }: RowEvent): Value {
    switch (name) {
      case '@timestamp':
        return new Instant(at);
      case '@message':
        return message;
      case '@logStream':
        return stream;
      case '@log':
        return log;
      case '@ingestionTime':
        return new Instant(ingestedAt);
      default:
        if (!isParsed) json = parseJson(message);
        isParsed = true;
        return ofJson(json, name);
    }
  }

  return {
    get: (name) => (computed.has(name) ? computed.get(name) : event === undefined ? undefined : ofEvent(name, event)),
    set: (name, value) => void computed.set(name, value),
    size() {
      let bytes = 200 + (event?.message.length ?? 0) * (isParsed && json !== undefined ? 3 : 1);
      for (const [name, value] of computed) bytes += 50 + name.length + (typeof value === 'string' ? value.length : 8);
      return bytes;
    },
  };
}

function parseJson(message: string): unknown {
  if (!/^\s*[{[]/.test(message)) return undefined;
  try {
    return JSON.parse(message) as unknown;
  } catch {
    return undefined; // No JSON: it has no fields.
  }
}

/** `a.b.0`: members and places, the longest name first. */
function ofJson(json: unknown, name: string): Value {
  if (typeof json !== 'object' || json === null) return undefined;
  if (Object.hasOwn(json, name)) return plain((json as Record<string, unknown>)[name]);
  for (let cut = name.lastIndexOf('.'); cut > 0; cut = name.lastIndexOf('.', cut - 1)) {
    const head = name.slice(0, cut);
    if (Object.hasOwn(json, head)) return ofJson((json as Record<string, unknown>)[head], name.slice(cut + 1));
  }
  return undefined;
}

function plain(value: unknown): Value {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}
