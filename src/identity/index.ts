/** Who calls, and whether they may. */
export { createIdentity, findRole, type FoundKey, type Identity, type ServiceWish } from './identity.ts';
export { compileText, managedDocument, policiesOf } from './policies.ts';
export { rolePrincipal, userPrincipal } from './principals.ts';
export type { RegistryPass } from './registry-tokens.ts';
export type { TemporaryCredentials } from './sessions.ts';
export type { CallFacts, OwnFacts, Question, Touched, Verdict } from './types.ts';
