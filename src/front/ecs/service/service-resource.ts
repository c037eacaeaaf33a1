/** The ARN of a service that a call names by name or ARN, for its authorisation. */
import { clusterName, serviceArn } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';

export function serviceResource(scope: Scope, input: { cluster?: string | undefined; service?: string | undefined }): string {
  const ref = input.service ?? '';
  return ref.startsWith('arn:') ? ref : serviceArn(scope, clusterName(scope, input.cluster), ref);
}
