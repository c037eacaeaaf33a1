/** The shape of a machine: what a template is made for. Tasks whose sizes lead to the same shape share one. */
import { limits } from '#base/limits.ts';
import type { Accelerator, TaskSpec } from '#domain/task-spec.ts';

export type Shape = { accelerator: Accelerator; cpus: number; ramBytes: number };

const MIB = 1024 * 1024;

/**
 * Whole cores, as the guest has no half ones (the quota of the machine's cgroup makes the difference); RAM is the task's memory and what
 * the guest's own kernel and supervisor take: a fixed part, and a sixty-fourth for the kernel's page descriptors.
 */
export function shapeOf(spec: Pick<TaskSpec, 'cpuMillis' | 'memoryBytes'>, accelerator: Accelerator): Shape {
  const cpus = Math.max(1, Math.ceil(spec.cpuMillis / 1000));
  return { accelerator, cpus, ramBytes: spec.memoryBytes + vmOverheadBytes(spec.memoryBytes) };
}

/** What a machine's RAM has beyond its task's memory; whole MiB. */
export function vmOverheadBytes(memoryBytes: number): number {
  return Math.ceil((limits.vmOverheadBytes + memoryBytes / 64) / MIB) * MIB;
}

/** What QEMU may take beside the guest's RAM: its own code and heap, and under TCG the translated code. */
export function qemuOverheadBytes(shape: Shape): number {
  return shape.accelerator === 'tcg' ? limits.qemuOverheadBytes + limits.tcgCacheBytes : limits.qemuOverheadBytes;
}

/** `tcg-1c-624m`: part of a template's name. */
export function shapeName(shape: Shape): string {
  return `${shape.accelerator}-${shape.cpus}c-${Math.round(shape.ramBytes / MIB)}m`;
}
