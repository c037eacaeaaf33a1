/** A cluster's `executeCommandConfiguration`: how the sessions of ExecuteCommand are recorded (API reference, ExecuteCommandConfiguration). */
import type { ClusterConfiguration } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';

/** What holds where a cluster says nothing is DEFAULT, as on AWS. */
export function execConfigurationOf(configuration: ClusterConfiguration | Record<string, unknown> | null): {
  logging: 'NONE' | 'DEFAULT' | 'OVERRIDE';
  group: string | null;
} {
  const exec = (configuration as ClusterConfiguration | null)?.executeCommandConfiguration;
  return { logging: exec?.logging ?? 'DEFAULT', group: exec?.logConfiguration?.cloudWatchLogGroupName ?? null };
}

/** Refused by name is what berth can't do yet: it would otherwise record nothing without a word. */
export function checkedConfiguration(configuration: ClusterConfiguration): Record<string, unknown> {
  const exec = configuration.executeCommandConfiguration;
  const refuse = (text: string) => new Fault('InvalidParameter', text);
  if (exec?.kmsKeyId !== undefined) throw new Fault('Unsupported', 'executeCommandConfiguration.kmsKeyId: berth has no keys of AWS KMS.');
  const log = exec?.logConfiguration;
  if (log?.s3BucketName !== undefined) {
    throw new Fault(
      'Unsupported',
      'executeCommandConfiguration.logConfiguration.s3BucketName: berth has no S3 yet; name a cloudWatchLogGroupName.',
    );
  }
  if (exec?.logging === 'OVERRIDE' && log?.cloudWatchLogGroupName === undefined) {
    throw refuse('A logConfiguration with a cloudWatchLogGroupName must be specified when logging is OVERRIDE.');
  }
  if (exec?.logging !== 'OVERRIDE' && log !== undefined) throw refuse('A logConfiguration can only be specified when logging is OVERRIDE.');
  return configuration as Record<string, unknown>;
}
