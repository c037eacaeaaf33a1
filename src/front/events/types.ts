import type { IntentDeps } from '#intent/index.ts';

/** `vault`: for the secrets of connections. */
export type EventsDeps = IntentDeps & { vault: { encrypt(secret: string, context: Record<string, string>): string } };
