/**
 * What happened to records that others want to hear of: the store notes it in the transaction that did it, and control/events makes events of it. A note has what
 * the record will not have any more by then.
 */
import type { AlarmObserved } from './alarm.ts';
import type { EventEnvelope } from './event.ts';
import type { Scope } from './scope.ts';
import type { ServiceDeploymentRecord, ServiceDeploymentStatus, ServiceKey } from './service.ts';
import { serviceActionOf } from './service-action.ts';
import type { DesiredStatus, Stop, TaskObserved } from './task.ts';

export type Change =
  | { kind: 'task'; id: string; desired: DesiredStatus; stop: (Stop & { at: number }) | null; placed: boolean; observed: TaskObserved }
  | { kind: 'serviceEvent'; service: ServiceKey; id: string; at: number; message: string }
  | {
      kind: 'deployment';
      deployment: ServiceDeploymentRecord['key'];
      revisionId: string;
      what: DeploymentChange;
      reason: string;
      at: number;
    }
  | { kind: 'host'; hostId: string; connected: boolean }
  | { kind: 'alarm'; alarm: Scope & { name: string }; before: AlarmSaid; after: AlarmSaid }
  /** A caller's own, by PutEvents. */
  | { kind: 'put'; bus: string; event: EventEnvelope };

export type ChangeRow = { seq: number; at: number; change: Change };

export type AlarmSaid = Pick<AlarmObserved, 'state' | 'reason' | 'reasonData' | 'stateUpdatedAt'>;

export type DeploymentChange = 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';

/** Of the events that a service tells, those that ECS tells EventBridge too. */
export const isAction = (message: string) => serviceActionOf(message) !== null;

/** What a deployment's move means to those outside; a rollback is a deployment that is under way again. */
export function deploymentChanges(from: ServiceDeploymentStatus | null, to: ServiceDeploymentStatus): DeploymentChange[] {
  if (from === to) return [];
  switch (to) {
    case 'PENDING':
      return [];
    case 'IN_PROGRESS':
      return ['IN_PROGRESS'];
    case 'SUCCESSFUL':
    case 'ROLLBACK_SUCCESSFUL':
      return ['COMPLETED'];
    case 'ROLLBACK_IN_PROGRESS':
      return ['FAILED', 'IN_PROGRESS'];
    case 'ROLLBACK_FAILED':
    case 'STOPPED':
      return ['FAILED'];
    case 'STOP_REQUESTED':
    case 'ROLLBACK_REQUESTED':
      return [];
  }
}
