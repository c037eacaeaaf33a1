/** Conditions of listener rules as HAProxy's ACL expressions. */
import type { RuleCondition } from '#domain/load-balancer.ts';
import { wildcardRegex, word } from './escape.ts';

/** All conditions at once: `{ ... } { ... }`; empty for none. */
export const conditions = (all: readonly RuleCondition[]): string => all.map((one) => `{ ${expression(one)} }`).join(' ');

function expression(condition: RuleCondition): string {
  switch (condition.field) {
    case 'host-header':
      return matching('req.hdr(host),host_only', condition.values, { ignoreCase: true });
    case 'path-pattern':
      return matching('path', condition.values, { ignoreCase: false });
    case 'http-header':
      return matching(`req.fhdr(${word(condition.name)})`, condition.values, { ignoreCase: true });
    case 'http-request-method':
      return `method -m str ${condition.values.map(word).join(' ')}`;
    case 'source-ip':
      return `src ${condition.values.map(word).join(' ')}`;
    case 'query-string':
      return `query -m reg -i ${condition.values.map(({ key, value }) => word(queryRegex(key, value))).join(' ')}`;
  }
}

/** The cheapest way to compare: whole texts, beginnings, or regular expressions. */
function matching(fetch: string, values: readonly string[], { ignoreCase }: { ignoreCase: boolean }): string {
  const flag = ignoreCase ? ' -i' : '';
  const plain = (text: string) => !/[*?]/.test(text);
  if (values.every(plain)) return `${fetch} -m str${flag} ${values.map(word).join(' ')}`;
  if (values.every((value) => value.endsWith('*') && value.length > 1 && plain(value.slice(0, -1)))) {
    return `${fetch} -m beg${flag} ${values.map((value) => word(value.slice(0, -1))).join(' ')}`;
  }
  return `${fetch} -m reg${flag} ${values.map((value) => word(`^${wildcardRegex(value)}$`)).join(' ')}`;
}

/** Without a key, the value of any key. */
function queryRegex(key: string | null, value: string): string {
  const left = key === null ? '([^&=]*=)?' : `${wildcardRegex(key, '[^&=]')}=`;
  return `(^|&)${left}${wildcardRegex(value, '[^&]')}(&|$)`;
}
