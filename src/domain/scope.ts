/** Keys of every record begin with account and region. */
export type Scope = { account: string; region: string };

export const DEFAULT_ACCOUNT = '123456789012';
export const DEFAULT_REGION = 'us-east-1';
