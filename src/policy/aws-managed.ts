/**
 * AWS's own managed policies, all that an account can attach. Their texts are AWS's, as moto (Apache-2.0) gathered them. The file has one on each line,
 * and only lines that somebody asks about are kept: most instances ask about one or two.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `document`: its JSON text. Times as ISO 8601. */
export type AwsManagedPolicy = { version: string; createdAt: string; updatedAt: string; document: string };

const asked = new Map<string, AwsManagedPolicy>();
let all: Map<string, Omit<AwsManagedPolicy, 'document'>> | undefined;

const readAll = () => readFileSync(join(import.meta.dirname, 'aws-managed.json'), 'utf8');

/** By ARN. */
export function awsManagedPolicies(): ReadonlyMap<string, Omit<AwsManagedPolicy, 'document'>> {
  if (all !== undefined) return all;
  all = new Map();
  for (const [arn, { version, createdAt, updatedAt }] of Object.entries(JSON.parse(readAll()) as Record<string, AwsManagedPolicy>))
    all.set(arn, { version, createdAt, updatedAt });
  return all;
}

export function awsManagedPolicy(arn: string): AwsManagedPolicy | undefined {
  const before = asked.get(arn);
  if (before !== undefined) return before;
  const text = readAll();
  const name = `\n${JSON.stringify(arn)}: `;
  const from = text.indexOf(name);
  if (from < 0) return undefined;
  const line = text.slice(from + name.length, text.indexOf('\n', from + name.length));
  const policy = JSON.parse(line.replace(/,$/, '')) as AwsManagedPolicy;
  asked.set(arn, policy);
  return policy;
}
