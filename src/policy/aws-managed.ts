/**
 * AWS's own managed policies, those that have to do with what berth serves and with what tasks commonly call. Their texts are AWS's, as moto (Apache-2.0)
 * gathered them (EventBridge, and ECR pulls alone: as MAMIP did); they are read at first use, since most instances never ask.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `document`: its JSON text. Times as ISO 8601. */
export type AwsManagedPolicy = { version: string; createdAt: string; updatedAt: string; document: string };

let all: Map<string, AwsManagedPolicy> | undefined;

/** By ARN. */
export function awsManagedPolicies(): ReadonlyMap<string, AwsManagedPolicy> {
  all ??= new Map(
    Object.entries(JSON.parse(readFileSync(join(import.meta.dirname, 'aws-managed.json'), 'utf8')) as Record<string, AwsManagedPolicy>),
  );
  return all;
}

export function awsManagedPolicy(arn: string): AwsManagedPolicy | undefined {
  return awsManagedPolicies().get(arn);
}
