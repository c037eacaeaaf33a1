/**
 * What ECR's GetAuthorizationToken and GetDownloadUrlForLayer hand out. Nothing is kept of them: like temporary credentials, the text itself says all,
 * encrypted by the vault. What its holder may is asked anew at each call.
 */
import type { Clock } from '#base/clock.ts';
import type { Principal } from '#domain/records.ts';
import type { Vault } from '#vault/index.ts';

/** `region`: of the call that asked for it. */
export type RegistryPass = { principal: Principal; region: string; expiresAt: number };
/** One blob of one repository, for whoever has the address. */
export type BlobGrant = { repository: string; digest: string; account: string; region: string; expiresAt: number };

export type RegistryTokens = {
  mint(pass: RegistryPass): string;
  /** undefined for what isn't of this vault, or is past its time. */
  read(token: string): RegistryPass | undefined;
  mintGrant(grant: BlobGrant): string;
  readGrant(token: string): BlobGrant | undefined;
};

const PASS = { purpose: 'registry' };
const GRANT = { purpose: 'registry-blob' };
const REMEMBERED = 1000;
const TOKEN_CHARS = 16_384;

export function createRegistryTokens({ clock, vault }: { clock: Clock; vault: Vault }): RegistryTokens {
  /** Read before: a client sends its token with every request. */
  const known = new Map<string, RegistryPass>();

  function open<T extends { expiresAt: number }>(token: string, context: Record<string, string>): T | undefined {
    if (token.length > TOKEN_CHARS) return undefined;
    try {
      const value = JSON.parse(vault.decrypt(token, context).toString()) as T;
      return value.expiresAt > clock.now() ? value : undefined;
    } catch {
      return undefined;
    }
  }

  return {
    mint: (pass) => vault.encrypt(JSON.stringify(pass), PASS),
    read(token) {
      const before = known.get(token);
      if (before !== undefined) return before.expiresAt > clock.now() ? before : undefined;
      const pass = open<RegistryPass>(token, PASS);
      if (pass === undefined) return undefined;
      if (known.size >= REMEMBERED) known.clear();
      known.set(token, pass);
      return pass;
    },
    mintGrant: (grant) => vault.encrypt(JSON.stringify(grant), GRANT),
    readGrant: (token) => open<BlobGrant>(token, GRANT),
  };
}
