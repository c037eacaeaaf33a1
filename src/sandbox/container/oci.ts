/** The part of the OCI runtime-spec 1.1 (config.md, config-linux.md) that berth writes. */
import type { Seccomp } from './seccomp.ts';

export type OciMount = { destination: string; type: string; source: string; options: string[] };

export type OciCapabilities = { bounding: string[]; effective: string[]; permitted: string[]; inheritable: string[]; ambient: string[] };

export type OciProcess = {
  terminal: boolean;
  /** Resolved from the annotation `berth.user` against the image's /etc/passwd and /etc/group by the runtime, which knows the root. */
  user: { uid: number; gid: number };
  args: string[];
  /** `NAME=value`. */
  env: string[];
  cwd: string;
  capabilities: OciCapabilities;
  rlimits: { type: string; soft: number; hard: number }[];
  noNewPrivileges: boolean;
};

export type OciDeviceRule = { allow: boolean; type?: 'a' | 'b' | 'c'; major?: number; minor?: number; access: string };

export type OciConfig = {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  hostname: string;
  mounts: OciMount[];
  annotations: Record<string, string>;
  linux: {
    namespaces: { type: string }[];
    resources: {
      devices: OciDeviceRule[];
      memory?: { limit?: number; reservation?: number };
      cpu?: { shares: number };
      pids?: { limit: number };
    };
    /** None: every system call. */
    seccomp?: Seccomp;
    maskedPaths: string[];
    readonlyPaths: string[];
  };
};
