/** The command line: finds the command, parses, runs, and turns whatever is thrown into one clear message and an exit code. */
import { asFault } from '#base/fault.ts';
import type { Fault } from '#base/fault.ts';
import { nearest, parseArguments } from './arguments.ts';
import { exitCodes } from './command.ts';
import type { Command, Context } from './command.ts';
import { commands } from './commands/index.ts';
import { commandHelp, overview } from './help.ts';
import { printable } from './terminal.ts';

/** Makes the context once it is known which state directory is meant (undefined: the default). */
export type OpenContext = (state: string | undefined) => Context;

/** Runs `words` (without the program's name) and returns the exit code. */
export async function runCommandLine(words: string[], version: string, open: OpenContext): Promise<number> {
  const { state, words: rest } = takeState(words);
  const context = open(state);
  const { terminal } = context;
  const [first] = rest;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') return help(rest.slice(1), context);
  if (first === '--version' || first === 'version') {
    terminal.line(version);
    return exitCodes.ok;
  }
  const command = findCommand(rest);
  if (command === undefined) return unknown(rest, context);
  const own = rest.slice(command.name.split(' ').length);
  const untilRest = own.includes('--') ? own.slice(0, own.indexOf('--')) : own;
  if (untilRest.includes('--help') || untilRest.includes('-h')) {
    terminal.write(commandHelp(command, terminal.style));
    return exitCodes.ok;
  }
  try {
    const args = parseArguments(command, own);
    const stateOption = args.text('state');
    return await command.run(args, stateOption === undefined ? context : open(stateOption));
  } catch (error) {
    return explainFault(asFault(error), command, context);
  }
}

/** `--state DIR` may stand before the command too. */
function takeState(words: string[]): { state: string | undefined; words: string[] } {
  const [first = '', second] = words;
  if (first === '--state' && second !== undefined) return { state: second, words: words.slice(2) };
  if (first.startsWith('--state=')) return { state: first.slice('--state='.length), words: words.slice(1) };
  return { state: undefined, words };
}

function findCommand(words: string[]): Command | undefined {
  return commands.find((command) => command.name.split(' ').every((part, index) => words[index] === part));
}

function help(words: string[], context: Context): number {
  const { terminal } = context;
  const command = findCommand(words);
  const group = commands.filter((candidate) => candidate.name.startsWith(`${words[0]} `));
  if (words.length > 0 && command === undefined && group.length === 0) return unknown(words, context);
  terminal.write(
    command === undefined ? overview(words.length > 0 ? group : commands, terminal.style) : commandHelp(command, terminal.style),
  );
  return exitCodes.ok;
}

function unknown(words: string[], context: Context): number {
  const { terminal } = context;
  const [first = ''] = words;
  const group = commands.filter((candidate) => candidate.name.startsWith(`${first} `));
  if (group.length > 0) {
    const asked = words[1] === '--help' || words[1] === '-h';
    if (asked) {
      for (const command of group) terminal.line(`${terminal.style('cyan', `berth ${command.name}`.padEnd(20))}  ${command.summary}`);
      return exitCodes.ok;
    }
    terminal.note(`berth ${first} needs one of: ${group.map((command) => command.name.split(' ')[1]).join(', ')}`);
    return exitCodes.usage;
  }
  const near = nearest(first, [...new Set(commands.map((command) => command.name.split(' ')[0] ?? ''))]);
  terminal.note(
    `berth: there is no command '${printable(first)}'${near === undefined ? '' : `; did you mean '${near}'?`} (berth --help lists all)`,
  );
  return exitCodes.usage;
}

function explainFault(fault: Fault, command: Command, context: Context): number {
  const { terminal } = context;
  if (context.signal.aborted) {
    terminal.note('Interrupted.');
    return exitCodes.interrupted;
  }
  terminal.note(`${terminal.style('red', 'berth:')} ${fault.message}`);
  if (fault.code === 'Internal' && fault.stack !== undefined) terminal.note(fault.stack);
  if (fault.details['usage'] === true) {
    terminal.note(`See: berth ${command.name} --help`);
    return exitCodes.usage;
  }
  if (fault.details['needsRoot'] === true) return exitCodes.needsRoot;
  if (fault.details['notRunning'] === true) return exitCodes.notRunning;
  if (fault.code === 'ResourceNotFound' || fault.code === 'TaskNotFound') return exitCodes.notFound;
  return exitCodes.failed;
}
