/**
 * Amazon EventBridge, as far as it is served: rules, targets, buses, callers' own events, API destinations. Archives, replays, partners, global endpoints, schemas and
 * bus policies are named by the gateway as not there. Reference: EventBridge API reference, version 2015-10-07.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { eventsAccess } from './access.ts';
import { busOperations } from './buses.ts';
import { destinationOperations } from './destinations.ts';
import { eventsErrors } from './errors.ts';
import { putEventsOperation, testEventPattern } from './put-events.ts';
import { ruleOperations } from './rules.ts';
import type { EventsDeps } from './types.ts';

export { groupOf } from './target-input.ts';
export type { CallSecrets } from './webhook.ts';
export type { EventsDeps } from './types.ts';

export function createEventsApi(deps: EventsDeps): ApiSpec {
  return {
    service: 'events',
    protocol: 'json-1.1',
    target: 'AWSEvents',
    schemaPackage: '@aws-sdk/client-eventbridge',
    errors: eventsErrors,
    operations: guarded(eventsAccess(deps), [
      ...ruleOperations(deps),
      ...busOperations(deps),
      ...destinationOperations(deps),
      putEventsOperation(deps),
      testEventPattern(),
    ]),
  };
}
