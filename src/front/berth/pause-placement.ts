/** PausePlacement: no task is given a place from now on, until this control plane ends. `berth down` asks for it, so that services don't replace what it stops. */
import type { Operation } from '#gateway/types.ts';
import type { BerthApiDeps } from './types.ts';

export function pausePlacement(deps: BerthApiDeps): Operation {
  return {
    name: 'PausePlacement',
    action: 'berth:PausePlacement',
    resources: () => ['*'],
    async handle() {
      deps.pausePlacement();
      return {};
    },
  };
}
