/** The simplest specs there are, changed where the caller says so: for tests, and for what berth runs by itself. */
import type { ContainerSpec, TaskSpec } from './task-spec.ts';

export function containerSpec(change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'app',
    image: 'app:1',
    entryPoint: null,
    command: null,
    workingDirectory: null,
    user: null,
    environment: {},
    essential: true,
    cpuMillis: 0,
    memoryBytes: null,
    memoryReservationBytes: null,
    ports: [],
    dependsOn: [],
    mounts: [],
    readOnlyRoot: false,
    capabilities: { add: [], drop: [] },
    privileged: false,
    devices: [],
    ulimits: [],
    initProcess: false,
    tmpfs: [],
    labels: {},
    tty: false,
    stdin: false,
    startTimeoutMs: null,
    stopTimeoutMs: 30_000,
    stopSignal: null,
    log: null,
    health: null,
    ...change,
  };
}

export function taskSpec(change: Partial<TaskSpec> = {}): TaskSpec {
  return {
    cpuMillis: 250,
    memoryBytes: 512 * 1024 ** 2,
    ephemeralBytes: 20 * 1024 ** 3,
    isolation: 'auto',
    platform: { os: 'linux', arch: 'amd64' },
    pidMode: 'container',
    sysctls: {},
    volumes: [],
    containers: [containerSpec()],
    ...change,
  };
}
