/** Which secrets a filter means. Source: Secrets Manager user guide, "Find secrets in AWS Secrets Manager". */
import type { Filter } from '@aws-sdk/client-secrets-manager';
import type { Scope } from '#domain/scope.ts';
import { clip } from '#domain/names.ts';
import type { SecretRecord } from '#domain/secret.ts';
import { invalidSecret, type SecretDeps } from '#intent/index.ts';

type Order = { planned?: boolean | undefined; by?: string | undefined; order?: string | undefined };
const FILTERS = 10;

/** In the order that is asked for; by default the newest first. Throws InvalidParameterException. */
export async function filtered(
  deps: Pick<SecretDeps, 'store'>,
  { account, region }: Scope,
  filters: readonly Filter[] = [],
  { planned = false, by = 'created-date', order }: Order,
): Promise<SecretRecord[]> {
  if (filters.length > FILTERS) throw invalidSecret(`A list takes up to ${FILTERS} filters; ${filters.length} are given.`);
  const tests = filters.map((filter) => testOf(filter, region));
  const weigh = weightOf(by);
  const direction = order === undefined ? (by === 'name' ? 1 : -1) : order === 'asc' ? 1 : -1;
  const all = await deps.store.read((tx) => tx.secrets.list({ account, region }));
  return all
    .filter((secret) => (planned || secret.deletion === null) && tests.every((test) => test(secret)))
    .toSorted((a, b) => direction * (compare(weigh(a), weigh(b)) || compare(a.key.name, b.key.name)));
}

const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0);

function weightOf(by: string): (secret: SecretRecord) => string | number {
  if (by === 'name') return ({ key }) => key.name;
  if (by === 'created-date') return ({ createdAt }) => createdAt;
  if (by === 'last-changed-date') return ({ changedAt }) => changedAt;
  if (by === 'last-accessed-date') return ({ accessedAt }) => accessedAt ?? 0;
  throw invalidSecret(`'${by}' is not what secrets can be sorted by: use created-date, last-accessed-date, last-changed-date or name.`);
}

/** A value that begins with `!` means those that don't match. */
function testOf({ Key, Values = [] }: Filter, region: string): (secret: SecretRecord) => boolean {
  if (Values.length < 1 || Values.length > FILTERS)
    throw invalidSecret(`A filter takes 1 to ${FILTERS} values; '${clip(Key ?? '')}' has ${Values.length}.`);
  const match = matchOf(Key ?? '', region);
  const wanted = Values.filter((value) => !value.startsWith('!'));
  const unwanted = Values.filter((value) => value.startsWith('!')).map((value) => value.slice(1));
  return (secret) =>
    (wanted.length === 0 || wanted.some((value) => match(secret, value))) && !unwanted.some((value) => match(secret, value));
}

function matchOf(key: string, region: string): (secret: SecretRecord, value: string) => boolean {
  const begins = (text: string, value: string) => text.startsWith(value);
  const beginsAnyCase = (text: string, value: string) => text.toLowerCase().startsWith(value.toLowerCase());
  if (key === 'name') return ({ key: { name } }, value) => begins(name, value);
  if (key === 'description')
    return ({ description }, value) =>
      words(description).some((word) => beginsAnyCase(word, value)) || beginsAnyCase(description ?? '', value);
  if (key === 'tag-key') return ({ tags }, value) => tags.some((tag) => begins(tag.key, value));
  if (key === 'tag-value') return ({ tags }, value) => tags.some((tag) => begins(tag.value, value));
  if (key === 'primary-region') return (_secret, value) => begins(region, value);
  // None is another service's.
  if (key === 'owning-service') return () => false;
  if (key === 'all') return (secret, value) => words(value).every((word) => texts(secret).some((text) => beginsAnyCase(text, word)));
  throw invalidSecret(`'${key}' is not a filter: use description, name, tag-key, tag-value, primary-region, owning-service or all.`);
}

const words = (text: string | null): string[] => (text ?? '').split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
const texts = ({ key, description, tags }: SecretRecord): string[] =>
  [key.name, description ?? '', ...tags.flatMap((tag) => [tag.key, tag.value])].flatMap((text) => [text, ...words(text)]);
