/**
 * Temporary credentials. Nothing is kept of them: the token itself says all, encrypted by the vault, so that they outlive the process that gave
 * them and can be given without a write.
 */
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Principal } from '#domain/records.ts';
import type { Vault } from '#vault/index.ts';

export type TemporaryCredentials = {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiresAt: number;
  principal: Principal;
};

/** Who the credentials are for; without the parts that are made with them. */
export type SessionWish = Omit<Principal, 'accessKeyId' | 'session'> & {
  seconds: number;
  policies?: string[] | null;
  tags?: Record<string, string>;
  sourceIdentity?: string | null;
};

type Sealed = { secret: string; principal: Principal };

export type Sessions = {
  mint(wish: SessionWish): TemporaryCredentials;
  /** undefined for a token that isn't of this vault, or of another key. Expired ones are still read: the caller is told so. */
  read(accessKeyId: string, token: string): Sealed | undefined;
};

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Tokens that were read before, so that a client's many calls decrypt once. */
const REMEMBERED = 1000;

export function createSessions({ clock, random, vault }: { clock: Clock; random: Random; vault: Vault }): Sessions {
  const known = new Map<string, Sealed>();
  const letters = (alphabet: string, count: number) => Array.from(random.bytes(count), (byte) => alphabet[byte % alphabet.length]).join('');
  const contextOf = (accessKeyId: string) => ({ purpose: 'session', id: accessKeyId });

  const remember = (token: string, sealed: Sealed): void => {
    const [oldest] = known.keys();
    if (known.size >= REMEMBERED && oldest !== undefined) known.delete(oldest);
    known.set(token, sealed);
  };

  return {
    mint({ seconds, policies = null, tags = {}, sourceIdentity = null, ...who }) {
      const accessKeyId = `ASIA${letters(ID_LETTERS, 16)}`;
      const secret = letters(SECRET_LETTERS, 40);
      // Whole seconds, which is all that the answer can say.
      const issuedAt = Math.floor(clock.now() / 1000) * 1000;
      const session = { issuedAt, expiresAt: issuedAt + seconds * 1000, policies, tags, sourceIdentity };
      const principal: Principal = { ...who, accessKeyId, session };
      const sessionToken = vault.encrypt(JSON.stringify({ secret, principal }), contextOf(accessKeyId));
      return { accessKeyId, secretAccessKey: secret, sessionToken, expiresAt: session.expiresAt, principal };
    },
    read(accessKeyId, token) {
      const before = known.get(token);
      if (before !== undefined) return before.principal.accessKeyId === accessKeyId ? before : undefined;
      // Base64 is read with things after its end too: a token is what was given, to the letter.
      if (Buffer.from(token, 'base64').toString('base64') !== token) return undefined;
      let text: string;
      try {
        text = vault.decrypt(token, contextOf(accessKeyId)).toString();
      } catch {
        return undefined;
      }
      const sealed = JSON.parse(text) as Sealed;
      remember(token, sealed);
      return sealed;
    },
  };
}
