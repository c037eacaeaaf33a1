/** Fargate's task sizes, and the smallest that holds what was asked (ECS developer guide, "Task CPU and memory"). */
import { Fault } from '#base/fault.ts';

/** CPU units (1024 = one core) and the memory (MiB) that each goes with. */
const sizes: { cpu: number; memory: number[] }[] = [
  { cpu: 256, memory: [512, 1024, 2048] },
  { cpu: 512, memory: range(1024, 4096, 1024) },
  { cpu: 1024, memory: range(2048, 8192, 1024) },
  { cpu: 2048, memory: range(4096, 16_384, 1024) },
  { cpu: 4096, memory: range(8192, 30_720, 1024) },
  { cpu: 8192, memory: range(16_384, 61_440, 4096) },
  { cpu: 16_384, memory: range(32_768, 122_880, 8192) },
];

export type TaskSize = { cpu: number; memory: number };

/** The first size, by CPU and then memory, that gives at least what was asked. Throws InvalidParameter past the largest. */
export function smallestSize(cpu: number, memory: number): TaskSize {
  for (const size of sizes) {
    if (size.cpu < cpu) continue;
    const fitting = size.memory.find((candidate) => candidate >= memory);
    if (fitting !== undefined) return { cpu: size.cpu, memory: fitting };
  }
  throw new Fault(
    'InvalidParameter',
    `no task size holds ${cpu} CPU units and ${memory} MiB: the largest is 16384 (16 vCPU) and 122880 (120 GB)`,
  );
}

/** CPU units of `256`, `0.25`, `0.25vCPU`, `2`: a number below 64 counts cores, as no size is that small. */
export function parseCpu(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(vcpu|cores?)?$/i.exec(text.trim());
  const number = Number(match?.[1]);
  if (match === null || !(number > 0))
    throw new Fault('InvalidParameter', `--cpu '${text}' is no amount of CPU: try 256, 0.25 or '1 vCPU'`);
  return Math.ceil(match[2] !== undefined || number < 64 ? number * 1024 : number);
}

/** MiB of `512`, `512MB`, `512m`, `0.5GB`, `2G`, `2gib`. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(m|mb|mib|g|gb|gib)?$/i.exec(text.trim());
  const number = Number(match?.[1]);
  if (match === null || !(number > 0))
    throw new Fault('InvalidParameter', `--memory '${text}' is no amount of memory: try 512, 512MB or 2GB`);
  return Math.ceil(/^g/i.test(match[2] ?? '') ? number * 1024 : number);
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}
