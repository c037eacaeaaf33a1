/** Start order: dependencies exist, can be met, and form no circle (RegisterTaskDefinition). */
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { refuse, refuseIf } from './refuse.ts';

/** Throws ClientError. */
export function assertDependencies(containers: ContainerDefinition[]): void {
  const byName = new Map(containers.map((container) => [container.name ?? '', container]));
  for (const container of containers) {
    for (const { containerName = '', condition } of container.dependsOn ?? []) {
      const target = byName.get(containerName);
      if (target === undefined) throw refuse(`Cannot depend on container ${containerName} because it does not exist.`);
      refuseIf(containerName === container.name, `Container '${containerName}' cannot depend on itself.`);
      refuseIf(
        (condition === 'SUCCESS' || condition === 'COMPLETE') && target.essential !== false,
        'A dependency container with SUCCESS or COMPLETE condition cannot be an essential container',
      );
      refuseIf(
        condition === 'HEALTHY' && target.healthCheck === undefined,
        'A dependency container with HEALTHY condition must have health check configured',
      );
      refuseIf(
        !['START', 'COMPLETE', 'SUCCESS', 'HEALTHY'].includes(condition ?? ''),
        `Invalid dependency condition '${condition}': use START, COMPLETE, SUCCESS or HEALTHY.`,
      );
    }
  }
  assertNoCycle(byName);
}

function assertNoCycle(byName: Map<string, ContainerDefinition>): void {
  const done = new Set<string>();
  const visit = (name: string, path: string[]): void => {
    if (done.has(name)) return;
    if (path.includes(name))
      throw refuse(`Container dependencies form a cycle: ${[...path.slice(path.indexOf(name)), name].join(' -> ')}.`);
    const container = byName.get(name);
    const before = [
      ...(container?.dependsOn ?? []).map((dependency) => dependency.containerName ?? ''),
      ...(container?.volumesFrom ?? []).map((from) => from.sourceContainer ?? ''),
    ];
    for (const next of before) visit(next, [...path, name]);
    done.add(name);
  };
  for (const name of byName.keys()) visit(name, []);
}
