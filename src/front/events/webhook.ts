/** What a connection adds to each call of an API destination; opaque to all but who makes the call. */
export type CallSecrets = { headers: Record<string, string>; query: Record<string, string>; body: Record<string, string> };
