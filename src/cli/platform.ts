/**
 * This machine's side of the platform: setting up, starting, stopping, looking. `main` implements it; commands that only speak HTTP
 * never load it.
 */
import type { Explained } from './isolation.ts';
import type { Steps } from './steps.ts';

export type UpOptions = {
  /** Gateway: AWS API. */
  port?: number;
  listen?: string;
  /** HAProxy: http://NAME.localhost:PORT. */
  endpointPort?: number;
  strictCapacity?: boolean;
  diskLimit?: boolean;
  /** The machine's availability zone; null takes it back. */
  zone?: string | null;
  isolation?: string;
  /** Names under berth.internal resolve on this machine. */
  dns?: boolean;
  accel?: string;
  execIdleSeconds?: number;
  eventHours?: number;
  /** Ranges that API destinations may call beside what is open to them; null: none. */
  webhooksTo?: string | null;
  /** The real domain; null takes it back. */
  domain?: string | null;
  acmeEmail?: string;
  acmeDirectory?: string;
  /** Of environment files; null takes it back. `s3Credentials`: a file as the AWS tools keep one. */
  s3Endpoint?: string | null;
  s3Region?: string;
  s3Credentials?: string;
};

export type UpResult = {
  endpoint: string;
  endpointPort: number;
  state: string;
  already: boolean;
  /** What a task gets that asks for no kind of sandbox; `kind` null when there is none. */
  isolation: Explained;
  notes: string[];
};

export type Check = {
  name: string;
  status: 'ok' | 'warn' | 'missing';
  detail: string;
  /** How to get it, when it isn't ok. */
  fix?: string;
};

/** `changed`: the unit was not there before, or was another; of a removal: it was there. */
export type InstallResult = { unit: string; path: string; changed: boolean };

export type ProcessStatus = { name: string; pid: number | null; alive: boolean };

export type Platform = {
  /** Throws Fault('AccessDenied') with what to do when this user isn't root; for a command that would otherwise do half of its work. */
  requireRoot(command: string): void;
  /** Installs packages, builds the supervisor, makes the system user. Says nothing in steps that have nothing to do when `quiet`. */
  setUp(steps: Steps, options: { quiet: boolean }): Promise<void>;
  up(options: UpOptions, steps: Steps): Promise<UpResult>;
  /** Stops processes and removes what they made on this machine; `tasks`: what becomes of the running tasks was decided before. */
  down(steps: Steps, options: { keepTasks: boolean }): Promise<{ wasRunning: boolean }>;
  /** The systemd unit that `install` writes. */
  bootUnit(): string;
  /** Has systemd start the instance now and at boot. */
  install(steps: Steps): Promise<InstallResult>;
  uninstall(steps: Steps): Promise<InstallResult>;
  /** Puts berth's root (PEM) into the machine's store of trusted certificates. Needs root. */
  trust(certificate: string): Promise<{ path: string; already: boolean }>;
  /** Takes it out again. Needs root. */
  distrust(): Promise<{ path: string; removed: boolean }>;
  processes(): Promise<ProcessStatus[]>;
  checks(): Promise<Check[]>;
  /** Whether Docker Hub can be reached, within two seconds. */
  registryAnswers(): Promise<boolean>;
  /** Builds nginx from the distribution's own package as an image archive, once: `ref` is the name to import it by. */
  buildNginx(progress: (detail: string) => void): Promise<{ path: string; ref: string }>;
};
