/** Log configurations (RegisterTaskDefinition). */
import type { ContainerDefinition, Secret } from '@aws-sdk/client-ecs';
import { RE2JS } from 're2js';
import { asFault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import { parseSize } from '../task/log-target.ts';
import { datetimePattern } from './datetime-pattern.ts';
import { refuse, refuseIf } from './refuse.ts';

const drivers = ['awsfirelens', 'awslogs', 'fluentd', 'gelf', 'journald', 'json-file', 'splunk', 'syslog'];
const fargateDrivers = ['awslogs', 'splunk', 'awsfirelens'];

/** What ECS and Docker know beside `delivery`; of awsfirelens everything else is the router's. Source: ECS developer guide, "awslogs log driver options"; Docker's splunk driver. */
const known: Record<string, readonly string[]> = {
  awslogs: [
    'awslogs-create-group',
    'awslogs-datetime-format',
    'awslogs-endpoint',
    'awslogs-group',
    'awslogs-multiline-pattern',
    'awslogs-region',
    'awslogs-stream-prefix',
  ],
  splunk: 'tag labels labels-regex env env-regex '
    .concat(
      'splunk-token splunk-url splunk-source splunk-sourcetype splunk-index splunk-capath splunk-caname splunk-insecureskipverify splunk-format ',
    )
    .concat('splunk-verify-connection splunk-gzip splunk-gzip-level splunk-index-acknowledgment')
    .split(' '),
};
const delivery = ['mode', 'max-buffer-size'];

/** Throws ClientError. `fargate`: what Fargate asks beyond it. */
export function assertLogs(containers: ContainerDefinition[], task: { fargate: boolean; executionRoleArn: string | undefined }): void {
  const routers = containers.filter((container) => container.firelensConfiguration !== undefined);
  for (const router of routers) assertRouter(router.firelensConfiguration?.options ?? {}, task.fargate);
  refuseIf(routers.length > 1, 'A task definition can have at most one container with a FireLens configuration.');
  for (const container of containers) {
    const log = container.logConfiguration;
    if (log === undefined) continue;
    const driver = log.logDriver ?? '';
    const those = task.fargate ? fargateDrivers : drivers;
    refuseIf(!those.includes(driver), `${clip(driver)} is not a valid log driver. Must be one of [${those.join(',')}]`);
    refuseIf(
      driver === 'awsfirelens' && routers.length === 0,
      `When log driver awsfirelens is specified on a container, at least one container with a FireLens configuration must be present in the task definition.`,
    );
    assertKnown(driver, Object.keys(log.options ?? {}));
    assertDelivery(log.options ?? {});
    if (driver === 'awslogs') assertAwslogs(log.options ?? {});
    const secrets = assertSecretOptions(log.secretOptions ?? [], task.executionRoleArn);
    if (driver === 'splunk') assertSplunk(log.options ?? {}, secrets);
    if (task.fargate) assertFargateLog(driver, log.options ?? {}, task.executionRoleArn);
  }
}

function assertKnown(driver: string, options: string[]): void {
  const unknown = options.filter((name) => known[driver]?.includes(name) === false && !delivery.includes(name));
  refuseIf(unknown.length > 0, `Log driver ${driver} disallows options: ${unknown.map((name) => clip(name)).join(', ')}`);
}

function assertAwslogs(options: Record<string, string>): void {
  const missing = ['awslogs-region', 'awslogs-group'].filter((name) => (options[name] ?? '') === '');
  refuseIf(missing.length > 0, `Log driver awslogs requires options: ${missing.join(', ')}`);
  refuseIf(
    options['awslogs-datetime-format'] !== undefined && options['awslogs-multiline-pattern'] !== undefined,
    'Log driver awslogs can have only one of the options awslogs-datetime-format and awslogs-multiline-pattern.',
  );
  refuseIf(
    options['awslogs-create-group'] !== undefined && options['awslogs-create-group'] !== 'true',
    "Log driver awslogs option 'awslogs-create-group' should only be set to 'true', else omit option.",
  );
  const format = options['awslogs-datetime-format'];
  const pattern = format === undefined ? options['awslogs-multiline-pattern'] : datetimePattern(format);
  if (pattern === undefined) return;
  assertRegex('awslogs', format === undefined ? 'awslogs-multiline-pattern' : 'awslogs-datetime-format', pattern, format);
}

/** `shown`: what the user wrote, where the expression was made of it. */
function assertRegex(driver: string, option: string, pattern: string | undefined, shown = pattern): void {
  if (pattern === undefined) return;
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    throw refuse(`${driver} could not parse ${option} '${clip(shown ?? pattern)}': ${asFault(error).message}.`);
  }
}

/** What every driver has. */
function assertDelivery(options: Record<string, string>): void {
  const mode = options['mode'];
  refuseIf(
    mode !== undefined && mode !== 'blocking' && mode !== 'non-blocking',
    `Log driver mode '${mode}' is not one of blocking, non-blocking.`,
  );
  const size = options['max-buffer-size'];
  refuseIf(
    size !== undefined && !parseSize(size),
    `Log driver option max-buffer-size '${clip(size ?? '')}' is not a size: use a number and a unit, such as 25m.`,
  );
  const lines = options['log-driver-buffer-limit'];
  refuseIf(
    lines !== undefined && !(/^\d{1,9}$/.test(lines) && Number(lines) <= 536_870_912),
    `Log driver option log-driver-buffer-limit '${clip(lines ?? '')}' is not a number of lines from 0 to 536870912.`,
  );
  refuseIf(size !== undefined && mode === 'blocking', "Log driver option max-buffer-size is only supported with mode 'non-blocking'.");
}

function refuseUnless(options: Record<string, string>, name: string, values: string[]): void {
  const value = options[name];
  refuseIf(
    value !== undefined && !values.includes(value),
    `Log driver option ${name} '${clip(value ?? '')}' is not one of ${values.join(', ')}.`,
  );
}

/** Their names. */
function assertSecretOptions(secrets: Secret[], executionRoleArn: string | undefined): string[] {
  for (const { name, valueFrom } of secrets) refuseIf(!name || !valueFrom, 'Secret name and valueFrom should not be null or empty.');
  refuseIf(
    secrets.length > 0 && !executionRoleArn,
    "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'",
  );
  const names = secrets.map(({ name = '' }) => name);
  refuseIf(new Set(names).size !== names.length, 'The names of secretOptions must be unique.');
  return names;
}

function assertSplunk(options: Record<string, string>, secrets: readonly string[]): void {
  const missing = ['splunk-token', 'splunk-url'].filter((name) => (options[name] ?? '') === '' && !secrets.includes(name));
  refuseIf(missing.length > 0, `Log driver splunk requires options: ${missing.join(', ')}`);
  const url = options['splunk-url'] ?? '';
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  refuseIf(
    !secrets.includes('splunk-url') &&
      (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol) || parsed.search !== '' || parsed.hash !== ''),
    `splunk: expected format scheme://dns_name_or_ip:port for splunk-url, not '${clip(url)}'.`,
  );
  for (const name of ['labels-regex', 'env-regex']) assertRegex('splunk', name, options[name]);
  refuseUnless(options, 'splunk-format', ['inline', 'json', 'raw']);
  for (const name of ['splunk-insecureskipverify', 'splunk-verify-connection', 'splunk-gzip'])
    refuseUnless(options, name, ['true', 'false']);
  refuseUnless(options, 'splunk-gzip-level', ['-1', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
}

function assertRouter(options: Record<string, string>, fargate: boolean): void {
  refuseUnless(options, 'enable-ecs-log-metadata', ['true', 'false']);
  refuseUnless(options, 'config-file-type', fargate ? ['file'] : ['file', 's3']);
  refuseIf(
    options['config-file-type'] !== undefined && !options['config-file-value'],
    'FireLens option config-file-value is required with config-file-type.',
  );
  refuseIf(/[\r\n]/.test(options['config-file-value'] ?? ''), 'FireLens option config-file-value must be one line.');
}

function assertFargateLog(driver: string, options: Record<string, string>, executionRoleArn: string | undefined): void {
  refuseIf(
    driver === 'awslogs' && (executionRoleArn ?? '') === '',
    'Fargate requires task definition to have execution role ARN to support log driver awslogs.',
  );
  refuseIf(
    driver === 'awslogs' && (options['awslogs-stream-prefix'] ?? '') === '',
    'Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.',
  );
}
