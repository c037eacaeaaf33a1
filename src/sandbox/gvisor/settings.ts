/**
 * How `runsc` is run. Two forms of the same settings: flags for the program, and its own JSON for what is asked of a running sandbox
 * (config.Config in gVisor's runsc/config, whose fields that are left out are off or empty).
 */

/** The one version whose control protocol and settings these are; Debian's bookworm-backports, trixie and sid all have it. */
export const RUNSC_VERSION = '0.0~20240729.0';

/** What to tell `runsc` and why; `--root` comes with each sandbox. */
export const runscFlags: readonly string[] = [
  // berth makes the task's control group itself, with all its limits, and puts the processes into it.
  '--ignore-cgroups=true',
  // The sandbox has a network stack of its own; the packet socket on the task's link is the only way out that it is given.
  '--network=sandbox',
  // Docker's default capabilities hold NET_RAW (ping); it reaches the sandbox's own stack only.
  '--net-raw=true',
  '--platform=systrap',
  // Writes go to the container's writable layer, which is on the disk and not in the task's memory.
  '--overlay2=none',
  // The sandbox's process opens no file of the machine itself: it runs as nobody, and a second process hands it what it may have.
  '--directfs=false',
  '--host-uds=none',
  '--host-fifo=none',
];

export const runscConfig: Readonly<Record<string, string | number | boolean>> = {
  IgnoreCgroups: true,
  Network: 0,
  EnableRaw: true,
  Platform: 'systrap',
  DirectFS: false,
  HostUDS: 0,
  HostFifo: 0,
  // The rest are the program's defaults that are not zero.
  Traceback: 'system',
  LogFormat: 'text',
  DebugLogFormat: 'text',
  FileAccess: 0,
  FileAccessMounts: 1,
  HostGSO: true,
  GVisorGSO: true,
  RXChecksumOffload: true,
  QDisc: 1,
  ProfilingMetricsRate: 1000,
  StraceLogSize: 1024,
  PanicSignal: -1,
  NumNetworkChannels: 1,
  BufferPooling: true,
  AFXDPUseNeedWakeup: true,
  FDLimit: -1,
  DCache: -1,
  AppHugePages: true,
};
