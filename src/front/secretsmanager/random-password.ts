/** GetRandomPassword: letters out of the machine's own randomness, each equally likely. */
import type { GetRandomPasswordRequest, GetRandomPasswordResponse } from '@aws-sdk/client-secrets-manager';
import type { Random } from '#base/random.ts';
import type { Handler } from '#gateway/types.ts';
import { invalidSecret, type SecretDeps } from '#intent/index.ts';
import { operation } from './operation.ts';

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();
const DIGITS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const LENGTH = { usual: 32, most: 4096 };

export function getRandomPassword({ random }: Pick<SecretDeps, 'random'>): Handler<GetRandomPasswordRequest, GetRandomPasswordResponse> {
  return operation('GetRandomPassword', async (input) => ({ RandomPassword: makePassword(random, input) }));
}

function makePassword(random: Random, input: GetRandomPasswordRequest): string {
  const length = input.PasswordLength ?? LENGTH.usual;
  if (!Number.isInteger(length) || length < 1 || length > LENGTH.most)
    throw invalidSecret(`PasswordLength must be between 1 and ${LENGTH.most}.`);
  const excluded = new Set(input.ExcludeCharacters ?? '');
  const kinds = [
    input.ExcludeLowercase === true ? '' : LOWER,
    input.ExcludeUppercase === true ? '' : UPPER,
    input.ExcludeNumbers === true ? '' : DIGITS,
    input.ExcludePunctuation === true ? '' : PUNCTUATION,
    input.IncludeSpace === true ? ' ' : '',
  ];
  const left = kinds.map((letters) => [...letters].filter((letter) => !excluded.has(letter))).filter((letters) => letters.length > 0);
  const all = left.flat();
  if (all.length === 0) throw invalidSecret('No characters are left to make a password of: exclude less.');
  // One of each kind that is left, unless the caller doesn't ask for that.
  const wanted = input.RequireEachIncludedType === false ? [] : left.filter((letters) => letters[0] !== ' ');
  if (wanted.length > length) throw invalidSecret('The password length is too short to have each of the required character types.');
  const letters = wanted.map((kind) => pick(random, kind));
  while (letters.length < length) letters.push(pick(random, all));
  return shuffled(random, letters).join('');
}

const pick = (random: Random, letters: readonly string[]): string => letters[below(random, letters.length)] ?? '';

/** A whole number in [0, bound), each as likely as any other; bound up to 65536. */
function below(random: Random, bound: number): number {
  const most = 65_536 - (65_536 % bound);
  for (;;) {
    const [high = 0, low = 0] = random.bytes(2);
    const value = high * 256 + low;
    if (value < most) return value % bound;
  }
}

function shuffled(random: Random, letters: readonly string[]): string[] {
  const order = [...letters];
  for (let at = order.length - 1; at > 0; at--) {
    const other = below(random, at + 1);
    [order[at], order[other]] = [order[other] ?? '', order[at] ?? ''];
  }
  return order;
}
