/** Tells the services of the one endpoint apart. */
import type { IncomingMessage } from 'node:http';
import { matchUri } from './codec-rest.ts';
import { refuse } from './refusals.ts';
import type { ServiceShapes } from './shapes.ts';
import type { ApiSpec } from './types.ts';

/** `operation` is null in a REST API: its shapes tell (`restOperation`). */
export type Route = { api: ApiSpec; operation: string | null };

/** What a call in JSON or CBOR names: a service's `target` and an operation. */
export type CallTarget = { service: string; operation: string; isCbor: boolean };

/** undefined where a call names its operation otherwise. Smithy 2.0, "Smithy RPC v2 CBOR protocol": in the path, behind whatever the endpoint's URL has. */
export function targetOf({ headers }: IncomingMessage, path: string): CallTarget | undefined {
  if (headers['smithy-protocol'] === 'rpc-v2-cbor') {
    const [, service = '', operation = ''] = /\/service\/([^/]+)\/operation\/([^/]+)$/.exec(path) ?? [];
    return { service, operation, isCbor: true };
  }
  const target = headers['x-amz-target'];
  if (typeof target !== 'string') return undefined;
  const cut = target.lastIndexOf('.');
  return { service: target.slice(0, Math.max(0, cut)), operation: target.slice(cut + 1), isCbor: false };
}

export type Router = {
  /** The API that a request is for as far as its headers and its signing service tell: errors are written in its protocol. */
  guess(target: CallTarget | undefined, isForm: boolean, service: string | undefined): ApiSpec | undefined;
  /** The API and the operation's name; throws a refusal when the request names none that is served here. */
  resolve(target: CallTarget | undefined, parameters: URLSearchParams, service: string): Route;
};

export function createRouter(apis: ApiSpec[]): Router {
  const isQuery = (api: ApiSpec) => api.protocol === 'query' || api.protocol === 'ec2-query';
  const isJson = (api: ApiSpec) => api.protocol === 'json-1.0' || api.protocol === 'json-1.1';
  const byTarget = new Map(apis.filter(isJson).map((api) => [api.target, api]));
  const byCborTarget = new Map(apis.filter(({ protocol }) => protocol === 'rpc-v2-cbor').map((api) => [api.target, api]));
  const served = [...new Set(apis.map((api) => api.service))].join(', ');
  /** A service may speak Query as well as JSON: a form is for the former. */
  const ofService = (service: string, isForm: boolean) => {
    const all = apis.filter((api) => api.service === service);
    return all.find((api) => isQuery(api) === isForm) ?? all[0];
  };

  const targetApi = ({ service, isCbor }: CallTarget) => (isCbor ? byCborTarget : byTarget).get(service);

  return {
    guess: (target, isForm, service) => {
      if (target !== undefined) return targetApi(target);
      const api = service === undefined ? undefined : ofService(service, isForm);
      return api !== undefined && (api.protocol === 'rest-json' || isForm === isQuery(api)) ? api : undefined;
    },
    resolve(target, parameters, service) {
      if (target !== undefined) {
        const api = targetApi(target);
        if (api === undefined) {
          const wanted = [target.service, target.operation]
            .filter((part) => part !== '')
            .join('.')
            .slice(0, 200);
          throw refuse('unknownOperation', `berth does not serve '${wanted}' ${target.isCbor ? 'in CBOR ' : ''}yet; it serves ${served}.`);
        }
        assertScoped(api, service);
        return { api, operation: target.operation };
      }
      const action = parameters.get('Action');
      const api = ofService(service, action !== null);
      if (api === undefined) throw refuse('unknownOperation', `berth does not serve '${service.slice(0, 100)}' yet; it serves ${served}.`);
      if (api.protocol === 'rest-json') return { api, operation: null };
      if (!isQuery(api) || action === null) {
        const where = isQuery(api) ? "parameter 'Action'" : "header 'X-Amz-Target'";
        throw refuse('unknownOperation', `The request names no operation: its ${where} is missing.`);
      }
      const version = parameters.get('Version') ?? api.target;
      if (version !== api.target) {
        throw refuse('unknownOperation', `Could not find operation ${action.slice(0, 200)} for version ${version.slice(0, 100)}`);
      }
      return { api, operation: action };
    },
  };
}

/** The operation of a REST API that a request line names; of several, the one with the fewest labels. Throws a refusal when there is none. */
export function restOperation(api: ApiSpec, shapes: ServiceShapes, method: string, path: string): string {
  const labels = (uri: string) => uri.split('{').length;
  const found = [...shapes.bindings]
    .filter(([, binding]) => binding.method === method && matchUri(binding.uri, path) !== undefined)
    .sort(([, a], [, b]) => labels(a.uri) - labels(b.uri))[0];
  if (found !== undefined) return found[0];
  throw refuse('unknownOperation', `${api.service} has no operation ${method.slice(0, 20)} ${path.slice(0, 200)}`);
}

function assertScoped(api: ApiSpec, service: string): void {
  if (api.service !== service) throw refuse('badSignature', `Credential should be scoped to correct service: '${api.service}'.`);
}
