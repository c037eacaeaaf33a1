/**
 * The tables, and the steps that brought them here. `PRAGMA user_version` counts the steps that a database has taken; a step is never
 * changed once released, a new one is added. Bodies are JSON; what is searched by stands beside them in columns of its own.
 */
import { DELIVERY_LANES_STEP, EVENTS_STEP } from './events-schema.ts';
import { Fault } from '#base/fault.ts';
import { REGISTRY_PAGES_STEP, REGISTRY_STEP } from './registry-tables.ts';
import type { Sqlite } from './sqlite.ts';

/** What ended before and can still be described is in the ledger from its beginning. */
export const USAGE_STEP = `
CREATE TABLE usage (account TEXT, region TEXT, to_at INTEGER, kind TEXT, id TEXT, from_at INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (account, region, to_at, kind, id, from_at)) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_end ON usage (to_at);
CREATE INDEX usage_of_file_systems ON usage (id, to_at) WHERE kind = 'fileSystem';
INSERT INTO usage SELECT account, region,
    (observed ->> 'pullStartedAt') + max(60000, (stopped_at - (observed ->> 'pullStartedAt') + 999) / 1000 * 1000), 'task', id, observed ->> 'pullStartedAt',
    json_object('rates', json_object('cpuMillis', cpu_millis, 'memoryMib', (memory_bytes + 1048575) / 1048576,
        'ephemeralMib', max(0, (coalesce(desired ->> '$.spec.ephemeralBytes', 0) + 1048575) / 1048576 - 20480)),
      'cluster', cluster, 'service', service, 'family', family,
      'tags', (SELECT json_group_array(json_array(value ->> 'key', value ->> 'value')) FROM json_each(desired, '$.tags')))
  FROM tasks WHERE live = 0 AND observed ->> 'pullStartedAt' IS NOT NULL AND stopped_at IS NOT NULL;
`;

const steps: string[] = [
  `
  CREATE TABLE clusters (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE task_definitions (account TEXT, region TEXT, family TEXT, taskRevision INTEGER, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, family, taskRevision)) STRICT;
  CREATE TABLE task_families (account TEXT, region TEXT, family TEXT, last INTEGER NOT NULL,
    PRIMARY KEY (account, region, family)) STRICT, WITHOUT ROWID;
  CREATE TABLE vpcs (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE subnets (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE security_groups (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE settings (account TEXT, region TEXT, principal TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, principal, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE attributes (account TEXT, region TEXT, cluster TEXT, name TEXT, targetId TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name, targetId)) STRICT, WITHOUT ROWID;
  CREATE TABLE client_tokens (account TEXT, region TEXT, cluster TEXT, operation TEXT, token TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, operation, token)) STRICT, WITHOUT ROWID;
  CREATE INDEX client_tokens_by_expiry ON client_tokens (json_extract(body, '$.expiresAt'));
  CREATE TABLE hosts (hostId TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (hostId)) STRICT, WITHOUT ROWID;
  CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE tasks (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, cluster TEXT NOT NULL, revision INTEGER NOT NULL,
    -- one JSON column for each writer
    desired TEXT NOT NULL, placement TEXT, observed TEXT NOT NULL,
    -- out of desired
    desired_status TEXT NOT NULL, family TEXT NOT NULL, task_group TEXT NOT NULL, started_by TEXT, endpoint TEXT,
    subnet_id TEXT NOT NULL, cpu_millis INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,
    -- out of placement
    host_id TEXT, ip TEXT, placed_at INTEGER,
    -- out of observed; ended: it stopped, or is about to, by itself
    status TEXT NOT NULL, live INTEGER NOT NULL, ended INTEGER NOT NULL, stopped_at INTEGER
  ) STRICT;
  CREATE INDEX tasks_by_cluster ON tasks (account, region, cluster, desired_status, id);
  CREATE INDEX tasks_by_family ON tasks (account, region, family, id);
  CREATE INDEX tasks_by_group ON tasks (account, region, task_group, id);
  CREATE INDEX tasks_by_starter ON tasks (account, region, started_by, id) WHERE started_by IS NOT NULL;
  CREATE INDEX tasks_by_host ON tasks (host_id, id) WHERE live = 1;
  CREATE INDEX tasks_live ON tasks (id) WHERE live = 1;
  CREATE INDEX tasks_unplaced ON tasks (id) WHERE live = 1 AND host_id IS NULL;
  CREATE INDEX tasks_by_stop ON tasks (stopped_at) WHERE live = 0;
  CREATE INDEX tasks_by_endpoint ON tasks (live, endpoint, stopped_at) WHERE endpoint IS NOT NULL;
  CREATE INDEX tasks_by_subnet ON tasks (subnet_id, placed_at) WHERE ip IS NOT NULL;
  `,
  // Holds all that a look at the live tasks asks for: a row's later columns lie behind the pages of its JSON.
  `
  DROP INDEX tasks_live;
  CREATE INDEX tasks_live ON tasks (id, desired_status, status, host_id, subnet_id, ip, placed_at, cpu_millis, memory_bytes) WHERE live = 1;
  `,
  // Services, load balancers and certificates. A task's service and whether its end was noted stand beside it.
  `
  CREATE TABLE services (account TEXT, region TEXT, cluster TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE service_revisions (account TEXT, region TEXT, cluster TEXT, name TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE service_deployments (account TEXT, region TEXT, cluster TEXT, name TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE task_sets (account TEXT, region TEXT, cluster TEXT, name TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE service_events (account TEXT, region TEXT, cluster TEXT, name TEXT, "order" TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, cluster, name, "order")) STRICT, WITHOUT ROWID;
  CREATE TABLE load_balancers (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE listeners (account TEXT, region TEXT, loadBalancer TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, loadBalancer, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE listener_rules (account TEXT, region TEXT, loadBalancer TEXT, listener TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, loadBalancer, listener, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE target_groups (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE targets (account TEXT, region TEXT, "group" TEXT, target TEXT, port INTEGER, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL, task_id TEXT,
    PRIMARY KEY (account, region, "group", target, port)) STRICT, WITHOUT ROWID;
  CREATE INDEX targets_by_task ON targets (task_id) WHERE task_id IS NOT NULL;
  CREATE TABLE certificates (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  ALTER TABLE tasks ADD COLUMN service TEXT;
  ALTER TABLE tasks ADD COLUMN accounted INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX tasks_by_service ON tasks (account, region, cluster, service, id) WHERE service IS NOT NULL AND (live = 1 OR accounted = 0);
  `,
  // What belongs to a VPC.
  `
  CREATE TABLE security_group_rules (account TEXT, region TEXT, "group" TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, "group", id)) STRICT, WITHOUT ROWID;
  CREATE TABLE route_tables (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE internet_gateways (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  `,
  // What the loops of services look at, without the JSON behind it.
  `
  DROP INDEX tasks_by_service;
  CREATE INDEX tasks_by_service ON tasks (account, region, cluster, service, id, revision, live, accounted, started_by, desired_status, ended, status, ip, subnet_id)
    WHERE service IS NOT NULL AND (live = 1 OR accounted = 0);
  DROP INDEX targets_by_task;
  CREATE INDEX targets_by_task ON targets (task_id, revision) WHERE task_id IS NOT NULL;
  CREATE INDEX service_deployments_open ON service_deployments (account, region, cluster, name, id, revision)
    WHERE json_extract(observed, '$.status') NOT IN ('SUCCESSFUL', 'STOPPED', 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED');
  CREATE INDEX task_sets_short ON task_sets (account, region, cluster, name, id, revision);
  `,
  // Shared file systems.
  `
  CREATE TABLE file_systems (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE access_points (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE mount_targets (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  `,
  // Block volumes.
  `
  CREATE TABLE volumes (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE snapshots (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  `,
  // Alarms.
  `
  CREATE TABLE alarms (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  `,
  // Users, roles, their keys and policies.
  `
  CREATE TABLE iam_users (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE iam_roles (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE iam_policies (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE iam_instance_profiles (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE iam_access_keys (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX iam_access_keys_by_id ON iam_access_keys (id);
  CREATE TABLE iam_stamps (account TEXT, region TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region)) STRICT, WITHOUT ROWID;
  `,
  USAGE_STEP,
  // Secrets and parameters; their values are encrypted.
  `
  CREATE TABLE secrets (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE secret_versions (account TEXT, region TEXT, secret TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, secret, id)) STRICT;
  CREATE TABLE parameters (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE parameter_versions (account TEXT, region TEXT, name TEXT, version INTEGER, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name, version)) STRICT;
  `,
  EVENTS_STEP,
  REGISTRY_STEP,
  // Dashboards.
  `
  CREATE TABLE dashboards (account TEXT, region TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, name)) STRICT, WITHOUT ROWID;
  `,
  // File systems that were deleted, until their files are gone from every host.
  `
  CREATE TABLE file_system_deletions (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  `,
  // File systems that show buckets.
  `
  CREATE TABLE bucket_systems (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, desired TEXT NOT NULL, observed TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE bucket_access_points (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE bucket_mount_targets (account TEXT, region TEXT, id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
  `,
  DELIVERY_LANES_STEP,
  REGISTRY_PAGES_STEP,
];

/** Brings a database to the newest version, each step in a transaction of its own. Throws Fault Unsupported on one from the future. */
export function migrate(db: Sqlite): void {
  const version = Number(db.first('PRAGMA user_version', [])?.['user_version'] ?? 0);
  if (version > steps.length) {
    throw new Fault(
      'Unsupported',
      `the database is of version ${version} and this berth knows versions up to ${steps.length}: use the newer berth that wrote it`,
    );
  }
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(step);
      db.exec(`PRAGMA user_version = ${index + 1}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction()) db.exec('ROLLBACK');
      throw error;
    }
  }
}
