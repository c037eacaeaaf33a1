/** Log configurations (RegisterTaskDefinition). */
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { refuse, refuseIf } from './refuse.ts';

const drivers = ['awsfirelens', 'awslogs', 'fluentd', 'gelf', 'journald', 'json-file', 'splunk', 'syslog'];
const fargateDrivers = ['awslogs', 'splunk', 'awsfirelens'];

/** Throws ClientError. `fargate`: what Fargate asks beyond it. */
export function assertLogs(containers: ContainerDefinition[], task: { fargate: boolean; executionRoleArn: string | undefined }): void {
  const routers = containers.filter((container) => container.firelensConfiguration !== undefined);
  refuseIf(routers.length > 1, 'A task definition can have at most one container with a FireLens configuration.');
  for (const container of containers) {
    const log = container.logConfiguration;
    if (log === undefined) continue;
    const driver = log.logDriver ?? '';
    refuseIf(!drivers.includes(driver), `Log driver '${driver}' is not one of ${drivers.join(', ')}.`);
    refuseIf(
      driver === 'awsfirelens' && routers.length === 0,
      `When log driver awsfirelens is specified on a container, at least one container with a FireLens configuration must be present in the task definition.`,
    );
    if (driver === 'awslogs') assertAwslogs(log.options ?? {});
    if (task.fargate) assertFargateLog(driver, log.options ?? {}, task.executionRoleArn);
  }
}

function assertAwslogs(options: Record<string, string>): void {
  const missing = ['awslogs-region', 'awslogs-group'].filter((name) => (options[name] ?? '') === '');
  refuseIf(missing.length > 0, `Log driver awslogs requires options: ${missing.join(', ')}`);
  refuseIf(
    options['awslogs-datetime-format'] !== undefined && options['awslogs-multiline-pattern'] !== undefined,
    'Log driver awslogs can have only one of the options awslogs-datetime-format and awslogs-multiline-pattern.',
  );
  const mode = options['mode'];
  refuseIf(
    mode !== undefined && mode !== 'blocking' && mode !== 'non-blocking',
    `Log driver mode '${mode}' is not one of blocking, non-blocking.`,
  );
}

function assertFargateLog(driver: string, options: Record<string, string>, executionRoleArn: string | undefined): void {
  if (!fargateDrivers.includes(driver))
    throw refuse(`Log driver '${driver}' is not supported on Fargate: use one of ${fargateDrivers.join(', ')}.`);
  refuseIf(
    driver === 'awslogs' && (executionRoleArn ?? '') === '',
    'Fargate requires task definition to have execution role ARN to support log driver awslogs.',
  );
  refuseIf(
    driver === 'awslogs' && (options['awslogs-stream-prefix'] ?? '') === '',
    'Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.',
  );
}
