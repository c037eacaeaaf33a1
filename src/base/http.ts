/**
 * Node's HTTP, without what an `import` of it brings along: an ES import reads every export, and reading `WebSocket` of node:http loads
 * Node's whole fetch implementation (6 MiB and 50 ms in each process, never given back).
 */
export const http = process.getBuiltinModule('node:http');

/** Loaded at the first call: TLS costs 3 MiB, and most hosts have their images already. */
export const https = (): typeof import('node:https') => process.getBuiltinModule('node:https');
export const tls = (): typeof import('node:tls') => process.getBuiltinModule('node:tls');
