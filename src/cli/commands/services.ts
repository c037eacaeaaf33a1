import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { endpointUrl } from '../endpoint.ts';
import { describeServices, listServices } from '../services.ts';
import type { ServiceRow } from '../services.ts';
import { printTable } from '../table.ts';
import type { Column } from '../table.ts';

export const services: Command = {
  name: 'services',
  section: 'Run things',
  summary: 'list services, also those at 0',
  options: [clusterOption, jsonOption],
  examples: [{ command: 'berth services', note: 'how many of each run, of what, and where' }],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const platform = await client.call('berth', 'DescribePlatform', {});
    const rows = await describeServices(client, cluster, await listServices(client, cluster));
    const url = (service: ServiceRow) =>
      service.express ? endpointUrl({ name: service.name, listen: '', port: platform.endpoint.port }) : '';
    if (args.has('json')) {
      const told = rows.map(({ events: _events, ...service }) => ({ ...service, url: url(service as ServiceRow) || null }));
      context.terminal.line(JSON.stringify(told, null, 2));
    } else if (rows.length === 0) context.terminal.line('No services. Make one: berth run web --image nginx --port 80');
    else printTable(context.terminal, columns(url), rows);
    return exitCodes.ok;
  },
};

function columns(url: (service: ServiceRow) => string): Column<ServiceRow>[] {
  return [
    { title: 'NAME', value: (service) => service.name, style: () => 'bold', shrinkTo: 12 },
    {
      title: 'RUNNING',
      value: (service) => `${service.running} of ${service.desired}`,
      style: (service) => (service.running === service.desired ? 'green' : 'yellow'),
    },
    { title: 'RUNS', value: (service) => service.definitionArn.split('/').at(-1) ?? '', shrinkTo: 12 },
    { title: 'DEPLOYMENT', value: (service) => service.rolloutState.toLowerCase().replaceAll('_', ' '), drop: 1 },
    { title: 'URL', value: url, optional: true, style: () => 'cyan' },
  ];
}
