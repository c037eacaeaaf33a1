/** Help texts, made from the commands' descriptions. */
import { commonOptions, exitCodes } from './command.ts';
import type { Command, Option } from './command.ts';
import type { Terminal } from './terminal.ts';

const sections = ['Start here', 'Run things', 'Images', 'Volumes', 'The platform'] as const;

export function usageLine(command: Command): string {
  const positionals = (command.positionals ?? []).map(({ name, required, repeat }) => {
    const many = repeat === true ? `${name}...` : name;
    return required ? many : `[${many}]`;
  });
  const rest = command.rest === undefined ? [] : ['[-- COMMAND...]'];
  return ['berth', command.name, ...positionals, ...(command.options.length > 0 ? ['[OPTIONS]'] : []), ...rest].join(' ');
}

export function overview(commands: Command[], style: Terminal['style']): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2;
  const lines = ['berth runs container images on your own machine and gives each an address and a URL, behind the Amazon ECS API.', ''];
  for (const section of sections) {
    lines.push(style('bold', section));
    for (const command of commands.filter((candidate) => candidate.section === section)) {
      lines.push(`  ${style('cyan', command.name.padEnd(width))}${command.summary}`);
    }
    lines.push('');
  }
  lines.push(
    style('bold', 'A first session'),
    '  sudo ./berth demo                                     sets up, starts, runs a web server, prints its URL',
    '  ./berth run hello --image nginx --port 80             your own image',
    '  ./berth logs hello -f                                 what it prints',
    '  eval "$(./berth env)" && aws ecs list-clusters        the stock AWS tools, pointed here',
    '',
    'berth COMMAND --help explains each command, with examples.',
    `Every command takes --state DIR (or BERTH_STATE): several instances live side by side.`,
    `Exit codes: ${exitCodes.ok} well, ${exitCodes.failed} failed, ${exitCodes.usage} wrong usage, ${exitCodes.notRunning} berth isn't running, ` +
      `${exitCodes.notFound} no such thing, ${exitCodes.needsRoot} needs root, ${exitCodes.interrupted} interrupted.`,
  );
  return `${lines.join('\n')}\n`;
}

export function commandHelp(command: Command, style: Terminal['style']): string {
  const lines = [command.summary, '', `${style('bold', 'Usage:')} ${usageLine(command)}`];
  if (command.about !== undefined) lines.push('', ...wrap(command.about, 96));
  const positionals = (command.positionals ?? []).map(({ name, summary }) => [name, summary] as const);
  if (positionals.length > 0) lines.push('', style('bold', 'Arguments'), ...pairs(positionals, style));
  if (command.rest !== undefined) lines.push('', style('bold', 'After --'), `  ${command.rest}`);
  const options = [...command.options, ...commonOptions].map((option) => [optionHead(option), option.summary] as const);
  lines.push('', style('bold', 'Options'), ...pairs(options, style));
  lines.push('', style('bold', 'Examples'));
  for (const example of command.examples) lines.push(`  ${style('dim', `# ${example.note}`)}`, `  ${example.command}`);
  return `${lines.join('\n')}\n`;
}

function optionHead(option: Option): string {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  return `${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`;
}

function pairs(rows: (readonly [string, string])[], style: Terminal['style']): string[] {
  const width = Math.max(...rows.map(([head]) => head.length)) + 2;
  return rows.map(([head, text]) => `  ${style('cyan', head.padEnd(width))}${text}`);
}

/** Breaks a text at spaces; keeps its own line breaks. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [''];
    for (const word of paragraph.split(' ')) {
      const line = lines.at(-1) ?? '';
      if (line !== '' && line.length + word.length + 1 > width) lines.push(word);
      else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    }
    return lines;
  });
}
