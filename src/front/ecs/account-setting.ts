/** A setting as the API shows it. */
import type { Setting } from '@aws-sdk/client-ecs';

/** Settings that AWS itself makes, and nobody may change. */
const awsManaged = ['guardDutyActivate'];

export function describeSetting(name: string, value: string, principalArn: string): Setting {
  return {
    name: name as NonNullable<Setting['name']>,
    value,
    principalArn,
    type: awsManaged.includes(name) ? 'aws_managed' : 'user',
  };
}
