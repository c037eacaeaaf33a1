/** Who may do what, for now: root keys may do everything. */
import { Fault } from '#base/fault.ts';
import type { Authorize } from './types.ts';

/** Throws Fault('AccessDenied') for every principal that is not an account's root. */
export const authorizeRoot: Authorize = async (principal, action, resources) => {
  if (principal.arn === `arn:aws:iam::${principal.account}:root`) return;
  const [first = '*'] = resources.length === 1 ? resources : ['*'];
  const on = typeof first === 'string' ? first : first.arn;
  throw new Fault(
    'AccessDenied',
    `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${on} because no identity-based policy allows the ${action} action`,
  );
};
