/** What the files of the microVM driver share. */
import type { Log } from '#base/log.ts';
import type { Accelerator } from '#domain/task-spec.ts';
import type { PreparedImage } from '#image/types.ts';
import type { MachineDeps, MachineOptions, Machines } from './machine.ts';
import type { FileServers } from './file-server.ts';
import type { Pool } from './pool.ts';
import type { Templates } from './templates.ts';

export type MicrovmDeps = MachineDeps & {
  log: Log;
  /** Path of the EROFS disk of an image; made when it isn't there yet. */
  disk(image: PreparedImage): Promise<string>;
};

export type MicrovmOptions = Omit<MachineOptions, 'kit'> & {
  /** The supervisor's binary. */
  supervisor: string;
  /** What `up --accel` says. */
  accel: Accelerator | 'auto';
  /** Where what machines are made of is kept; several instances may share it. */
  kitDir: string;
  /** Where instances share their templates; null: nowhere. */
  templatesDir: string | null;
  /** An unpacked linux-image-*-cloud package. */
  packageDir: string;
  /** Whether machines stand ready for tasks to come. */
  pool: boolean;
  /** How long a guest may take to answer, how often it is asked whether it is there, and how long it may be silent; for tests. */
  guestAnswerMs?: number;
  guestLookMs?: number;
  guestSilenceMs?: number;
};

export type MicrovmParts = {
  deps: MicrovmDeps;
  options: MicrovmOptions;
  machines: Machines;
  files: FileServers;
  templates: Templates;
  pool: Pool | null;
  /** Open files of a container that doesn't set its own limit. */
  nofile: number;
  /** Throws Unavailable before the probe, and when it failed. */
  accelerator(): Accelerator;
};
