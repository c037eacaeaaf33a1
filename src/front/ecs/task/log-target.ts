/** A container's log configuration -> where its output goes, and what happens when nobody takes it. Pure. */
import type { ContainerDefinition, Secret } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import type { ContainerSpec, FirelensSpec, LogDelivery, LogTarget, SecretRef } from '#domain/task-spec.ts';
import { datetimePattern } from '../definition/datetime-pattern.ts';

export type LogInput = {
  taskId: string;
  region: string;
  /** What holds where a definition names no mode: the account setting defaultLogDriverMode. */
  logMode?: LogDelivery['mode'] | undefined;
};

/** Of awslogs the stream is `prefix/container/task`, as on Fargate. */
export function logTarget(container: ContainerDefinition, all: ContainerDefinition[], input: LogInput): LogTarget | null {
  const log = container.logConfiguration;
  const options = log?.options ?? {};
  const delivery = deliveryOf(options, input);
  const refs = secretRefs(log?.secretOptions);
  const secretOptions = refs.length === 0 ? {} : { secretOptions: refs };
  if (log?.logDriver === 'splunk') return { driver: 'splunk', options, ...secretOptions, delivery };
  if (log?.logDriver === 'awsfirelens') {
    const router = all.find((one) => one.firelensConfiguration !== undefined)?.name ?? '';
    return { driver: 'awsfirelens', router, options, ...secretOptions, delivery };
  }
  if (log?.logDriver !== 'awslogs') return null;
  const prefix = options['awslogs-stream-prefix'];
  const format = options['awslogs-datetime-format'];
  const multiline = format ? datetimePattern(format) : options['awslogs-multiline-pattern'];
  return {
    driver: 'awslogs',
    region: options['awslogs-region'] || input.region,
    group: options['awslogs-group'] ?? '',
    stream: [...(prefix ? [prefix] : []), container.name ?? '', input.taskId].join('/'),
    createGroup: options['awslogs-create-group'] === 'true',
    delivery,
    ...(multiline ? { multiline } : {}),
  };
}

export const secretRefs = (secrets: readonly Secret[] | undefined): SecretRef[] =>
  (secrets ?? []).map(({ name = '', valueFrom = '' }) => ({ name, valueFrom }));

/**
 * A buffer is as large as the definition says; where it doesn't, larger than AWS's 10 MiB, since it lies on the disk. One that waits
 * loses nothing, however small it is.
 */
function deliveryOf(options: Record<string, string>, input: LogInput): LogDelivery {
  const mode = options['mode'] ?? input.logMode ?? 'non-blocking';
  const asked = parseSize(options['max-buffer-size']);
  return mode === 'blocking'
    ? { mode, bufferBytes: limits.spoolBytes }
    : { mode: 'non-blocking', bufferBytes: asked === undefined ? limits.spoolBytes : Math.min(asked, limits.logBufferBytes) };
}

/** As Docker reads sizes: a number, then b, k, m, g or t, with an optional b or ib behind. undefined: not one. */
export function parseSize(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(text ?? '');
  if (match === null) return undefined;
  return Math.floor(Number(match[1]) * 1024 ** ' kmgt'.indexOf((match[2] || ' ').toLowerCase()));
}

/** Of a container that is the log router. */
export function firelensOf(container: ContainerDefinition): { firelens?: FirelensSpec } {
  const config = container.firelensConfiguration;
  if (config === undefined) return {};
  const options = config.options ?? {};
  const firelens: FirelensSpec = {
    type: config.type === 'fluentd' ? 'fluentd' : 'fluentbit',
    metadata: options['enable-ecs-log-metadata'] !== 'false',
    include: options['config-file-type'] === 'file' ? (options['config-file-value'] ?? null) : null,
  };
  return { firelens };
}

/** A log router starts before what logs to it and stops after it, as the ECS agent orders them; not where the router waits for that one. */
export function withRouterFirst(containers: ContainerSpec[]): ContainerSpec[] {
  const waitsFor = (from: string, to: string, seen: string[] = []): boolean =>
    !seen.includes(from) &&
    (containers.find((one) => one.name === from)?.dependsOn ?? []).some(
      ({ container }) => container === to || waitsFor(container, to, [...seen, from]),
    );
  return containers.map((container) => {
    const { log, name, dependsOn } = container;
    if (log?.driver !== 'awsfirelens' || dependsOn.some((one) => one.container === log.router) || waitsFor(log.router, name))
      return container;
    return { ...container, dependsOn: [...dependsOn, { container: log.router, condition: 'START' }] };
  });
}
