/** What the operations of EventBridge Scheduler work with. */
import type { Scope } from '#domain/scope.ts';
import type { IntentDeps } from '#intent/index.ts';

export type SchedulerDeps = IntentDeps & {
  /** Whether this service may act as the role for a schedule, by the role's trust policy. */
  mayAssume(scope: Scope, wish: { roleArn: string; service: string; sourceArn: string }): Promise<boolean>;
};
