/**
 * The protocols' envelopes: how an operation is named, how an input is read, how an answer and an error are written. Sources: Smithy 2.0,
 * "AWS JSON 1.0/1.1", "AWS query", "Amazon EC2 query", "AWS restJson1", "Smithy RPC v2 CBOR".
 */
import { Fault, invariant, type Json } from '#base/fault.ts';
import { decodeCborBody, encodeCborBody } from './codec-cbor.ts';
import { createCborWriter } from './cbor.ts';
import { EVENT_STREAM, encodeEventStream, eventMember } from './codec-event-stream.ts';
import { decodeJsonBody, encodeJsonBody } from './codec-json.ts';
import { decodeQuery } from './codec-query.ts';
import { decodeRest, encodeRest } from './codec-rest.ts';
import { element, encodeXmlMembers, escapeXml } from './codec-xml.ts';
import { refuse } from './refusals.ts';
import { missingMembers, missingText } from './required.ts';
import type { OperationShapes, ServiceShapes } from './shapes.ts';
import type { ApiSpec } from './types.ts';

/** A request's body, its parameters (form body or query string) where the protocol has them, and for REST the request line and headers. */
export type Payload = { body: Buffer; parameters: URLSearchParams; path: string; headers: Record<string, string[] | undefined> };

export type Encoded = {
  contentType: string;
  body: string | Uint8Array;
  headers?: Record<string, string>;
  status?: number;
  /** In place of the body, where the answer is a stream of events: it goes on for as long as the caller reads. */
  events?: AsyncIterable<Uint8Array>;
};

export type WireError = { name: string; status: number; message: string; members: Record<string, Json>; queryCode?: string | undefined };

export type Protocol = {
  /** Reads and checks an input. */
  decode(payload: Payload, shapes: OperationShapes): Record<string, unknown>;
  encode(
    operation: string,
    shapes: OperationShapes,
    service: ServiceShapes,
    output: unknown,
    about: { requestId: string; api: ApiSpec },
  ): Encoded;
  error(error: WireError, requestId: string): Encoded;
};

const restJson: Protocol = {
  decode(payload, { input, http }) {
    const value = decodeRest(payload, input, http);
    const missing = missingMembers(input, value);
    if (missing.length > 0) throw new Fault('InvalidParameter', missingText(missing));
    return value;
  },
  encode: (_name, { output: shape, http }, _service, output) => encodeRest(shape, output, http),
  error: ({ name, message, members }) => ({
    contentType: 'application/json',
    body: JSON.stringify({ message, ...members }),
    headers: { 'x-amzn-errortype': name },
  }),
};

const XML = 'text/xml;charset=UTF-8';
const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';

const queryErrorHeader = ({ queryCode, status }: WireError): Record<string, string> =>
  queryCode === undefined ? {} : { 'x-amzn-query-error': `${queryCode};${status >= 500 ? 'Receiver' : 'Sender'}` };

function jsonProtocol(version: '1.0' | '1.1'): Protocol {
  const contentType = `application/x-amz-json-${version}`;
  return {
    decode(payload, { input }) {
      const value = decodeJsonBody(payload.body, input);
      const missing = missingMembers(input, value);
      if (missing.length > 0) throw new Fault('InvalidParameter', missingText(missing));
      return value;
    },
    encode(_name, { output: shape }, _service, output) {
      const stream = eventMember(shape);
      if (stream === undefined) return { contentType, body: shape.kind === 'unit' ? '' : encodeJsonBody(shape, output) };
      const events = encodeEventStream(shape, stream, output as Record<string, unknown>, contentType);
      return { contentType: EVENT_STREAM, body: '', events };
    },
    error: (error) => ({
      contentType,
      body: JSON.stringify({ ...error.members, __type: error.name, message: error.message }),
      headers: { 'x-amzn-errortype': error.name, ...queryErrorHeader(error) },
    }),
  };
}

const CBOR = { contentType: 'application/cbor', headers: { 'smithy-protocol': 'rpc-v2-cbor' } };

const rpcCbor: Protocol = {
  decode(payload, { input }) {
    const value = decodeCborBody(payload.body, input);
    const missing = missingMembers(input, value);
    if (missing.length > 0) throw new Fault('InvalidParameter', missingText(missing));
    return value;
  },
  encode: (_name, { output: shape }, _service, output, { api }) => ({ ...CBOR, body: encodeCborBody(shape, output, api.integers ?? NONE) }),
  error(error) {
    const writer = createCborWriter();
    // Further members are texts and lists of texts in JSON's protocols; the APIs that speak this one have texts alone.
    const texts = Object.entries({ ...error.members, __type: error.name, message: error.message }).filter(
      ([, text]) => typeof text === 'string',
    );
    writer.map(texts.length);
    for (const text of texts.flat() as string[]) writer.text(text);
    return { ...CBOR, body: writer.end(), headers: { ...CBOR.headers, ...queryErrorHeader(error) } };
  },
};
const NONE: ReadonlySet<string> = new Set();

const query: Protocol = {
  decode(payload, { input }) {
    const value = decodeQuery(payload.parameters, input, false);
    const missing = missingMembers(input, value);
    if (missing.length > 0) throw new Fault('InvalidParameter', missingText(missing), { details: { errorName: 'ValidationError' } });
    return value;
  },
  encode(name, { output: shape }, service, output, { requestId }) {
    const result = shape.kind === 'unit' ? '' : element(`${name}Result`, encodeXmlMembers(shape, output));
    const metadata = element('ResponseMetadata', element('RequestId', requestId));
    return { contentType: XML, body: root(`${name}Response`, service.xmlNamespace, result + metadata) };
  },
  error({ name, status, message }, requestId) {
    const type = element('Type', status >= 500 ? 'Receiver' : 'Sender');
    const error = element('Error', type + element('Code', name) + element('Message', escapeXml(message)));
    return { contentType: XML, body: root('ErrorResponse', undefined, error + element('RequestId', requestId)) };
  },
};

const ec2Query: Protocol = {
  decode(payload, { input }) {
    const value = decodeQuery(payload.parameters, input, true);
    const [missing] = missingMembers(input, value);
    if (missing !== undefined) {
      throw new Fault('InvalidParameter', `The request must contain the parameter ${missing}`, {
        details: { errorName: 'MissingParameter' },
      });
    }
    return value;
  },
  encode(name, { output: shape }, service, output, { requestId }) {
    const namespace = service.xmlNamespace === undefined ? undefined : `${service.xmlNamespace.replace(/\/$/, '')}/`;
    return {
      contentType: XML,
      body: root(`${name}Response`, namespace, element('requestId', requestId) + encodeXmlMembers(shape, output)),
    };
  },
  error({ name, message }, requestId) {
    const errors = element('Errors', element('Error', element('Code', name) + element('Message', escapeXml(message))));
    return { contentType: XML, body: `${XML_HEAD}${element('Response', errors + element('RequestID', requestId))}` };
  },
};

export function root(tag: string, namespace: string | undefined, content: string): string {
  return `${XML_HEAD}<${tag}${namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`}>${content}</${tag}>`;
}

const protocols: Record<Exclude<ApiSpec['protocol'], 'rest-xml'>, Protocol> = {
  'json-1.0': jsonProtocol('1.0'),
  'json-1.1': jsonProtocol('1.1'),
  query,
  'ec2-query': ec2Query,
  'rest-json': restJson,
  'rpc-v2-cbor': rpcCbor,
};

/** REST in XML streams, and is served by a door of its own (`rest-xml.ts`). */
export function protocolOf(name: ApiSpec['protocol']): Protocol {
  invariant(name !== 'rest-xml', 'REST in XML has a door of its own');
  return protocols[name];
}

/** Shapes of an operation that can be called; throws what fits for one that can't. */
export function operationShapes(api: ApiSpec, service: ServiceShapes, name: string): OperationShapes {
  const shapes = service.operations.get(name);
  if (shapes !== undefined) return shapes;
  if (service.known.has(name)) {
    throw refuse('unsupportedOperation', `berth does not implement ${api.service}:${name} yet.`);
  }
  const where = api.protocol === 'query' || api.protocol === 'ec2-query' ? ` for version ${api.target}` : '';
  throw refuse('unknownOperation', `Could not find operation ${name.slice(0, 200)}${where}`);
}
