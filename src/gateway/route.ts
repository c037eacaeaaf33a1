/** Tells the services of the one endpoint apart. */
import { refuse } from './refusals.ts';
import type { ApiSpec } from './types.ts';

export type Route = { api: ApiSpec; operation: string };

export type Router = {
  /** The API that a request is for as far as its headers and its signing service tell: errors are written in its protocol. */
  guess(target: string | undefined, isForm: boolean, service: string | undefined): ApiSpec | undefined;
  /** The API and the operation's name; throws a refusal when the request names none that is served here. */
  resolve(target: string | undefined, parameters: URLSearchParams, service: string): Route;
};

export function createRouter(apis: ApiSpec[]): Router {
  const isQuery = (api: ApiSpec) => api.protocol === 'query' || api.protocol === 'ec2-query';
  const byTarget = new Map(apis.filter((api) => !isQuery(api)).map((api) => [api.target, api]));
  const byService = new Map(apis.map((api) => [api.service, api]));
  const served = apis.map((api) => api.service).join(', ');

  const targetApi = (target: string) => byTarget.get(target.slice(0, Math.max(0, target.lastIndexOf('.'))));

  return {
    guess: (target, isForm, service) => {
      if (target !== undefined) return targetApi(target);
      const api = service === undefined ? undefined : byService.get(service);
      return api !== undefined && isForm === isQuery(api) ? api : undefined;
    },
    resolve(target, parameters, service) {
      if (target !== undefined) {
        const api = targetApi(target);
        if (api === undefined) {
          throw refuse('unknownOperation', `berth does not serve '${target.slice(0, 200)}' yet; it serves ${served}.`);
        }
        assertScoped(api, service);
        return { api, operation: target.slice(target.lastIndexOf('.') + 1) };
      }
      const api = byService.get(service);
      if (api === undefined) throw refuse('unknownOperation', `berth does not serve '${service.slice(0, 100)}' yet; it serves ${served}.`);
      const action = parameters.get('Action');
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

function assertScoped(api: ApiSpec, service: string): void {
  if (api.service !== service) throw refuse('badSignature', `Credential should be scoped to correct service: '${api.service}'.`);
}
