/**
 * Events and what is done about them: EventBridge's buses, rules and targets, and EventBridge Scheduler's schedules. Sources: EventBridge API reference, version
 * 2015-10-07; EventBridge Scheduler API reference, version 2021-06-30. Times in ms since the epoch.
 */
import type { Json } from '#base/fault.ts';
import type { AlarmState } from './alarm.ts';
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export const DEFAULT_BUS = 'default';

/** An event as its consumers get it (EventBridge user guide, "Structure of events"). */
export type EventEnvelope = {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  /** `2026-11-27T12:00:00Z`. */
  time: string;
  region: string;
  resources: string[];
  detail: { [key: string]: Json };
};

/** Of a bus; `seq` grows with each event of this berth. */
export type EventRow = Scope & { seq: number; bus: string; at: number; event: EventEnvelope };

/** What a target gets of an event: the whole, a constant (JSON text), a part, or a template filled in. */
export type TargetInput = { constant?: string; path?: string; transformer?: { paths: Record<string, string>; template: string } };

export type EventTarget = {
  id: string;
  arn: string;
  roleArn: string | null;
  input: TargetInput;
  /** Tries beyond the first, and the age of an event past which there are none. */
  maxAttempts: number;
  maxAgeMs: number;
  /** Where what could not be delivered goes: a log group's ARN; null: nowhere. */
  deadLetterArn: string | null;
  /** EcsParameters, HttpParameters and the like as the API has them: read by who carries it out. */
  parameters: Record<string, unknown>;
  /** The target as its API shows it back, opaque to berth. */
  front: Record<string, unknown>;
};

export type EventBusRecord = {
  key: Scope & { name: string };
  revision: number;
  createdAt: number;
  updatedAt: number;
  description: string | null;
  tags: Tag[];
};

export type EventRuleRecord = {
  key: Scope & { bus: string; name: string };
  revision: number;
  desired: {
    createdAt: number;
    enabled: boolean;
    description: string | null;
    /** JSON text. A rule has a pattern, a schedule or both. */
    pattern: string | null;
    schedule: string | null;
    /** From when on the schedule counts: since it was made, changed or enabled. */
    scheduledFrom: number;
    roleArn: string | null;
    tags: Tag[];
    targets: EventTarget[];
  };
  /** The time of the schedule that was seen to last. */
  observed: { firedFor: number | null };
};

export type ScheduleGroupRecord = { key: Scope & { name: string }; revision: number; createdAt: number; updatedAt: number; tags: Tag[] };

export type ScheduleRecord = {
  key: Scope & { group: string; name: string };
  revision: number;
  desired: {
    createdAt: number;
    updatedAt: number;
    expression: string;
    zone: string;
    startAt: number | null;
    endAt: number | null;
    enabled: boolean;
    description: string | null;
    /** FlexibleTimeWindow; null: OFF. */
    windowMs: number | null;
    deleteWhenDone: boolean;
    scheduledFrom: number;
    target: EventTarget;
  };
  observed: { firedFor: number | null };
};

/** Who a webhook takes berth for. */
export type ConnectionRecord = {
  key: Scope & { name: string };
  revision: number;
  id: string;
  createdAt: number;
  updatedAt: number;
  description: string | null;
  kind: 'BASIC' | 'API_KEY';
  /** Headers, query string and body parameters that each call gets, JSON, encrypted by the vault. */
  secret: string;
  /** AuthParameters as DescribeConnection shows them: without secrets. */
  shown: Record<string, unknown>;
};

export type ApiDestinationRecord = {
  key: Scope & { name: string };
  revision: number;
  id: string;
  createdAt: number;
  updatedAt: number;
  description: string | null;
  connection: string;
  endpoint: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** Calls a second at most. */
  rate: number;
};

/** What is on its way to a target: until it arrived, or was given up. */
export type Delivery = Scope & {
  /** Also the idempotency token of what is done. */
  id: string;
  dueAt: number;
  /** Of the rule, schedule or alarm that it comes from. */
  sourceArn: string;
  sourceName: string;
  target: EventTarget;
  event: EventEnvelope;
  /** When it was put here, which its age counts from. */
  at: number;
  attempts: number;
  /** Of an alarm's action: the alarm, whose history is told how it went. */
  alarm: { name: string; state: AlarmState } | null;
};

export const busArn = ({ account, region }: Scope, name: string) => `arn:aws:events:${region}:${account}:event-bus/${name}`;
export const ruleArn = ({ account, region, bus, name }: EventRuleRecord['key']) =>
  `arn:aws:events:${region}:${account}:rule/${bus === DEFAULT_BUS ? '' : `${bus}/`}${name}`;
export const connectionArn = ({ account, region, name }: ConnectionRecord['key'], id: string) =>
  `arn:aws:events:${region}:${account}:connection/${name}/${id}`;
export const destinationArn = ({ account, region, name }: ApiDestinationRecord['key'], id: string) =>
  `arn:aws:events:${region}:${account}:api-destination/${name}/${id}`;
export const scheduleArn = ({ account, region, group, name }: ScheduleRecord['key']) =>
  `arn:aws:scheduler:${region}:${account}:schedule/${group}/${name}`;
export const scheduleGroupArn = ({ account, region, name }: ScheduleGroupRecord['key']) =>
  `arn:aws:scheduler:${region}:${account}:schedule-group/${name}`;

/** `2026-11-27T12:00:00Z`, as events have it. */
export const eventTime = (at: number) => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** What a connection's secret belongs to. */
export const connectionContext = (id: string) => ({ purpose: 'event-connection', id });
