/**
 * The 74 pairs of CPU and memory that Fargate offers (ECS developer guide, "Task CPU and memory"), and the ways to write them.
 * CPU in units of 1/1024 vCPU, memory in MiB, as the API has them.
 */
import { Fault } from '#base/fault.ts';

type SizeRow = { cpu: number; memoryMib: readonly number[] };

const steps = (from: number, to: number, step: number) => Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);

export const fargateSizes: readonly SizeRow[] = [
  { cpu: 256, memoryMib: [512, 1024, 2048] },
  { cpu: 512, memoryMib: steps(1024, 4096, 1024) },
  { cpu: 1024, memoryMib: steps(2048, 8192, 1024) },
  { cpu: 2048, memoryMib: steps(4096, 16_384, 1024) },
  { cpu: 4096, memoryMib: steps(8192, 30_720, 1024) },
  { cpu: 8192, memoryMib: steps(16_384, 61_440, 4096) },
  { cpu: 16_384, memoryMib: steps(32_768, 122_880, 8192) },
];

/** Sizes from here on need platform version 1.4.0. */
export const LARGE_TASK_CPU = 8192;
export const MEBIBYTE = 1024 ** 2;
export const GIBIBYTE = 1024 ** 3;

export function isFargateSize(cpu: number, memoryMib: number): boolean {
  return fargateSizes.some((row) => row.cpu === cpu && row.memoryMib.includes(memoryMib));
}

/** What the extension `sizes` takes: 1/16 to 192 vCPU, and what a process can start in. */
const MIN_FREE_CPU = 64;
const MAX_FREE_CPU = 196_608;
const MIN_FREE_MEMORY_MIB = 16;

/** Throws ClientError for what no machine could give. */
export function assertFreeSize(cpu: number, memoryMib: number): void {
  if (cpu < MIN_FREE_CPU || cpu > MAX_FREE_CPU) {
    throw new Fault(
      'ClientError',
      `Invalid 'cpu' setting for task: ${cpu}. With the extension 'sizes' use ${MIN_FREE_CPU} to ${MAX_FREE_CPU}.`,
    );
  }
  if (memoryMib < MIN_FREE_MEMORY_MIB) {
    throw new Fault(
      'ClientError',
      `Invalid 'memory' setting for task: ${memoryMib}. With the extension 'sizes' use ${MIN_FREE_MEMORY_MIB} or more.`,
    );
  }
}

/** Throws ClientError with AWS's text when Fargate has no such pair. */
export function assertFargateSize(cpu: number, memoryMib: number): void {
  if (isFargateSize(cpu, memoryMib)) return;
  const row = fargateSizes.find((candidate) => candidate.cpu === cpu);
  throw new Fault(
    'ClientError',
    `No Fargate configuration exists for given values: ${cpu} CPU, ${memoryMib} memory. See the Amazon ECS documentation for the valid values.`,
    {
      details: row === undefined ? { validCpu: fargateSizes.map((r) => r.cpu) } : { validMemory: [...row.memoryMib] },
    },
  );
}

/** `"256"`, `".5 vCPU"`, `"1 vcpu"` -> CPU units; undefined when it is neither. */
export function parseCpu(text: string): number | undefined {
  return parseAmount(text, /^vcpus?$/i, 1024);
}

/** `"512"`, `"2GB"`, `"0.5 gb"` -> MiB; undefined when it is neither. */
export function parseMemory(text: string): number | undefined {
  return parseAmount(text, /^gb$/i, 1024);
}

function parseAmount(text: string, unit: RegExp, factor: number): number | undefined {
  const match = /^(\d+|\d*\.\d+)\s*([a-z]*)$/i.exec(text.trim());
  const number = Number(match?.[1] ?? 'x');
  const suffix = match?.[2] ?? '';
  const amount = suffix === '' ? number : unit.test(suffix) ? number * factor : Number.NaN;
  return Number.isSafeInteger(amount) && amount > 0 ? amount : undefined;
}

/** Millicores -> CPU units, as `cpuUnitsToMillis` rounded them. */
export function cpuMillisToUnits(millis: number): number {
  return Math.round((millis * 1024) / 1000);
}

/** CPU units (1024 a core) -> millicores (1000 a core). */
export function cpuUnitsToMillis(cpu: number): number {
  return Math.round((cpu * 1000) / 1024);
}
