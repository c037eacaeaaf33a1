/** Settings of a cluster: AWS's `containerInsights`, and berth's own switches, whose names begin with `berth:`. */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';

export type ClusterSetting = { name: string; value: string };

/** `disabled` keeps AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION out of the cluster's containers. */
export const ENDPOINT_INJECTION = 'berth:endpoint-injection';

const allowed: Record<string, readonly string[]> = {
  containerInsights: ['enabled', 'disabled', 'enhanced'],
  [ENDPOINT_INJECTION]: ['enabled', 'disabled'],
};

/** Throws InvalidParameter for a name or a value that no cluster has. */
export function assertClusterSettings(settings: ClusterSetting[]): void {
  for (const { name, value } of settings) {
    const values = allowed[name];
    if (values === undefined) {
      throw new Fault('InvalidParameter', `'${clip(name)}' is not a cluster setting: use one of ${Object.keys(allowed).join(', ')}.`);
    }
    if (!values.includes(value)) {
      throw new Fault('InvalidParameter', `'${clip(value)}' is not a value of ${name}: use one of ${values.join(', ')}.`);
    }
  }
}

export function mergeClusterSettings(present: ClusterSetting[], changes: ClusterSetting[]): ClusterSetting[] {
  const merged = new Map([...present, ...changes].map((setting) => [setting.name, setting.value]));
  return [...merged].map(([name, value]) => ({ name, value }));
}

export function injectsEndpoint(settings: ClusterSetting[]): boolean {
  return settings.find((setting) => setting.name === ENDPOINT_INJECTION)?.value !== 'disabled';
}
