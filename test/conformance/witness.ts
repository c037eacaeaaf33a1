/** Who listens to a sandbox in tests: keeps all that was told, and waits for more. */
import assert from 'node:assert/strict';
import { eachRecord } from '#sandbox/run-records.ts';
import type { ExecProcess, ExecRequest } from '#supervisor/exec-calls.ts';
import type { Sandbox, SandboxEvents, SandboxState } from '#sandbox/driver.ts';

/** All that was told of a sandbox, and a way to wait for more. */
export type Witness = {
  events: SandboxEvents;
  state(): SandboxState;
  /** Text that a container wrote, lines joined. */
  text(container: string): string;
  offset(): number;
  lost(): string | null;
  until(what: string, condition: () => boolean): Promise<void>;
  /** Waits until nothing runs and all output was read. */
  ended(): Promise<SandboxState>;
};

/** How long anything that is waited for may take, where tasks share two cores with other tests. */
export const PATIENCE_MS = 20_000;

export function witness(patienceMs = PATIENCE_MS): Witness {
  let last: SandboxState = { containers: [], failure: null, droppedBytes: 0, spoolBase: 0, spoolEnd: 0 };
  let offset = 0;
  let lost: string | null = null;
  const texts = new Map<string, string>();
  const waiting = new Set<() => void>();
  const look = () => waiting.forEach((one) => one());
  const until = (what: string, condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check);
        reject(new Error(`waited ${patienceMs} ms for ${what}; last state: ${JSON.stringify(last)}, lost: ${lost}`));
      }, patienceMs);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const events: SandboxEvents = {
    state: (state) => ((last = state), look()),
    output(records, _from, to) {
      for (const record of records) {
        texts.set(record.container, (texts.get(record.container) ?? '') + record.data.toString() + (record.partial ? '' : '\n'));
      }
      offset = to;
      look();
    },
    run: (run, names) => eachRecord(run, names, (record, from, to) => events.output([record], from, to)),
    lost: (reason, why) => ((lost = why ?? reason), look()),
  };
  return {
    events,
    state: () => last,
    text: (container) => texts.get(container) ?? '',
    offset: () => offset,
    lost: () => lost,
    until,
    async ended() {
      await until(
        'the end',
        () => last.containers.length > 0 && last.containers.every((one) => one.status === 'exited') && offset >= last.spoolEnd,
      );
      return last;
    },
  };
}

export function stateOf(w: Witness, name: string) {
  const found = w.state().containers.find((one) => one.name === name);
  assert.ok(found, `no container ${name} in ${JSON.stringify(w.state())}`);
  return found;
}

export function runs(w: Witness, name: string): boolean {
  return w.state().containers.some((one) => one.name === name && one.status === 'running');
}

/** Asks again and again until the answer is the wanted one. */
export async function eventually<T>(what: string, patienceMs: number, ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const late = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() >= late) throw new Error(`waited ${patienceMs} ms for ${what}; last: ${JSON.stringify(answer)}`);
  }
}

/** A command that is run inside, and all that it wrote. */
export type ExecWitness = {
  process: ExecProcess;
  out(): string;
  err(): string;
  until(what: string, condition: () => boolean): Promise<void>;
  /** Its exit code, once it ended. */
  code(): Promise<number>;
};

export async function execWitness(
  sandbox: Sandbox,
  request: ExecRequest,
  options: { patienceMs: number; acks?: boolean },
): Promise<ExecWitness> {
  const texts = { stdout: '', stderr: '' };
  let owed = 0;
  const begun: { process?: ExecProcess } = {};
  const waiting = new Set<() => void>();
  const within = async <T>(what: string, promise: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`waited ${options.patienceMs} ms for ${what}; so far: ${JSON.stringify(texts).slice(0, 2000)}`)),
      options.patienceMs,
    );
    try {
      return await Promise.race([promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
  const made = await sandbox.exec(request, {
    output(source, data) {
      texts[source] += data.toString();
      if (options.acks !== false && begun.process !== undefined) begun.process.ack(data.length);
      else owed += data.length;
      for (const one of waiting) one();
    },
  });
  begun.process = made;
  // What came before the process was known.
  if (options.acks !== false && owed > 0) made.ack(owed);
  return {
    process: made,
    out: () => texts.stdout,
    err: () => texts.stderr,
    async until(what, condition) {
      if (condition()) return;
      const seen = Promise.withResolvers<void>();
      const look = () => void (condition() && seen.resolve());
      waiting.add(look);
      await within(what, seen.promise).finally(() => waiting.delete(look));
    },
    code: () => within('the end of the command', made.ended),
  };
}
