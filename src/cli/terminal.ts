/** What commands write to: a terminal or a pipe, with colours and widths only where somebody looks. */

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';
const codes: Record<Style, string> = {
  plain: '',
  bold: '1',
  dim: '2',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  magenta: '35',
  cyan: '36',
};

export type Terminal = {
  /** Standard output, one line. */
  line(text?: string): void;
  /** Standard error, one line. */
  note(text: string): void;
  /** Raw text to standard output (spinners, log lines). */
  write(text: string): void;
  style(style: Style, text: string): string;
  /** A person looks at standard output. */
  interactive: boolean;
  /** Columns to cut to; Infinity when nobody looks. */
  width(): number;
};

export type TerminalOptions = {
  write(text: string): void;
  writeError(text: string): void;
  interactive: boolean;
  /** False when NO_COLOR is set (https://no-color.org) or nobody looks. */
  colours: boolean;
  width(): number;
};

export function createTerminal(options: TerminalOptions): Terminal {
  return {
    line: (text = '') => options.write(`${text}\n`),
    note: (text) => options.writeError(`${text}\n`),
    write: options.write,
    style: (style, text) => (options.colours && style !== 'plain' ? `\u001b[${codes[style]}m${text}\u001b[0m` : text),
    interactive: options.interactive,
    width: () => (options.interactive ? Math.max(40, options.width()) : Infinity),
  };
}

/** Cuts to `width` columns, the last of them an ellipsis; control characters of others' text never reach the terminal. */
export function cut(text: string, width: number): string {
  const clean = printable(text);
  const characters = [...clean];
  if (characters.length <= width) return clean;
  return width < 1 ? '' : `${characters.slice(0, width - 1).join('')}…`;
}

/** Replaces control characters (an image's name or a log line must not drive the terminal). */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\uFFFD').replaceAll(/[\n\t]/g, ' ');
}
