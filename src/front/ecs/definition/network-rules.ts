/** Port mappings and what the network mode allows (RegisterTaskDefinition). */
import type { ContainerDefinition, PortMapping } from '@aws-sdk/client-ecs';
import { refuse, refuseIf } from './refuse.ts';

/** Throws ClientError. */
export function assertPorts(containers: ContainerDefinition[], networkMode: string | undefined): void {
  const all = containers.flatMap((container) => container.portMappings ?? []);
  for (const mapping of all) assertPort(mapping, networkMode);
  const names = all.flatMap((mapping) => (mapping.name === undefined ? [] : [mapping.name]));
  refuseIf(new Set(names).size !== names.length, 'The port mapping name is already used: names must be unique within a task definition.');
  for (const name of names)
    refuseIf(!/^[a-z0-9_][a-z0-9_-]{0,63}$/.test(name), `The port mapping name '${name}' contains invalid characters.`);
  if (networkMode === 'awsvpc') assertDisjoint(all);
}

/** What containers of a task with an interface of its own can't have. Throws ClientError. */
export function assertAwsvpcContainers(containers: ContainerDefinition[]): void {
  for (const container of containers) {
    const unsupported: [boolean, string][] = [
      [(container.links ?? []).length > 0, 'Links are not supported when networkMode=awsvpc'],
      [(container.dnsServers ?? []).length > 0, 'DNS servers are not supported on container when networkMode=awsvpc'],
      [(container.dnsSearchDomains ?? []).length > 0, 'DNS search domains are not supported on container when networkMode=awsvpc'],
      [(container.extraHosts ?? []).length > 0, 'Extra hosts are not supported on container when networkMode=awsvpc'],
      [(container.hostname ?? '') !== '', 'Hostname is not supported on container when networkMode=awsvpc'],
      [container.disableNetworking === true, 'Disable Networking is not supported on container when networkMode=awsvpc'],
    ];
    for (const [wrong, text] of unsupported) refuseIf(wrong, text);
  }
}

function assertPort(mapping: PortMapping, networkMode: string | undefined): void {
  const { containerPort, hostPort, containerPortRange: range, protocol } = mapping;
  refuseIf(
    range !== undefined && (containerPort !== undefined || hostPort !== undefined),
    'cannot specify both single port and port range',
  );
  refuseIf(range === undefined && containerPort === undefined, 'Container port should not be null.');
  if (range !== undefined) parseRange(range);
  for (const port of [containerPort, hostPort]) {
    refuseIf(
      port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535),
      `Invalid port '${port}': must be between 0 and 65535.`,
    );
  }
  refuseIf(containerPort === 0, "Invalid port '0': a container port must be between 1 and 65535.");
  refuseIf(protocol !== undefined && protocol !== 'tcp' && protocol !== 'udp', `Invalid protocol '${protocol}': use tcp or udp.`);
  refuseIf(
    (networkMode === 'awsvpc' || networkMode === 'host') &&
      range === undefined &&
      hostPort !== undefined &&
      hostPort !== 0 &&
      hostPort !== containerPort,
    `When networkMode=${networkMode}, the host ports and container ports in port mappings must match.`,
  );
}

/** `8000-8010` -> [8000, 8010]. */
export function parseRange(text: string): [number, number] {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const low = Number(match?.[1] ?? 0);
  const high = Number(match?.[2] ?? 0);
  if (low < 1 || high > 65_535 || low >= high) throw refuse("Invalid 'containerPortRange' setting.");
  return [low, high];
}

/** Containers of one task share its interface: a port serves one of them. */
function assertDisjoint(mappings: PortMapping[]): void {
  const spans = mappings.map((mapping) => {
    const [low, high] =
      mapping.containerPortRange === undefined
        ? [mapping.containerPort ?? 0, mapping.containerPort ?? 0]
        : parseRange(mapping.containerPortRange);
    return { low, high, protocol: mapping.protocol ?? 'tcp' };
  });
  for (const [index, a] of spans.entries()) {
    const clash = spans.slice(index + 1).find((b) => a.protocol === b.protocol && a.low <= b.high && b.low <= a.high);
    if (clash !== undefined) throw refuse(`The container port ${Math.max(a.low, clash.low)} is used multiple times in task.`);
  }
}
