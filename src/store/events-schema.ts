/** The schema's step of events: what happened and was not told yet, what was told, what is on its way; and who wants to hear of it. */
export const EVENTS_STEP = `
  CREATE TABLE changes (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, bus TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE INDEX events_by_time ON events (at);
  CREATE TABLE event_deliveries (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, due_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE INDEX event_deliveries_due ON event_deliveries (due_at);
  CREATE TABLE event_buses (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE event_rules (account TEXT, region TEXT, bus TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, bus, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE event_connections (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE event_destinations (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE schedule_groups (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE schedules (account TEXT, region TEXT, "group" TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, "group", name)) STRICT, WITHOUT ROWID;
  `;

/** What waits for one target is found without reading what waits for others. */
export const DELIVERY_LANES_STEP = `
  ALTER TABLE event_deliveries ADD COLUMN lane TEXT GENERATED ALWAYS AS (json_extract(body, '$.sourceArn') || ' ' || json_extract(body, '$.target.id')) VIRTUAL;
  CREATE INDEX event_deliveries_lane ON event_deliveries (lane, due_at);
  `;
