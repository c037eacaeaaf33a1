/** A second evaluator for tests: slow, and so plain that it can be read beside AWS's page. It shares no code with the other. */

export type PlainStatement = {
  effect: 'Allow' | 'Deny';
  actions: string[];
  notAction: boolean;
  resources: string[];
  notResource: boolean;
  conditions: { operator: string; key: string; values: string[] }[];
};
type Facts = Record<string, string | string[]>;

/** `allowed`, or `deny KIND` / `nothing KIND`. */
export function plainDecision(
  identity: PlainStatement[],
  boundary: PlainStatement[] | null,
  action: string,
  resource: string,
  facts: Facts,
): string {
  const hits = (statements: PlainStatement[], effect: string) =>
    statements.some((statement) => statement.effect === effect && applies(statement, action, resource, facts));
  if (hits(identity, 'Deny')) return 'deny identity';
  if (boundary !== null && hits(boundary, 'Deny')) return 'deny boundary';
  if (!hits(identity, 'Allow')) return 'nothing identity';
  if (boundary !== null && !hits(boundary, 'Allow')) return 'nothing boundary';
  return 'allowed';
}

function applies(statement: PlainStatement, action: string, resource: string, facts: Facts): boolean {
  const namesAction = statement.actions.some((name) => like(tokens(name.toLowerCase(), {}, false) ?? [], action.toLowerCase()));
  if (namesAction === statement.notAction) return false;
  const namesResource = statement.resources.some((name) => coversArn(name, resource, facts));
  if (namesResource === statement.notResource) return false;
  return statement.conditions.every((condition) => holds(condition, facts));
}

/** Each character of a pattern as itself or as a wildcard; null when a variable has no value. */
type Token = { char: string } | 'any' | 'one';
function tokens(pattern: string, facts: Facts, variables: boolean, wildcards = true): Token[] | null {
  const out: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const end = pattern.indexOf('}', i);
    if (variables && pattern.startsWith('${', i) && end > 0) {
      const name = pattern.slice(i + 2, end);
      const value = ['*', '?', '$'].includes(name) ? name : facts[name];
      if (typeof value !== 'string') return null;
      out.push(...[...value].map((char) => ({ char })));
      i = end;
    } else if (wildcards && pattern[i] === '*') out.push('any');
    else if (wildcards && pattern[i] === '?') out.push('one');
    else out.push({ char: pattern[i] ?? '' });
  }
  return out;
}

/** By trying every way. */
function like([first, ...rest]: Token[], text: string): boolean {
  if (first === undefined) return text === '';
  if (first === 'any') return like(rest, text) || (text !== '' && like([first, ...rest], text.slice(1)));
  if (text === '') return false;
  return (first === 'one' || first.char === text[0]) && like(rest, text.slice(1));
}

function coversArn(pattern: string, arn: string, facts: Facts): boolean {
  if (pattern === '*') return true;
  if (!arn.startsWith('arn:')) return false;
  const hidden = pattern.replaceAll('aws:username', 'aws;username');
  const wanted = hidden.split(':').map((part) => part.replaceAll('aws;username', 'aws:username'));
  const given = arn.split(':');
  return wanted.every((part, i) => {
    const ready = tokens(part, facts, true);
    return ready !== null && like(ready, given[i] ?? '');
  });
}

function holds({ operator, key, values }: PlainStatement['conditions'][number], facts: Facts): boolean {
  const [prefix, word = ''] = operator.includes(':') ? operator.split(':') : ['', operator];
  const ifExists = word.endsWith('IfExists');
  const base = ifExists ? word.slice(0, -8) : word;
  const negative = base.includes('Not');
  const given = facts[key.toLowerCase()];
  const list = given === undefined ? [] : Array.isArray(given) ? given : [given];
  if (list.length === 0) {
    if (prefix === 'ForAllValues') return true;
    if (prefix === 'ForAnyValue') return ifExists;
    return ifExists || negative;
  }
  const passes = (value: string) => values.some((wanted) => compare(base.replace('Not', ''), value, wanted, facts)) !== negative;
  if (prefix === 'ForAllValues') return list.every(passes);
  if (prefix === 'ForAnyValue') return list.some(passes);
  return negative ? list.every(passes) : list.some(passes);
}

function compare(base: string, value: string, wanted: string, facts: Facts): boolean {
  const ready = tokens(wanted, facts, true, base === 'StringLike');
  if (ready === null) return false;
  const plain = ready.map((token) => (typeof token === 'string' ? '' : token.char)).join('');
  const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : Number.NaN);
  switch (base) {
    case 'StringEquals':
      return plain === value;
    case 'StringEqualsIgnoreCase':
      return plain.toLowerCase() === value.toLowerCase();
    case 'StringLike':
      return like(ready, value);
    case 'NumericLessThan':
      return number(value) < number(plain);
    case 'NumericEquals':
      return number(value) === number(plain);
    default:
      throw new Error(`no such operator: ${base}`);
  }
}
