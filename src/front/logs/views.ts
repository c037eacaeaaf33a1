/** Log groups and streams as the API shows them. */
import type { FilteredLogEvent, LogGroup as ApiGroup, LogStream as ApiStream } from '@aws-sdk/client-cloudwatch-logs';
import type { Scope } from '#domain/scope.ts';
import type { LogGroup, LogStream, StoredLogEvent } from '#logs/types.ts';
import { groupArn, streamArn } from './arn.ts';

export function groupView(group: LogGroup): ApiGroup {
  const arn = groupArn(group, group.name);
  return {
    logGroupName: group.name,
    creationTime: group.createdAt,
    ...(group.retentionDays === null ? {} : { retentionInDays: group.retentionDays }),
    metricFilterCount: group.metricFilters,
    arn: `${arn}:*`,
    logGroupArn: arn,
    storedBytes: group.storedBytes,
    logGroupClass: group.class,
    deletionProtectionEnabled: group.isProtected,
  };
}

export function streamView(scope: Scope, group: string, stream: LogStream): ApiStream {
  return {
    logStreamName: stream.name,
    creationTime: stream.createdAt,
    ...(stream.firstEventAt === null ? {} : { firstEventTimestamp: stream.firstEventAt }),
    ...(stream.lastEventAt === null ? {} : { lastEventTimestamp: stream.lastEventAt }),
    ...(stream.lastIngestionAt === null ? {} : { lastIngestionTime: stream.lastIngestionAt }),
    uploadSequenceToken: SEQUENCE_TOKEN,
    arn: streamArn(scope, group, stream.name),
    // AWS has shown 0 here since 2019.
    storedBytes: 0,
  };
}

/** Accepted and ignored since 2023; older clients still pass it on. */
export const SEQUENCE_TOKEN = '49039859624969563520000000000000000000000000000000000000';

export function eventView(event: StoredLogEvent): FilteredLogEvent {
  return {
    logStreamName: event.stream,
    timestamp: event.timestamp,
    message: event.message,
    ingestionTime: event.ingestedAt,
    eventId: event.eventId,
  };
}
