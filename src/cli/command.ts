/** Commands as data: what help, argument parsing and the tests read. */
import type { Clock } from '#base/clock.ts';
import type { Arguments } from './arguments.ts';
import type { Client } from './client.ts';
import type { Platform } from './platform.ts';
import type { Steps } from './steps.ts';
import type { Terminal } from './terminal.ts';

export type Option = {
  /** Without dashes: `cpu`. */
  name: string;
  /** One letter. */
  short?: string;
  /** Placeholder of its value (`N`, `K=V`); absent: a switch. */
  value?: string;
  /** May be given several times. */
  repeat?: boolean;
  summary: string;
};

export type Positional = { name: string; required: boolean; repeat?: boolean; summary: string };

export type Command = {
  /** One or two words: `run`, `image ls`. */
  name: string;
  /** Heading in the overview. */
  section: 'Start here' | 'Run things' | 'Images' | 'Volumes' | 'The platform';
  summary: string;
  /** A paragraph or two for `--help`. */
  about?: string;
  positionals?: Positional[];
  /** What follows `--` is passed on: says what it is. */
  rest?: string;
  options: Option[];
  examples: { command: string; note: string }[];
  /** Returns the exit code. */
  run(args: Arguments, context: Context): Promise<number>;
};

export type Context = {
  terminal: Terminal;
  clock: Clock;
  steps: Steps;
  /** The instance's state directory. */
  state: string;
  /** How to call berth again from where the user stands, for hints. */
  self: string;
  connect(): Promise<Client>;
  /** The same, but its calls go through although Ctrl-C was pressed: for cleaning up. */
  connectForCleanUp(): Promise<Client>;
  /** Variables that point the AWS tools here. Throws when this instance has no keys yet, or the user may not read them. */
  environment(region: string | undefined): Promise<Record<string, string>>;
  /** This machine's side: setting up, starting, stopping, looking. Loaded when first asked for. */
  platform(): Promise<Platform>;
  /** Aborted by Ctrl-C or SIGTERM; commands then clean up what they began and throw Fault('Cancelled'). */
  signal: AbortSignal;
};

/** Exit codes, also in `berth --help`. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  notFound: 4,
  needsRoot: 5,
  interrupted: 130,
} as const;

/** On every command. */
export const commonOptions: Option[] = [
  { name: 'state', value: 'DIR', summary: 'state directory of the instance (default: $BERTH_STATE, else /var/lib/berth)' },
  { name: 'help', short: 'h', summary: 'show this help' },
];

export const jsonOption: Option = { name: 'json', summary: 'print JSON, for programs' };
export const clusterOption: Option = { name: 'cluster', value: 'NAME', summary: 'ECS cluster (default: default)' };
