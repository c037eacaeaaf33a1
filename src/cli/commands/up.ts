import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import type { Arguments } from '../arguments.ts';
import { isolationWishes } from '../isolation.ts';
import { silentSteps } from '../steps.ts';
import type { UpOptions } from '../platform.ts';

export const up: Command = {
  name: 'up',
  section: 'Start here',
  summary: 'start the platform (needs root)',
  about:
    'Sets up what the machine lacks, starts the control plane (as user berth), the host agent (as root) and HAProxy, and waits until a task ' +
    'could run. What is chosen here is remembered in STATE/config.json. Does nothing when all of it runs already.',
  options: [
    { name: 'port', value: 'N', summary: 'of the AWS API (default: 4566)' },
    { name: 'listen', value: 'ADDRESS', summary: 'of the API and of the endpoints (default: 127.0.0.1, this machine only)' },
    { name: 'endpoint-port', value: 'N', summary: 'of http://NAME.localhost:N (default: 8080)' },
    { name: 'strict-capacity', summary: 'admit tasks by what they ask for, not by what is really used' },
    { name: 'no-strict-capacity', summary: 'back to what is really used (the default)' },
    { name: 'disk-limit', summary: 'what a task writes is limited to the size that it asked for (the default)' },
    { name: 'no-disk-limit', summary: 'tasks may fill the disk, as where loop devices are missing' },
    { name: 'isolation', value: 'KIND', summary: 'what “auto” means here: auto, container, gvisor, microvm (default: auto)' },
    { name: 'accel', value: 'HOW', summary: 'what microVMs run on: auto, kvm, or tcg, which is slow and no border (default: auto)' },
    { name: 'dns', summary: 'names under berth.internal resolve on this machine too: a marked block in /etc/hosts' },
    { name: 'no-dns', summary: 'leave /etc/hosts alone (the default)' },
    {
      name: 'zone',
      value: 'NAME',
      summary: 'the availability zone that this machine stands in: tasks of other zones’ subnets don’t run here',
    },
    { name: 'no-zone', summary: 'it counts as standing in every zone (the default)' },
    { name: 'domain', value: 'NAME', summary: 'a domain that leads to this machine: certificates for names under it come by ACME' },
    { name: 'no-domain', summary: 'back to berth’s own authority alone (the default)' },
    { name: 'acme-email', value: 'ADDRESS', summary: 'where the ACME server writes to; using ACME you accept its terms of service' },
    { name: 'acme-directory', value: 'URL', summary: 'of the ACME server (default: Let’s Encrypt)' },
    { name: 's3-endpoint', value: 'URL', summary: 'where environment files come from whose buckets berth hasn’t itself' },
    { name: 'no-s3-endpoint', summary: 'from berth’s own buckets alone (the default)' },
    { name: 's3-region', value: 'NAME', summary: 'of that endpoint (default: us-east-1)' },
    {
      name: 's3-credentials',
      value: 'FILE',
      summary: 'keys for it, in the format of ~/.aws/credentials; without them requests are not signed',
    },
    { name: 'exec-idle', value: 'SECONDS', summary: 'after which silence a session of ExecuteCommand ends (default: 1200, as on AWS)' },
    { name: 'keep-events', value: 'HOURS', summary: 'how long events are kept, for berth events (default: 24)' },
    {
      name: 'webhooks-to',
      value: 'CIDR,...',
      summary: 'what API destinations may call beside the outside and the LAN: this machine’s loopback, VPCs, ... (127.0.0.0/8)',
    },
    { name: 'no-webhooks-to', summary: 'nothing more (the default)' },
    jsonOption,
  ],
  examples: [
    { command: 'sudo berth up', note: 'API at http://127.0.0.1:4566' },
    { command: 'sudo berth up --state /tmp/second --port 4567 --endpoint-port 8081', note: 'a second instance beside the first' },
  ],
  async run(args, context) {
    const platform = await context.platform();
    const quiet = args.has('json');
    const steps = quiet ? silentSteps : context.steps;
    await platform.setUp(steps, { quiet: true });
    const result = await platform.up(upOptions(args), steps);
    const { terminal } = context;
    if (quiet) {
      terminal.line(JSON.stringify(result, null, 2));
      return exitCodes.ok;
    }
    terminal.line();
    terminal.line(
      `${terminal.style('bold', 'berth runs')}${result.already ? ' already' : ''}: API at ${result.endpoint}, URLs at http://NAME.localhost:${result.endpointPort}`,
    );
    const { kind, why, warning } = result.isolation;
    terminal.line(`Tasks run in: ${kind ?? 'nothing'}  ${terminal.style(kind === null || warning !== null ? 'yellow' : 'dim', why)}`);
    for (const note of result.notes) terminal.line(terminal.style('yellow', note));
    terminal.line(`Next: ${context.self} run --image nginx    or    eval "$(${context.self} env)"`);
    return exitCodes.ok;
  },
};

export function upOptions(args: Arguments): UpOptions {
  const options: UpOptions = {};
  const port = args.integer('port', { min: 1, max: 65_535 });
  const endpointPort = args.integer('endpoint-port', { min: 1, max: 65_535 });
  const listen = args.text('listen');
  const isolation = args.oneOf('isolation', isolationWishes);
  const accel = args.oneOf('accel', ['auto', 'kvm', 'tcg']);
  if (port !== undefined) options.port = port;
  if (endpointPort !== undefined) options.endpointPort = endpointPort;
  if (listen !== undefined) options.listen = listen;
  if (isolation !== undefined) options.isolation = isolation;
  if (accel !== undefined) options.accel = accel;
  const domain = args.has('no-domain') ? null : args.text('domain');
  const zone = args.has('no-zone') ? null : args.text('zone');
  if (zone !== undefined) options.zone = zone;
  const acmeEmail = args.text('acme-email');
  const acmeDirectory = args.text('acme-directory');
  const execIdleSeconds = args.integer('exec-idle', { min: 1, max: 604_800 });
  const eventHours = args.integer('keep-events', { min: 1, max: 24 * 365 });
  if (eventHours !== undefined) options.eventHours = eventHours;
  const webhooksTo = args.has('no-webhooks-to') ? null : args.text('webhooks-to');
  if (webhooksTo !== undefined) options.webhooksTo = webhooksTo;
  if (execIdleSeconds !== undefined) options.execIdleSeconds = execIdleSeconds;
  if (domain !== undefined) options.domain = domain;
  Object.assign(options, s3Options(args));
  if (acmeEmail !== undefined) options.acmeEmail = acmeEmail;
  if (acmeDirectory !== undefined) options.acmeDirectory = acmeDirectory;
  if (args.has('strict-capacity') || args.has('no-strict-capacity')) options.strictCapacity = args.has('strict-capacity');
  if (args.has('disk-limit') || args.has('no-disk-limit')) options.diskLimit = args.has('disk-limit');
  if (args.has('dns') || args.has('no-dns')) options.dns = args.has('dns');
  return options;
}

function s3Options(args: Arguments): Pick<UpOptions, 's3Endpoint' | 's3Region' | 's3Credentials'> {
  const s3Endpoint = args.has('no-s3-endpoint') ? null : args.text('s3-endpoint');
  const [s3Region, s3Credentials] = [args.text('s3-region'), args.text('s3-credentials')];
  return {
    ...(s3Endpoint === undefined ? {} : { s3Endpoint }),
    ...(s3Region === undefined ? {} : { s3Region }),
    ...(s3Credentials === undefined ? {} : { s3Credentials }),
  };
}
