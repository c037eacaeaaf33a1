/** The wildcard of patterns: `*` stands for any characters, `\*` and `\\` for themselves. Takes time in proportion to both texts at worst, whatever is given. */
import { PatternError } from './types.ts';

/** Throws PatternError for two stars in a row and for an escape of anything else. */
export function compileWildcard(text: string): (value: string) => boolean {
  const parts = partsOf(text);
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return (value) => value === first;
  return (value) => {
    if (!value.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = value.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return value.length - last.length >= at && value.endsWith(last);
  };
}

/** The texts between the stars. */
function partsOf(text: string): string[] {
  const parts = [''];
  let starred = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '*') {
      if (starred) throw new PatternError(`Consecutive wildcard characters at pos ${at - 1}`);
      parts.push('');
      starred = true;
      continue;
    }
    starred = false;
    if (char === '\\') {
      at++;
      if (text[at] !== '*' && text[at] !== '\\') throw new PatternError(`Invalid escape character at pos ${at - 1}`);
    }
    parts[parts.length - 1] += text[at] ?? '';
  }
  return parts;
}
