/** What every container is given: the platform's environment, and the files that name hosts. */
import { serviceAddresses } from '#network/rules.ts';
import { FLUENT_ENV, routerFiles } from '../firelens-config.ts';
import type { Hook, TaskRun } from '../run.ts';

/** The resolver's link-local address in every VPC, as in AWS. */
const RESOLVER = '169.254.169.253';

export function environmentHook(): Hook {
  const prepare = async (run: TaskRun) => {
    const { assignment, credentialsId } = run.entry;
    const role = credentialsId === undefined ? {} : { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: `/v2/credentials/${credentialsId}` };
    const platform = { AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE', ...assignment.platformEnv, ...role };
    for (const { name, environment, log } of run.spec.containers) {
      const router = log?.driver === 'awsfirelens' ? FLUENT_ENV : {};
      run.environment[name] = { ...platform, ...endpointsOf(run.entry.runtimeIds[name] ?? ''), ...router, ...environment };
    }
    run.containerFiles = routerFiles(run.spec, {
      key: assignment.key,
      definition: `${assignment.labels.family}:${assignment.labels.revision}`,
    });
    run.files = projectedFiles(assignment.network.hostname, assignment.network.ip);
  };
  return { name: 'environment', prepare };
}

/** Where a container asks about itself; its runtime id is the endpoint's id, as on Fargate. */
function endpointsOf(id: string): Record<string, string> {
  return {
    ECS_CONTAINER_METADATA_URI: `http://${serviceAddresses.metadata}/v3/${id}`,
    ECS_CONTAINER_METADATA_URI_V4: `http://${serviceAddresses.metadata}/v4/${id}`,
    ECS_AGENT_URI: `http://${serviceAddresses.metadata}/api/${id}`,
  };
}

/** Path in the container -> contents. */
export function projectedFiles(hostname: string, ip: string): Record<string, string> {
  const short = hostname.split('.')[0] ?? hostname;
  const names = short === hostname ? hostname : `${hostname} ${short}`;
  return {
    '/etc/hostname': `${hostname}\n`,
    '/etc/hosts': `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${ip} ${names}\n`,
    '/etc/resolv.conf': `nameserver ${RESOLVER}\noptions timeout:2 attempts:3\n`,
  };
}
