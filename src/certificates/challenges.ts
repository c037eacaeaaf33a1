/** Answers to HTTP-01 challenges (RFC 8555, section 8.3): `http://NAME/.well-known/acme-challenge/TOKEN` while an order waits for its proof. */
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';

export type Challenges = {
  set(token: string, keyAuthorization: string): void;
  remove(token: string): void;
  /** What to answer to a request for this path; undefined for any that isn't a challenge under way. */
  answer(path: string): string | undefined;
};

export function createChallenges(): Challenges {
  const waiting = new Map<string, string>();
  return {
    set: (token, keyAuthorization) => void waiting.set(token, keyAuthorization),
    remove: (token) => void waiting.delete(token),
    answer(path) {
      if (!path.startsWith(CHALLENGE_PATH)) return undefined;
      return waiting.get(path.slice(CHALLENGE_PATH.length).replace(/\?.*$/, ''));
    },
  };
}
