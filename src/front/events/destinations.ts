/** Operations on API destinations and connections. OAuth is refused by name. */
import type {
  ApiDestination,
  Connection,
  ConnectionHttpParameters,
  CreateApiDestinationRequest,
  CreateApiDestinationResponse,
  CreateConnectionRequest,
  CreateConnectionResponse,
  DescribeApiDestinationResponse,
  DescribeConnectionResponse,
  ListApiDestinationsRequest,
  ListApiDestinationsResponse,
  ListConnectionsRequest,
  ListConnectionsResponse,
  UpdateApiDestinationRequest,
  UpdateConnectionRequest,
} from '@aws-sdk/client-eventbridge';
import { connectionArn, connectionContext, destinationArn } from '#domain/event.ts';
import type { ApiDestinationRecord, ConnectionRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import {
  connectionOf,
  createConnection,
  createDestination,
  deleteConnection,
  deleteDestination,
  destinationOf,
  eventsInvalid,
} from '#intent/index.ts';
import { updateConnection, updateDestination } from '#intent/index.ts';
import { checkLength, checkName, oneOf, pageOf } from './input.ts';
import type { EventsDeps } from './types.ts';
import type { CallSecrets } from './webhook.ts';

const METHODS = ['POST', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'] as const;
const RATE = 300;

type Named = { Name?: string | undefined };

function operation<In extends Named, Out>(name: string, handle: (input: In, name: string, scope: Scope) => Promise<Out>): Handler<In, Out> {
  // prettier-ignore
  return {
    name,
    handle: async (input, { account, region }) => await handle(input, checkName(input.Name, 'name'), { account, region }),
  };
}

export function destinationOperations(deps: EventsDeps): Handler[] {
  return [
    operation<CreateConnectionRequest, CreateConnectionResponse>('CreateConnection', async (input, name, scope) => {
      const { kind, shown, secrets } = readAuth(input);
      const description = checkLength(input.Description, 'description', 512);
      const secret = (id: string) => deps.vault.encrypt(JSON.stringify(secrets), connectionContext(id));
      return made(await createConnection(deps, scope, name, { description, kind, shown, secret }));
    }),
    operation<UpdateConnectionRequest, CreateConnectionResponse>('UpdateConnection', async (input, name, scope) => {
      const given = input.AuthParameters === undefined && input.AuthorizationType === undefined ? undefined : readAuth(input);
      const record = await updateConnection(deps, scope, name, (known) => ({
        description: input.Description === undefined ? known.description : checkLength(input.Description, 'description', 512),
        kind: given?.kind ?? known.kind,
        shown: given?.shown ?? known.shown,
        secret: given === undefined ? known.secret : deps.vault.encrypt(JSON.stringify(given.secrets), connectionContext(known.id)),
      }));
      return made(record);
    }),
    operation<Named, CreateConnectionResponse>('DeleteConnection', async (_input, name, scope) => ({
      ...made(await deleteConnection(deps, scope, name)),
      ConnectionState: 'DELETING',
    })),
    operation<Named, DescribeConnectionResponse>('DescribeConnection', async (_input, name, scope) => {
      const record = await deps.store.read((tx) => connectionOf(tx, scope, name));
      return { ...connectionView(record), Description: record.description ?? undefined, AuthParameters: record.shown };
    }),
    {
      name: 'ListConnections',
      async handle(input: ListConnectionsRequest, { account, region }): Promise<ListConnectionsResponse> {
        const all = await deps.store.read((tx) => tx.eventConnections.list({ account, region }));
        const { page, next } = pageOf(all.filter(({ key }) => key.name.startsWith(input.NamePrefix ?? '')), ({ key }) => key.name, { token: input.NextToken, most: input.Limit }); // prettier-ignore
        return { Connections: page.map(connectionView), NextToken: next };
      },
    },
    operation<CreateApiDestinationRequest, CreateApiDestinationResponse>('CreateApiDestination', async (input, name, scope) => {
      const wish = {
        description: checkLength(input.Description, 'description', 512),
        connection: connectionName(scope, input.ConnectionArn ?? ''),
        endpoint: checkEndpoint(input.InvocationEndpoint ?? ''),
        method: oneOf(input.HttpMethod ?? '', 'httpMethod', METHODS),
        rate: checkRate(input.InvocationRateLimitPerSecond ?? RATE),
      };
      return madeDestination(await createDestination(deps, scope, name, wish));
    }),
    operation<UpdateApiDestinationRequest, CreateApiDestinationResponse>('UpdateApiDestination', async (input, name, scope) => {
      const { Description, ConnectionArn, InvocationEndpoint, HttpMethod, InvocationRateLimitPerSecond: rate } = input;
      const wish = {
        ...(Description === undefined ? {} : { description: checkLength(Description, 'description', 512) }),
        ...(ConnectionArn === undefined ? {} : { connection: connectionName(scope, ConnectionArn) }),
        ...(InvocationEndpoint === undefined ? {} : { endpoint: checkEndpoint(InvocationEndpoint) }),
        ...(HttpMethod === undefined ? {} : { method: oneOf(HttpMethod, 'httpMethod', METHODS) }),
        ...(rate === undefined ? {} : { rate: checkRate(rate) }),
      };
      return madeDestination(await updateDestination(deps, scope, name, wish));
    }),
    operation<Named, object>('DeleteApiDestination', async (_input, name, scope) => {
      await deleteDestination(deps, scope, name);
      return {};
    }),
    operation<Named, DescribeApiDestinationResponse>('DescribeApiDestination', async (_input, name, scope) =>
      deps.store.read(async (tx) => {
        const record = await destinationOf(tx, scope, name);
        const view = destinationView(record, await connectionOf(tx, scope, record.connection));
        return { ...view, Description: record.description ?? undefined };
      }),
    ),
    {
      name: 'ListApiDestinations',
      async handle(input: ListApiDestinationsRequest, { account, region }): Promise<ListApiDestinationsResponse> {
        return await deps.store.read(async (tx) => {
          const all = (await tx.eventDestinations.list({ account, region })).filter(({ key }) =>
            key.name.startsWith(input.NamePrefix ?? ''),
          );
          const { page, next } = pageOf(all, ({ key }) => key.name, { token: input.NextToken, most: input.Limit });
          const views: ApiDestination[] = [];
          for (const one of page) views.push(destinationView(one, await connectionOf(tx, one.key, one.connection)));
          return { ApiDestinations: views, NextToken: next };
        });
      },
    },
  ];
}

/** What the call says of who calls: to keep, and to show. */
function readAuth({
  AuthorizationType,
  AuthParameters,
}: Pick<CreateConnectionRequest, 'AuthorizationType' | 'AuthParameters'> | UpdateConnectionRequest) {
  const kind = oneOf(AuthorizationType ?? '', 'authorizationType', ['BASIC', 'API_KEY', 'OAUTH_CLIENT_CREDENTIALS'] as const);
  if (kind === 'OAUTH_CLIENT_CREDENTIALS') {
    throw eventsInvalid('berth has no OAUTH_CLIENT_CREDENTIALS for connections yet: use BASIC or API_KEY.');
  }
  const { BasicAuthParameters: basic, ApiKeyAuthParameters: key, InvocationHttpParameters: http } = AuthParameters ?? {};
  const extra = httpParameters(http);
  if (kind === 'BASIC') {
    if (basic?.Username === undefined || basic.Password === undefined)
      throw eventsInvalid('Parameter BasicAuthParameters is required for authorization type BASIC.');
    const authorization = `Basic ${Buffer.from(`${basic.Username}:${basic.Password}`).toString('base64')}`;
    const secrets: CallSecrets = { ...extra, headers: { ...extra.headers, authorization } };
    return { kind, secrets, shown: { BasicAuthParameters: { Username: basic.Username }, ...shownHttp(http) } };
  }
  if (key?.ApiKeyName === undefined || key.ApiKeyValue === undefined)
    throw eventsInvalid('Parameter ApiKeyAuthParameters is required for authorization type API_KEY.');
  const secrets: CallSecrets = { ...extra, headers: { ...extra.headers, [checkHeader(key.ApiKeyName)]: checkValue(key.ApiKeyValue) } };
  return { kind, secrets, shown: { ApiKeyAuthParameters: { ApiKeyName: key.ApiKeyName }, ...shownHttp(http) } };
}

function httpParameters(http: ConnectionHttpParameters | undefined): CallSecrets {
  const pairs = (list: { Key?: string | undefined; Value?: string | undefined }[] | undefined) =>
    Object.fromEntries((list ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
  const headers = pairs(http?.HeaderParameters);
  for (const [name, value] of Object.entries(headers)) checkValue(value, checkHeader(name));
  return { headers, query: pairs(http?.QueryStringParameters), body: pairs(http?.BodyParameters) };
}

/** Values that are secret aren't shown. */
function shownHttp(http: ConnectionHttpParameters | undefined): Record<string, unknown> {
  if (http === undefined) return {};
  const shown = Object.entries(http).map(([member, list]) => [member, (list ?? []).map(({ Key, Value, IsValueSecret: secret = false }: { Key?: string; Value?: string; IsValueSecret?: boolean }) => ({ Key, IsValueSecret: secret, ...(secret ? {} : { Value }) }))]); // prettier-ignore
  return { InvocationHttpParameters: Object.fromEntries(shown) };
}

function checkHeader(name: string): string {
  if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && !/^(host|content-length|transfer-encoding|connection)$/i.test(name)) return name;
  throw eventsInvalid(`'${clip(name)}' can't be the name of a header here.`);
}

function checkValue(value: string, name = 'header'): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw eventsInvalid(`The value of ${clip(name)} has characters that no header may have.`);
}

/** AWS takes https alone; here a receiver on the LAN is often without it. Which addresses may be called is looked at with each call (main/webhook-addresses.ts). */
function checkEndpoint(text: string): string {
  if (
    text.length <= 2048 &&
    /^https?:\/\/[^\s?#]+(\?[^\s#]*)?$/.test(text) &&
    URL.canParse(text.replaceAll('*', 'x')) &&
    !new URL(text.replaceAll('*', 'x')).username
  )
    return text;
  throw eventsInvalid(`Parameter InvocationEndpoint is not valid: ${clip(text)} is no http:// or https:// URL.`);
}

function checkRate(rate: number): number {
  if (Number.isInteger(rate) && rate >= 1 && rate <= RATE) return rate;
  throw eventsInvalid(`InvocationRateLimitPerSecond must be from 1 to ${RATE}; it is ${rate}.`);
}

function connectionName({ account, region }: Scope, arn: string): string {
  const prefix = `arn:aws:events:${region}:${account}:connection/`;
  const name = arn.startsWith(prefix) ? arn.slice(prefix.length).split('/')[0] : undefined;
  if (name) return name;
  throw eventsInvalid(`Parameter ConnectionArn is not valid: ${clip(arn)}`);
}

const times = ({ createdAt, updatedAt }: { createdAt: number; updatedAt: number }) => ({
  CreationTime: new Date(createdAt),
  LastModifiedTime: new Date(updatedAt),
});

function made(record: ConnectionRecord) {
  return { ConnectionArn: connectionArn(record.key, record.id), ConnectionState: 'AUTHORIZED' as const, ...times(record) };
}

function connectionView(record: ConnectionRecord): Connection {
  return { ...made(record), Name: record.key.name, AuthorizationType: record.kind, LastAuthorizedTime: new Date(record.updatedAt) };
}

function madeDestination(record: ApiDestinationRecord) {
  return { ApiDestinationArn: destinationArn(record.key, record.id), ApiDestinationState: 'ACTIVE' as const, ...times(record) };
}

function destinationView(record: ApiDestinationRecord, connection: ConnectionRecord): ApiDestination {
  return {
    ...madeDestination(record),
    Name: record.key.name,
    ConnectionArn: connectionArn(connection.key, connection.id),
    InvocationEndpoint: record.endpoint,
    HttpMethod: record.method,
    InvocationRateLimitPerSecond: record.rate,
  };
}
