/**
 * A microVM's machine by itself, through the driver's own parts: booted, restored from its template, taken from the pool; and what an idle
 * task's machine takes of the host's memory when it was booted for it, and when it came from the template.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { createFileServers } from '#sandbox/microvm/file-server.ts';
import { makeKit } from '#sandbox/microvm/kit.ts';
import { createMachines } from '#sandbox/microvm/machine.ts';
import type { Machine } from '#sandbox/microvm/machine.ts';
import type { MicrovmParts } from '#sandbox/microvm/parts.ts';
import { createPool } from '#sandbox/microvm/pool.ts';
import { createRehearsal } from '#sandbox/microvm/rehearsal.ts';
import { openSandbox } from '#sandbox/microvm/sandbox.ts';
import { shapeOf } from '#sandbox/microvm/shape.ts';
import type { Shape } from '#sandbox/microvm/shape.ts';
import { startTask } from '#sandbox/microvm/start.ts';
import { createTemplates } from '#sandbox/microvm/templates.ts';
import { createMicrovmHost, microvmDeps, microvmOptions } from '../test/conformance/microvm-host.ts';
import type { MicrovmHost } from '../test/conformance/microvm-host.ts';
import { scripted } from '../test/conformance/real-host.ts';
import { witness } from '../test/conformance/witness.ts';
import { processesKib, translatedKib } from './memory.ts';
import { median, quantile, report } from './promises.ts';

const BOOTS = 5;
const ROUNDS = 9;
const TASKS = 4;
const PATIENCE_MS = 60_000;
const SETTLE_MS = 3_000;
const LOOK_MS = 100;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const SIZE = { cpuMillis: 250, memoryBytes: 512 * 1024 ** 2 };

type Bench = {
  host: MicrovmHost;
  parts: MicrovmParts;
  shape: Shape;
  /** A machine that was booted, and how long it took: by itself, without tries that failed. */
  boot(): Promise<{ machine: Machine; ms: number }>;
  clear(): void;
};

export async function microvmMachines(): Promise<boolean> {
  const host = await createMicrovmHost();
  try {
    const bench = await benchOn(host);
    try {
      return [await starts(bench), await memory(bench)].every(Boolean);
    } finally {
      await bench.parts.pool?.close();
      bench.clear();
    }
  } finally {
    await host.close();
  }
}

/** The parts of a driver, as driver.ts puts them together. */
async function benchOn(host: MicrovmHost): Promise<Bench> {
  const clock = realClock();
  const from = { ...host, clock, log: silentLog };
  const [deps, options] = [microvmDeps(from), microvmOptions(from)];
  const kit = await makeKit({ ...options, clock, dir: options.kitDir });
  const all = { ...options, kit: () => kit };
  const machines = createMachines(deps, all);
  const templates = createTemplates({ ...deps, machines, shared: null }, all);
  const files = createFileServers(deps, options);
  const some = { deps, options, machines, files, templates, nofile: 1024, accelerator: () => 'tcg' as const };
  const pool = createPool({ ...deps, machines, templates, warm: createRehearsal(some) });
  const shape = shapeOf(SIZE, 'tcg');
  // In memory: no disk shall slow a boot, and what it takes can't be dropped, like a machine's own RAM.
  const dir = mkdtempSync('/dev/shm/berth-bench-');
  let booted = 0;
  const bootOnce = async () => {
    const memory = join(dir, `memory-${booted++}`);
    const file = await open(memory, 'w', 0o600);
    await file.truncate(shape.ramBytes);
    await file.close();
    const before = performance.now();
    const machine = await machines.boot(shape, memory, limits.tcgBootMs);
    const ms = performance.now() - before;
    // It has it open; the memory goes with the machine.
    rmSync(memory);
    return { machine, ms };
  };
  const boot: Bench['boot'] = async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await bootOnce();
      } catch (error) {
        // Under software emulation a boot hangs now and then.
        if (attempt === limits.templateTries) throw error;
      }
    }
  };
  return { host, parts: { ...some, pool }, shape, boot, clear: () => rmSync(dir, { recursive: true, force: true }) };
}

async function starts(bench: Bench): Promise<boolean> {
  const { parts, shape } = bench;
  const times = { boot: [] as number[], restore: [] as number[], pool: [] as number[] };
  await parts.templates.ensure(shape);
  for (let round = 0; round < ROUNDS; round++) {
    if (round < BOOTS) {
      const { machine, ms } = await bench.boot();
      times.boot.push(ms);
      await endMachine(parts, machine);
    }
    const before = performance.now();
    const machine = await parts.templates.restore(shape);
    times.restore.push(performance.now() - before);
    await endMachine(parts, machine);
  }
  for (let round = 0; round < ROUNDS; round++) {
    await poolFull(bench);
    const task = await idleTask(bench, parts);
    times.pool.push(task.begunMs);
    await task.end();
  }
  const line = (name: keyof typeof times) =>
    `${name} p50 ${median(times[name]).toFixed(0)} ms, p90 ${quantile(times[name], 0.9).toFixed(0)} ms`;
  return [
    report('microvm-restore', median(times.boot) / median(times.restore), `${line('boot')}; ${line('restore')}; software emulation`),
    report('microvm-pool', median(times.boot) / median(times.pool), `${line('boot')}; ${line('pool')}; software emulation`),
  ].every(Boolean);
}

async function endMachine(parts: MicrovmParts, machine: Machine): Promise<void> {
  machine.link.close();
  machine.monitor.close();
  await parts.machines.remove(machine);
}

async function poolFull({ parts, shape }: Bench): Promise<void> {
  parts.pool?.want(shape);
  const deadline = Date.now() + PATIENCE_MS;
  while ((parts.pool?.status().ready ?? 0) < limits.poolPerShape) {
    if (Date.now() > deadline) throw new Error('the pool did not fill itself');
    await pause(LOOK_MS);
  }
}

type IdleTask = { qemuPid: number; begunMs: number; end(): Promise<void> };

/** `begunMs`: until its machine was told to begin it. Resolves when its container has said something; from then on it sleeps. */
async function idleTask({ host }: Bench, parts: MicrovmParts): Promise<IdleTask> {
  const plan = await host.plan([scripted('echo up; exec sleep 1000')], SIZE);
  const heard = witness(PATIENCE_MS);
  const before = performance.now();
  let begunMs = NaN;
  let qemuPid = 0;
  const sandbox = await startTask(parts, plan, (machine, file) => {
    begunMs = performance.now() - before;
    qemuPid = machine.qemuPid;
    return openSandbox(parts, { taskId: plan.taskId, dir: plan.dir, containers: ['app'], from: 0, file }, machine, heard.events);
  });
  await heard.until('it is up', () => heard.text('app') === 'up\n');
  const end = async () => {
    sandbox.kill();
    await heard.ended();
    sandbox.ack(heard.offset());
    await sandbox.release();
  };
  return { qemuPid, begunMs, end };
}

async function memory(bench: Bench): Promise<boolean> {
  const { parts } = bench;
  const booting = { ...parts, pool: null, templates: { ...parts.templates, restore: async () => (await bench.boot()).machine } };
  const booted = await memoryOf(() => idleTask(bench, booting));
  const restored = await memoryOf(async () => {
    await poolFull(bench);
    return idleTask(bench, parts);
  });
  const told = (of: typeof booted) => `${of.ownMib.toFixed(1)} MiB (and ${of.translatedMib.toFixed(1)} of translated code)`;
  const detail = `booted ${told(booted)}; from the template and the pool ${told(restored)}; mean of ${TASKS} QEMUs; software emulation`;
  return report('microvm-memory', booted.ownMib / restored.ownMib, detail);
}

type Taken = { ownMib: number; translatedMib: number };

/** A task's, of several at once: what they share counts once. Translated code, which no KVM has, is told apart. */
async function memoryOf(start: () => Promise<IdleTask>): Promise<Taken> {
  const tasks: IdleTask[] = [];
  try {
    for (let n = 0; n < TASKS; n++) tasks.push(await start());
    await pause(SETTLE_MS);
    const qemus = tasks.map((task) => String(task.qemuPid));
    const translated = qemus.reduce((sum, pid) => sum + translatedKib(pid), 0);
    const mib = (kib: number) => kib / 1024 / TASKS;
    return { ownMib: mib(processesKib(qemus) - translated), translatedMib: mib(translated) };
  } finally {
    for (const task of tasks) await task.end();
  }
}
