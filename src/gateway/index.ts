/** The gateway's doors for other modules. */
export { authorizeRoot } from './authorize.ts';
export { createGateway, type Gateway, type GatewayDeps, type Listener } from './gateway.ts';
export { openKeys, rootPrincipal, type AccessKey, type KeyLookup, type Keys } from './keys.ts';
