import type { ListServicesByNamespaceRequest, ListServicesByNamespaceResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import type { Handler } from '#gateway/types.ts';
import { pageStart } from './page.ts';

/** No service is in a namespace: Service Connect, which would put it there, is refused when a service is made. */
export function listServicesByNamespaceOperation(): Handler<ListServicesByNamespaceRequest, ListServicesByNamespaceResponse> {
  return {
    name: 'ListServicesByNamespace',
    async handle(input) {
      if (input.namespace === undefined || input.namespace === '') throw new Fault('InvalidParameter', 'namespace can not be blank.');
      pageStart(input);
      return { serviceArns: [] };
    },
  };
}
