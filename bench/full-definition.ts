/**
 * A task with two containers, a dependency, a volume and awslogs on both, against a plain one, one after the other in turn: RunTask sent ->
 * first instruction of the last container that starts. Without a health check, whose waiting is the check's own.
 */
import { createRequire } from 'node:module';
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { median, quantile, report } from './promises.ts';

const { RegisterTaskDefinitionCommand } = createRequire(import.meta.url)('@aws-sdk/client-ecs') as typeof import('@aws-sdk/client-ecs');
const ROUNDS = Number(process.env['BERTH_BENCH_ROUNDS'] ?? 25);
const WARM_UP = 3;

export async function fullDefinition(bed: Bed): Promise<boolean> {
  await bed.define('plain', []);
  await defineFull(bed);
  const [plain, full]: [number[], number[]] = [[], []];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const times = [await startOf(bed, 'plain'), await startOf(bed, 'full')] as const;
    if (round < WARM_UP) continue;
    plain.push(times[0]);
    full.push(times[1]);
  }
  const line = (name: string, ms: number[]) => `${name} p50 ${median(ms).toFixed(1)} ms, p90 ${quantile(ms, 0.9).toFixed(1)} ms`;
  return report('full-definition', median(full) / median(plain), `${line('full', full)}; ${line('plain', plain)}; ${ROUNDS} rounds`);
}

/** `stamp` is what `bed.stamps` reads: here the container that waits for the other. */
async function defineFull(bed: Bed): Promise<void> {
  const container = (name: string, change: Partial<ContainerDefinition>): ContainerDefinition => ({
    name,
    image: IMAGE,
    entryPoint: ['/stamp'],
    mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }],
    logConfiguration: {
      logDriver: 'awslogs',
      options: { 'awslogs-group': '/bench/stamp', 'awslogs-region': bed.settings.region, 'awslogs-stream-prefix': 'full', 'awslogs-create-group': 'true' }, // prettier-ignore
    },
    ...change,
  });
  await bed.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'full',
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      executionRoleArn: 'arn:aws:iam::123456789012:role/ecsTaskExecutionRole',
      volumes: [{ name: 'shared' }],
      containerDefinitions: [
        container('first', { essential: false }),
        container('stamp', { dependsOn: [{ containerName: 'first', condition: 'START' }] }),
      ],
    }),
  );
}

async function startOf(bed: Bed, family: string): Promise<number> {
  const before = process.hrtime.bigint();
  const [task] = await bed.runTasks(family, 1);
  const arn = task?.taskArn ?? '';
  const first = (await bed.stamps(family, [arn], 20_000)).get(arn);
  if (first === undefined) throw new Error(`task ${arn} did not say when it began within 20 s: ${await bed.told(family, [arn])}`);
  return Number(first - before) / 1e6;
}
