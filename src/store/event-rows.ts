/** The log of events, and what of them is on its way to targets. */
import type { Delivery, EventRow } from '#domain/event.ts';
import type { Scope } from '#domain/scope.ts';
import type { Session } from './session.ts';
import type { Line } from './sqlite.ts';

export type EventRows = {
  /** Of one account and region, in order: those after `after`; with `before` the last ones before it, also in order. */
  list(scope: Scope, options: { after?: number; before?: number; limit: number }): Promise<EventRow[]>;
  /** The newest of this berth; 0 when there never was one. */
  last(): Promise<number>;
};
export type WritableEventRows = EventRows & {
  add(row: Omit<EventRow, 'seq'>): Promise<void>;
  /** Forgets up to `limit`: those from before, and the oldest beyond `most`; how many they were. */
  expire(options: { before: number; most: number; limit: number }): Promise<number>;
};

export type DeliveryRows = {
  get(id: string): Promise<Delivery | undefined>;
  /**
   * Due by `now`, by lane (a target of one rule, schedule or alarm): up to `each` of a lane, the longest due first, of up to `lanes` lanes, those that wait longest first. `except`:
   * lanes that are busy. So however much waits for one target, what waits for others is seen.
   */
  due(now: number, options: { lanes: number; each: number; except: readonly string[] }): Promise<Map<string, Delivery[]>>;
  /** When the next is due after `now`. */
  nextDue(now: number): Promise<number | undefined>;
  count(): Promise<number>;
};
export type WritableDeliveryRows = DeliveryRows & {
  /** Also over one of the same id. */
  put(delivery: Delivery): Promise<void>;
  delete(id: string): Promise<void>;
};

export function eventRows(session: Session): WritableEventRows {
  return {
    async list({ account, region }, { after, before, limit }) {
      const [bound, order, at] = before === undefined ? ['seq > ?', 'ASC', after ?? 0] : ['seq < ?', 'DESC', before];
      const sql = `SELECT seq, account, region, bus, at, body FROM events WHERE account = ? AND region = ? AND ${bound} ORDER BY seq ${order} LIMIT ?`;
      const rows = session.db().all(sql, [account, region, at, limit]).map(decodeEvent);
      return before === undefined ? rows : rows.toReversed();
    },
    last: async () => Number(session.db().first("SELECT seq FROM sqlite_sequence WHERE name = 'events'", [])?.['seq'] ?? 0),
    async add({ account, region, bus, at, event }) {
      const sql = 'INSERT INTO events (account, region, bus, at, body) VALUES (?, ?, ?, ?, ?)';
      session.writing('events').run(sql, [account, region, bus, at, JSON.stringify(event)]);
    },
    async expire({ before, most, limit }) {
      const db = session.writing('events');
      const surplus = Math.max(0, Number(db.first('SELECT count(*) AS n FROM events', [])?.['n'] ?? 0) - most);
      const old = db.run('DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?)', [before, limit]);
      const rest = Math.min(limit, surplus) - old;
      if (rest <= 0) return old;
      return old + db.run('DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)', [rest]);
    },
  };
}

/** Goes from lane to lane of the index, however many rows each has. */
const DUE_LANES = `
  WITH RECURSIVE lanes(lane) AS (
    SELECT min(lane) FROM event_deliveries
    UNION ALL
    SELECT (SELECT min(lane) FROM event_deliveries WHERE lane > lanes.lane) FROM lanes WHERE lane IS NOT NULL
  )
  SELECT lanes.lane FROM lanes
  JOIN event_deliveries AS first ON first.seq = (SELECT seq FROM event_deliveries AS one WHERE one.lane = lanes.lane ORDER BY due_at, seq LIMIT 1)
  WHERE first.due_at <= ? AND lanes.lane NOT IN (SELECT value FROM json_each(?)) ORDER BY first.due_at, first.seq LIMIT ?`;

export function deliveryRows(session: Session): WritableDeliveryRows {
  const decode = (line: Line) => JSON.parse(line['body'] as string) as Delivery;
  return {
    async get(id) {
      const line = session.db().first('SELECT body FROM event_deliveries WHERE id = ?', [id]);
      return line === undefined ? undefined : decode(line);
    },
    async due(now, { lanes, each, except }) {
      const waiting = session
        .db()
        .all(DUE_LANES, [now, JSON.stringify(except), lanes])
        .map(({ lane }) => lane as string);
      const ofLane = 'SELECT body FROM event_deliveries WHERE lane = ? AND due_at <= ? ORDER BY due_at, seq LIMIT ?';
      return new Map(waiting.map((lane) => [lane, session.db().all(ofLane, [lane, now, each]).map(decode)]));
    },
    async nextDue(now) {
      const found = session.db().first('SELECT min(due_at) AS due FROM event_deliveries WHERE due_at > ?', [now])?.['due'];
      return found === null || found === undefined ? undefined : Number(found);
    },
    count: async () => Number(session.db().first('SELECT count(*) AS n FROM event_deliveries', [])?.['n'] ?? 0),
    async put(delivery) {
      const sql = 'INSERT INTO event_deliveries (id, due_at, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body'; // prettier-ignore
      session.writing('eventDeliveries').run(sql, [delivery.id, delivery.dueAt, JSON.stringify(delivery)]);
    },
    delete: async (id) => void session.writing('eventDeliveries').run('DELETE FROM event_deliveries WHERE id = ?', [id]),
  };
}

function decodeEvent(line: Line): EventRow {
  const { seq, account, region, bus, at, body } = line as Record<string, string>;
  return { seq: Number(seq), account: account ?? '', region: region ?? '', bus: bus ?? '', at: Number(at), event: JSON.parse(body ?? '') };
}
