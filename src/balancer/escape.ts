/** Text for HAProxy's configuration (configuration manual 2.6, sections 2.2 and 8.2.4). */

/** One word that means exactly this text: whatever could mean something else is written as `\xNN`. */
export function word(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9._/:,=?&*+^$()|~!@-]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** The same where a log format is read: a percent sign would begin a variable. */
export const literal = (text: string): string => word(text).replaceAll('\\x25', '\\x25\\x25');

/** A regular expression for exactly this text. */
export const regexText = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, (char) => `\\${char}`);

/** A pattern of the API (`*` any number of characters, `?` exactly one) as a regular expression; `any` is what one character may be. */
export function wildcardRegex(pattern: string, any = '.'): string {
  return [...pattern].map((char) => (char === '*' ? `${any}*` : char === '?' ? any : regexText(char))).join('');
}
