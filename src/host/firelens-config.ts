/**
 * Pure: a log router's configuration as the ECS agent generates it (amazon-ecs-agent, taskresource/firelens; developer guide, "Using Fluent
 * logger libraries", "firelensConfiguration"): inputs for the other containers' output and for loggers of their own, ECS's metadata, the user's file, and an
 * output for each container that logs to it.
 *
 * One thing differs: the forward input listens on the task's address too, since berth's host agent sends there; it can't reach into a
 * microVM's or gVisor's loopback.
 */
import type { ContainerSpec, FirelensSpec, FirelensTarget, TaskSpec } from '#domain/task-spec.ts';
import type { TaskKey } from '#domain/task.ts';

export const FLUENT_PORT = 24_224;
/** For loggers that speak to the router themselves. */
export const FLUENT_ENV = { FLUENT_HOST: '127.0.0.1', FLUENT_PORT: String(FLUENT_PORT) };

const paths = { fluentbit: '/fluent-bit/etc/fluent-bit.conf', fluentd: '/fluentd/etc/fluent.conf' };
/** Options that are not the output plugin's. */
const notTheOutputs = new Set(['exclude-pattern', 'include-pattern', 'log-driver-buffer-limit', 'mode', 'max-buffer-size']);

/** The tag of a container's records. */
export function firelensTag(container: string, taskId: string): string {
  return `${container}-firelens-${taskId}`;
}

/** `definition`: `FAMILY:REVISION`. */
export type RoutedTask = { key: TaskKey; definition: string };

/** By container: path -> contents. */
export function routerFiles(spec: TaskSpec, task: RoutedTask): Record<string, Record<string, string>> {
  const routers = spec.containers.flatMap(({ name, firelens }) => (firelens === undefined ? [] : [{ name, firelens }]));
  return Object.fromEntries(
    routers.map(({ name, firelens }) => [name, { [paths[firelens.type]]: routerConfig(firelens, name, spec.containers, task) }]),
  );
}

export function routerConfig(firelens: FirelensSpec, router: string, containers: ContainerSpec[], { key, definition }: RoutedTask): string {
  const taskArn = `arn:aws:ecs:${key.region}:${key.account}:task/${key.cluster}/${key.id}`;
  const metadata: [string, string][] = firelens.metadata
    ? [
        ['ecs_cluster', key.cluster],
        ['ecs_task_arn', taskArn],
        ['ecs_task_definition', definition],
      ]
    : [];
  const logs = containers.flatMap(({ name, log }) =>
    log?.driver === 'awsfirelens' && log.router === router
      ? [{ name, options: { ...log.options, ...references(firelens.type, name, log) } }]
      : [],
  );
  const blocks = firelens.type === 'fluentbit' ? fluentBit(metadata, firelens.include, logs) : fluentd(metadata, firelens.include, logs);
  return `${blocks.join('\n\n')}\n`;
}

/** Options whose values are fetched: the configuration names variables of the router's environment, as the ECS agent has it. */
function references(type: FirelensSpec['type'], container: string, { secretOptions = [] }: FirelensTarget): Record<string, string> {
  const form = (variable: string) => (type === 'fluentbit' ? `\${${variable}}` : `"#{ENV['${variable}']}"`);
  return Object.fromEntries(secretOptions.map(({ name }) => [name, form(variableOf(container, name))]));
}

const variableOf = (container: string, option: string) => `BERTH_LOG_${container}_${option}`.replace(/\W/g, '_');

/** Variables of the router's environment, by the options of a container that logs to it. */
export function secretVariables(container: string, options: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [variableOf(container, name), value]));
}

type Logged = { name: string; options: Record<string, string> };

function outputOptions(options: Record<string, string>, type: string): [string, string][] {
  const own = Object.entries(options).filter(([name]) => !notTheOutputs.has(name) && name !== type);
  return own.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function fluentBit(metadata: [string, string][], include: string | null, logs: Logged[]): string[] {
  const section = (kind: string, pairs: [string, string][]) =>
    [`[${kind}]`, ...pairs.map(([name, value]) => `    ${name} ${value}`)].join('\n');
  const filters = (['include-pattern', 'exclude-pattern'] as const).flatMap((option) =>
    logs.flatMap(({ name, options }) => {
      const pattern = options[option];
      if (pattern === undefined) return [];
      const how = option === 'include-pattern' ? 'Regex' : 'Exclude';
      return section('FILTER', [
        ['Name', 'grep'],
        ['Match', `${name}-firelens*`],
        [how, `log ${pattern}`],
      ]);
    }),
  );
  return [
    section('INPUT', [
      ['Name', 'forward'],
      ['unix_path', '/var/run/fluent.sock'],
    ]),
    section('INPUT', [
      ['Name', 'forward'],
      ['Listen', '0.0.0.0'],
      ['Port', String(FLUENT_PORT)],
    ]),
    section('INPUT', [
      ['Name', 'tcp'],
      ['Tag', 'firelens-healthcheck'],
      ['Listen', '127.0.0.1'],
      ['Port', '8877'],
    ]),
    ...filters,
    ...(metadata.length === 0
      ? []
      : [
          section('FILTER', [
            ['Name', 'record_modifier'],
            ['Match', '*'],
            ...metadata.map(([name, value]): [string, string] => ['Record', `${name} ${value}`]),
          ]),
        ]),
    ...(include === null ? [] : [`@INCLUDE ${include}`]),
    section('OUTPUT', [
      ['Name', 'null'],
      ['Match', 'firelens-healthcheck'],
    ]),
    ...logs.flatMap(({ name, options }) =>
      options['Name'] === undefined
        ? []
        : [section('OUTPUT', [['Name', options['Name']], ['Match', `${name}-firelens*`], ...outputOptions(options, 'Name')])],
    ),
  ];
}

function fluentd(metadata: [string, string][], include: string | null, logs: Logged[]): string[] {
  const block = (head: string, lines: string[]) =>
    [`<${head}>`, ...lines.map((line) => `    ${line}`), `</${head.split(' ')[0]}>`].join('\n');
  const filters = (['include-pattern', 'exclude-pattern'] as const).flatMap((option) =>
    logs.flatMap(({ name, options }) => {
      const pattern = options[option];
      if (pattern === undefined) return [];
      const how = option === 'include-pattern' ? 'regexp' : 'exclude';
      return block(`filter ${name}-firelens**`, ['@type grep', `<${how}>`, '    key log', `    pattern ${pattern}`, `</${how}>`]);
    }),
  );
  const record = ['@type record_transformer', '<record>', ...metadata.map(([name, value]) => `    ${name} ${value}`), '</record>'];
  return [
    block('source', ['@type unix', 'path /var/run/fluent.sock']),
    block('source', ['@type forward', 'bind 0.0.0.0', `port ${FLUENT_PORT}`]),
    ...filters,
    ...(metadata.length === 0 ? [] : [block('filter **', record)]),
    ...(include === null ? [] : [`@include ${include}`]),
    ...logs.flatMap(({ name, options }) =>
      options['@type'] === undefined
        ? []
        : [
            block(`match ${name}-firelens**`, [
              `@type ${options['@type']}`,
              ...outputOptions(options, '@type').map((pair) => pair.join(' ')),
            ]),
          ],
    ),
  ];
}
