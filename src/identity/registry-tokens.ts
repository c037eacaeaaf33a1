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
  /** undefined for what isn't of this vault. */
  read(token: string): RegistryPass | 'expired' | undefined;
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

  function open<T>(token: string, context: Record<string, string>): T | undefined {
    if (token.length > TOKEN_CHARS) return undefined;
    try {
      return JSON.parse(vault.decrypt(token, context).toString()) as T;
    } catch {
      return undefined;
    }
  }
  const isOver = ({ expiresAt }: { expiresAt: number }): boolean => expiresAt <= clock.now();

  return {
    mint: (pass) => vault.encrypt(JSON.stringify(pass), PASS),
    read(token) {
      const before = known.get(token);
      const pass = before ?? open<RegistryPass>(token, PASS);
      if (pass === undefined) return undefined;
      if (isOver(pass)) return 'expired';
      if (before !== undefined) return before;
      if (known.size >= REMEMBERED) known.clear();
      known.set(token, pass);
      return pass;
    },
    mintGrant: (grant) => vault.encrypt(JSON.stringify(grant), GRANT),
    readGrant(token) {
      const grant = open<BlobGrant>(token, GRANT);
      return grant === undefined || isOver(grant) ? undefined : grant;
    },
  };
}
