/** Secrets at rest. */
export { openVault, type EncryptionContext, type KeyInfo, type Vault } from './vault.ts';
