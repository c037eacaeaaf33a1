/**
 * Shapes of berth's own API, in the form of the SDK packages' schemas (@smithy/core/schema: structure 3, operation 9, list 64, string 0,
 * number 1, boolean 2, document 15), so that the gateway treats it like any other API.
 */
const NS = 'berth';
const STRING = 0;
const NUMBER = 1;
const BOOLEAN = 2;
const DOCUMENT = 15;
const LIST = 64;

type Members = Record<string, unknown>;

/** Members whose names end in '!' are required. */
function structure(name: string, members: Members): unknown[] {
  const names = Object.keys(members).sort((a, b) => Number(b.endsWith('!')) - Number(a.endsWith('!')));
  const required = names.filter((member) => member.endsWith('!')).length;
  const plain = names.map((member) => member.replace('!', ''));
  const schemas = names.map((member) => members[member]);
  return [3, NS, name, 0, plain, schemas, required];
}

function operation(name: string, input: Members, output: Members): unknown[] {
  return [9, NS, name, 0, structure(`${name}Request`, input), structure(`${name}Response`, output)];
}

const endpoint = structure('Endpoint', { listen: STRING, port: NUMBER });
const network = structure('DefaultNetwork', { vpcId: STRING, subnetIds: LIST | STRING, securityGroupIds: LIST | STRING });

export const schemas: Record<string, unknown> = {
  DescribePlatform$: operation(
    'DescribePlatform',
    {},
    {
      version: STRING,
      instance: STRING,
      account: STRING,
      region: STRING,
      arch: STRING,
      endpointUrl: STRING,
      endpoint: () => endpoint,
      network: () => network,
      strictCapacity: BOOLEAN,
      isolation: STRING,
    },
  ),
  DescribeCertificateAuthority$: operation(
    'DescribeCertificateAuthority',
    {},
    { certificate: STRING, name: STRING, fingerprint: STRING, notAfter: NUMBER },
  ),
  DescribeLoadBalancerMetrics$: operation(
    'DescribeLoadBalancerMetrics',
    {},
    { at: NUMBER, loadBalancers: DOCUMENT, listeners: DOCUMENT, targetGroups: DOCUMENT },
  ),
  DescribeHosts$: operation('DescribeHosts', {}, { hosts: DOCUMENT }),
  PausePlacement$: operation('PausePlacement', {}, {}),
  ListMasterKeys$: operation('ListMasterKeys', {}, { keys: DOCUMENT }),
  RotateMasterKey$: operation('RotateMasterKey', {}, { id: STRING }),
  ListImages$: operation('ListImages', {}, { images: DOCUMENT }),
  RemoveImage$: operation('RemoveImage', { 'image!': STRING }, { freedBytes: NUMBER }),
  PruneImages$: operation('PruneImages', { all: BOOLEAN }, { removed: LIST | STRING, freedBytes: NUMBER }),
  ListVolumes$: operation('ListVolumes', {}, { volumes: DOCUMENT }),
  RemoveVolume$: operation('RemoveVolume', { 'volume!': STRING }, { volumeId: STRING, name: STRING }),
  PruneVolumes$: operation('PruneVolumes', { all: BOOLEAN }, { removed: LIST | STRING, freedBytes: NUMBER }),
  ListEvents$: operation(
    'ListEvents',
    { after: NUMBER, limit: NUMBER, source: STRING, detailType: STRING, pattern: STRING },
    { events: DOCUMENT, next: NUMBER },
  ),
  GetUsage$: operation(
    'GetUsage',
    { since: NUMBER, until: NUMBER, by: STRING },
    { at: NUMBER, since: NUMBER, until: NUMBER, by: STRING, groups: DOCUMENT, total: DOCUMENT },
  ),
  TaskUsage$: operation('TaskUsage', { 'tasks!': LIST | STRING }, { usages: DOCUMENT }),
  TailTask$: operation('TailTask', { 'task!': STRING, container: STRING, limit: NUMBER, after: STRING }, { lines: DOCUMENT, next: STRING }),
};
