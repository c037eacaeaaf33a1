/** Secrets at rest. */
export { openVault, type EncryptionContext, type Vault } from './vault.ts';
