/** What the gateway itself refuses, with AWS's name and HTTP status for it in each family of protocols. */
import { Fault, type FaultCode } from '#base/fault.ts';
import type { ApiSpec } from './types.ts';

/** `message`: where a protocol has one text for all cases. */
type Answer = { name: string; status: number; message?: string };
/** `rest`: REST in XML, which S3 alone speaks. */
type Row = { code: FaultCode; json: Answer; query: Answer; ec2: Answer; rest: Answer };

const answer = (name: string, status: number): Answer => ({ name, status });
const EC2_STRANGER: Answer = { name: 'AuthFailure', status: 401, message: 'AWS was not able to validate the provided access credentials' };

/** Sources: "Common Error Types" of the services' API references; "Error codes for the Amazon EC2 API"; answers seen on the wire. */
const refusals = {
  missingToken: {
    code: 'AccessDenied',
    json: answer('MissingAuthenticationTokenException', 400),
    query: answer('MissingAuthenticationToken', 403),
    ec2: answer('MissingAuthenticationToken', 403),
    rest: { name: 'AccessDenied', status: 403, message: 'Access Denied' },
  },
  unknownKey: {
    code: 'AccessDenied',
    json: answer('UnrecognizedClientException', 400),
    query: answer('InvalidClientTokenId', 403),
    ec2: EC2_STRANGER,
    rest: {
      name: 'InvalidAccessKeyId',
      status: 403,
      message: 'The AWS Access Key Id you provided does not exist in our records.',
    },
  },
  badSignature: {
    code: 'AccessDenied',
    json: answer('InvalidSignatureException', 400),
    query: answer('SignatureDoesNotMatch', 403),
    ec2: EC2_STRANGER,
    rest: {
      name: 'SignatureDoesNotMatch',
      status: 403,
      message: 'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    },
  },
  expired: {
    code: 'AccessDenied',
    json: answer('InvalidSignatureException', 400),
    query: answer('SignatureDoesNotMatch', 403),
    ec2: answer('RequestExpired', 400),
    rest: {
      name: 'RequestTimeTooSkewed',
      status: 403,
      message: 'The difference between the request time and the current time is too large.',
    },
  },
  expiredToken: {
    code: 'AccessDenied',
    json: answer('ExpiredTokenException', 400),
    query: answer('ExpiredToken', 403),
    ec2: answer('RequestExpired', 400),
    rest: { name: 'ExpiredToken', status: 400, message: 'The provided token has expired.' },
  },
  incompleteSignature: {
    code: 'AccessDenied',
    json: answer('IncompleteSignatureException', 400),
    query: answer('IncompleteSignature', 400),
    ec2: answer('IncompleteSignature', 400),
    rest: answer('AuthorizationHeaderMalformed', 400),
  },
  presignTooLong: {
    code: 'AccessDenied',
    json: answer('IncompleteSignatureException', 400),
    query: answer('IncompleteSignature', 400),
    ec2: answer('IncompleteSignature', 400),
    rest: {
      name: 'AuthorizationQueryParametersError',
      status: 400,
      message: 'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    },
  },
  serialization: {
    code: 'InvalidParameter',
    json: answer('SerializationException', 400),
    query: answer('MalformedQueryString', 400),
    ec2: answer('MalformedQueryString', 400),
    rest: answer('MalformedXML', 400),
  },
  invalidValue: {
    code: 'InvalidParameter',
    json: answer('SerializationException', 400),
    query: answer('MalformedInput', 400),
    ec2: answer('InvalidParameterValue', 400),
    rest: answer('InvalidArgument', 400),
  },
  unknownOperation: {
    code: 'Unsupported',
    json: answer('UnknownOperationException', 400),
    query: answer('InvalidAction', 400),
    ec2: answer('InvalidAction', 400),
    rest: answer('MethodNotAllowed', 405),
  },
  // 400, since clients try a 5xx again; the names are those of AWS's services for what one of them can't do.
  unsupportedOperation: {
    code: 'Unsupported',
    json: answer('UnsupportedOperationException', 400),
    query: answer('UnsupportedOperation', 400),
    ec2: answer('UnsupportedOperation', 400),
    rest: answer('NotImplemented', 501),
  },
  tooLarge: {
    code: 'LimitExceeded',
    json: answer('RequestEntityTooLargeException', 413),
    query: answer('RequestEntityTooLarge', 413),
    ec2: answer('RequestEntityTooLarge', 413),
    rest: answer('MaxMessageLengthExceeded', 400),
  },
  timedOut: {
    code: 'TimedOut',
    json: answer('RequestTimeoutException', 408),
    query: answer('RequestTimeout', 408),
    ec2: answer('RequestTimeout', 408),
    rest: answer('RequestTimeout', 400),
  },
  presignExpired: {
    code: 'AccessDenied',
    json: answer('InvalidSignatureException', 400),
    query: answer('SignatureDoesNotMatch', 403),
    ec2: answer('RequestExpired', 400),
    rest: { name: 'AccessDenied', status: 403, message: 'Request has expired' },
  },
  unsignedHeaders: {
    code: 'AccessDenied',
    json: answer('InvalidSignatureException', 400),
    query: answer('SignatureDoesNotMatch', 403),
    ec2: EC2_STRANGER,
    rest: answer('AccessDenied', 403),
  },
  wrongHash: {
    code: 'InvalidParameter',
    json: answer('InvalidSignatureException', 400),
    query: answer('SignatureDoesNotMatch', 403),
    ec2: EC2_STRANGER,
    rest: answer('XAmzContentSHA256Mismatch', 400),
  },
  incompleteBody: {
    code: 'InvalidParameter',
    json: answer('SerializationException', 400),
    query: answer('MalformedQueryString', 400),
    ec2: answer('MalformedQueryString', 400),
    rest: answer('IncompleteBody', 400),
  },
} as const satisfies Record<string, Row>;

export type Refusal = keyof typeof refusals;

export function refuse(refusal: Refusal, message: string): Fault {
  return new Fault(refusals[refusal].code, message, { details: { refusal } });
}

/** The API's name and status of a gateway's refusal; undefined for a Fault that came from elsewhere. */
export function refusalAnswer(fault: Fault, protocol: ApiSpec['protocol']): Answer | undefined {
  const refusal = fault.details['refusal'];
  if (typeof refusal !== 'string' || !Object.hasOwn(refusals, refusal)) return undefined;
  const row: Row = refusals[refusal as Refusal];
  if (protocol === 'query') return row.query;
  if (protocol === 'rest-xml') return row.rest;
  return protocol === 'ec2-query' ? row.ec2 : row.json;
}
