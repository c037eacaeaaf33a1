/**
 * Templates: for each shape in use, a machine that booted once and was saved with its supervisor ready. A template's key changes with the
 * kernel, the supervisor, QEMU, the command line and the host's own boot, so an old one is never taken for a new one. What another instance of this
 * machine has made is taken as it is: nothing of an instance is in a machine before a task has it.
 */
import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Machine, MachineOptions, Machines } from './machine.ts';
import { needRoom } from './disk-room.ts';
import { renderQemu } from './render.ts';
import { saveState } from './save.ts';
import { shapeName } from './shape.ts';
import type { Shape } from './shape.ts';
import type { SharedTemplates } from './shared-templates.ts';
import { HALF_MADE, loadTemplate, removeTemplate, saveTemplate } from './template-files.ts';
import type { TemplateFiles } from './template-files.ts';

export type Template = TemplateFiles & { key: string; shape: Shape; lastUsed: number };

export type Templates = {
  /** A machine that goes on from the shape's template, which is made first where there is none. Resolves when its supervisor is ready. */
  restore(shape: Shape): Promise<Machine>;
  /** Makes the template ahead. Throws Unavailable when no machine of this shape comes up. */
  ensure(shape: Shape): Promise<Template>;
  status(): { name: string; memoryBytes: number; bootMs: number }[];
  /** Removes what was left half made. */
  sweep(): Promise<void>;
};

export type TemplatesDeps = {
  machines: Machines;
  clock: Clock;
  log: Log;
  /** null: each is made here. */
  shared: SharedTemplates | null;
};

export function createTemplates(deps: TemplatesDeps, options: MachineOptions): Templates {
  const { machines, clock, log, shared } = deps;
  const root = join(options.dir, 'vm-templates');
  const ready = new Map<string, Promise<Template>>();
  const known = new Map<string, Template>();

  /** One boot, up to the moment at which all machines of this shape begin. Gives its milliseconds. */
  const bootAndSave = async (shape: Shape, dir: string, attempt: number): Promise<number> => {
    const began = clock.now();
    const memory = join(dir, 'memory');
    const file = await open(memory, 'w', 0o600);
    await file.truncate(shape.ramBytes);
    await file.close();
    // A boot that hangs isn't told from one on a machine that has no time for it: so the next one has longer.
    const machine = await machines.boot(shape, memory, shape.accelerator === 'tcg' ? attempt * limits.tcgBootMs : limits.kvmBootMs);
    const bootMs = clock.now() - began;
    try {
      machine.link.close();
      await machine.monitor.run('stop');
      await saveState(machine, join(dir, 'state'), ['x-ignore-shared']);
    } finally {
      await machines.remove(machine);
    }
    return bootMs;
  };

  /** null when there is none, or one that isn't what it was. */
  const load = (key: string): Promise<TemplateFiles | null> =>
    loadTemplate(root, key).catch((error: unknown) => {
      log.warn('template.bad', { key, reason: asFault(error).message });
      return null;
    });

  const find = async (key: string): Promise<TemplateFiles | null> => {
    const own = await load(key);
    if (own !== null || shared === null || !(await shared.take(root, key))) return own;
    const taken = await load(key);
    if (taken === null) await shared.drop(key);
    return taken;
  };

  const make = async (shape: Shape, key: string): Promise<Template> => {
    const there = await find(key);
    if (there !== null) return { ...there, key, shape, lastUsed: clock.now() };
    for (let attempt = 1; ; attempt++) {
      try {
        await needRoom(options.dir, limits.templateDiskBytes, 'a template of a virtual machine');
        const files = await saveTemplate(root, key, (dir) => bootAndSave(shape, dir, attempt));
        log.info('template.made', { key, bootMs: files.bootMs, attempt });
        await removeFormer(shape, key);
        await shared?.give(root, key, prefixOf(shape));
        return { ...files, key, shape, lastUsed: clock.now() };
      } catch (error) {
        log.warn('template.failed', { key, attempt, reason: asFault(error).message });
        // Under software emulation a boot hangs now and then; KVM that doesn't boot a guest never does.
        if (isFault(error, 'LimitExceeded')) throw error;
        if (attempt >= (shape.accelerator === 'tcg' ? limits.templateTries : 1)) throw error;
      }
    }
  };

  const names = () => readdir(root).catch(() => []);

  /** Of the same shape, with another kernel, supervisor or QEMU, or from before the host started: nobody can go on from it any more. */
  const removeFormer = async (shape: Shape, key: string): Promise<void> => {
    for (const name of await names()) if (name.startsWith(prefixOf(shape)) && name !== key) await removeTemplate(root, name);
  };

  /** Machines that were restored from it go on: they have its memory mapped. */
  const forget = async (key: string): Promise<void> => {
    ready.delete(key);
    known.delete(key);
    await removeTemplate(root, key);
  };

  /** Least recently used first, until the rest fits. */
  const makeRoom = async (keep: string): Promise<void> => {
    let sum = [...known.values()].reduce((bytes, one) => bytes + one.memoryBytes, 0);
    for (const one of [...known.values()].toSorted((a, b) => a.lastUsed - b.lastUsed)) {
      if (sum <= limits.templateMemoryBytes) return;
      if (one.key === keep) continue;
      sum -= one.memoryBytes;
      log.info('template.dropped', { key: one.key, memoryBytes: one.memoryBytes });
      await forget(one.key);
    }
  };

  const ensure = async (shape: Shape): Promise<Template> => {
    const key = keyOf(options, shape);
    const making = ready.get(key) ?? make(shape, key);
    ready.set(key, making);
    try {
      const template = await making;
      template.lastUsed = clock.now();
      if (!known.has(key) && ready.get(key) === making) {
        known.set(key, template);
        await makeRoom(key);
      }
      return template;
    } catch (error) {
      if (ready.get(key) === making) ready.delete(key);
      throw error;
    }
  };

  return {
    ensure,
    async restore(shape) {
      for (let attempt = 1; ; attempt++) {
        const template = await ensure(shape);
        await needRoom(options.dir, limits.machineDiskBytes, 'a virtual machine');
        try {
          return await machines.restore(shape, template.memory, template.state);
        } catch (error) {
          log.warn('template.restore', { key: template.key, attempt, reason: asFault(error).message });
          if (attempt >= limits.restoreTries) throw error;
          // One failure may be the machine's; a second is the template's.
          if (attempt < 2) continue;
          await forget(template.key);
          await shared?.drop(template.key);
        }
      }
    },
    status: () => [...known.values()].map((one) => ({ name: shapeName(one.shape), memoryBytes: one.memoryBytes, bootMs: one.bootMs })),
    async sweep() {
      for (const name of await names()) if (name.endsWith(HALF_MADE)) await removeTemplate(root, name);
    },
  };
}

const prefixOf = (shape: Shape): string => `${shapeName(shape)}-`;

/** Everything that a saved state depends on. */
function keyOf(options: MachineOptions, shape: Shape): string {
  const { room, guest, bootId } = options.kit();
  // The counter's rate is measured anew by every process, and differs a little; the boot stands for it.
  const launches = (['boot', 'restore'] as const).map((launch) => renderQemu({ shape, launch, tscKhz: null }));
  const parts = [room.version, guest.id, bootId, JSON.stringify(launches)];
  return `${prefixOf(shape)}${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)}`;
}
