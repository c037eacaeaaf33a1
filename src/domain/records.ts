/** The records besides tasks. Desired and observed never share a column; the writers stand in ARCHITECTURE.md. */
import type { Accelerator, IsolationKind } from './task-spec.ts';
import type { SubnetAttributes, VpcAttributes } from './network.ts';
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type ClusterRecord = {
  key: Scope & { name: string };
  revision: number;
  status: 'ACTIVE' | 'INACTIVE';
  createdAt: number;
  tags: Tag[];
  /** ECS `settings`: containerInsights, and berth's own named switches. */
  settings: { name: string; value: string }[];
  configuration: Record<string, unknown> | null;
  capacityProviders: string[];
  defaultStrategy: { capacityProvider: string; weight: number; base: number }[];
  serviceConnectDefaults: Record<string, unknown> | null;
};

/** The front door's task definition, kept whole. `definition` is the API's own TaskDefinition shape, defaults filled in. */
export type TaskDefinitionRecord = {
  key: Scope & { family: string; taskRevision: number };
  revision: number;
  status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
  registeredAt: number;
  registeredBy: string;
  deregisteredAt: number | null;
  tags: Tag[];
  definition: Record<string, unknown>;
};

export type VpcRecord = {
  key: Scope & { id: string };
  revision: number;
  cidr: string;
  isDefault: boolean;
  /** Those that were set; `vpcAttributes` has the others. */
  attributes?: Partial<VpcAttributes>;
  tags: Tag[];
};
export type SubnetRecord = {
  key: Scope & { id: string };
  revision: number;
  vpcId: string;
  cidr: string;
  zone: string;
  zoneId: string;
  isDefault: boolean;
  /** Those that were set; `subnetAttributes` has the others. */
  attributes?: Partial<SubnetAttributes>;
  tags: Tag[];
};
export type SecurityGroupRecord = {
  key: Scope & { id: string };
  revision: number;
  vpcId: string;
  name: string;
  description: string;
  isDefault: boolean;
  tags: Tag[];
};

/** An account setting, of one principal or (`principal` = "default") of the whole account. */
export type SettingRecord = { key: Scope & { principal: string; name: string }; revision: number; value: string };

/** Custom attributes (PutAttributes) of container instances and other targets. */
export type AttributeRecord = {
  key: Scope & { cluster: string; name: string; targetId: string };
  revision: number;
  targetType: string;
  value: string | null;
};

/** An idempotent call that was answered: same token, same parameters, same answer. */
export type ClientTokenRecord = {
  key: Scope & { cluster: string; operation: string; token: string };
  revision: number;
  paramsHash: string;
  taskIds: string[];
  expiresAt: number;
};

/** A machine. `info` and `usage` are written by control/host-session from what the host says. */
export type HostRecord = {
  key: { hostId: string };
  revision: number;
  info: HostInfo;
  usage: HostUsage;
  status: 'CONNECTED' | 'DISCONNECTED';
  seenAt: number;
};

export type HostInfo = {
  hostname: string;
  arch: 'amd64' | 'arm64';
  cpuMillis: number;
  memoryBytes: number;
  /** Never given out. */
  reserveBytes: number;
  isolation: IsolationInfo[];
  /** With less of its disk free it takes no more tasks. Not said by a former version. */
  diskFloorBytes?: number | undefined;
  /** Whether what a task writes (in a container or gVisor) is limited to what it asked for; else why not. Not said by a former version. */
  taskDisks?: { limited: boolean; reason: string } | undefined;
  strictCapacity: boolean;
  /** Where it says that it stands; without it, it counts as standing in every zone. */
  zone?: string | null;
  /** IPv4 ranges (CIDR) that the machine itself uses or routes: no VPC may take them. */
  occupiedCidrs: string[];
  /** The instance's preferred order of /16 ranges, from its state directory. */
  cidrSeed: number;
};

export type IsolationInfo = {
  kind: IsolationKind;
  /** Found by trying it. */
  works: boolean;
  reason: string;
  /** What its virtual machines run on; null for the other kinds, and where none runs. */
  accelerator: Accelerator | null;
  /** Whether the wish `auto` may become it here. */
  auto: boolean;
};

export type HostUsage = {
  freeMemoryBytes: number;
  freeDiskBytes: number;
  loadPercent: number;
  tasks: number;
  /** What stands ready for tasks to come, of the kinds that keep such. */
  sandboxes: SandboxPoolStatus[];
  /** As they were last measured; absent from a host of a former version. */
  fileSystems?: FileSystemSize[];
};

/** `at`: ms since the epoch. */
export type FileSystemSize = { id: string; bytes: number; at: number };

/** Sandboxes that were started ahead, and what they are started from. */
export type SandboxPoolStatus = {
  kind: IsolationKind;
  /** How many could take a task now. */
  ready: number;
  /** What all of it takes of the host's memory, templates included. */
  memoryBytes: number;
  templates: number;
};

/** Who calls. Access keys themselves are no part of it. */
export type Principal = {
  account: string;
  arn: string;
  userId: string;
  accessKeyId: string;
  /** Whose policies hold; the account's root has none. */
  actor?: { kind: 'user'; name: string; id: string } | { kind: 'role'; name: string; id: string; arn: string };
  /** Of temporary credentials; times in milliseconds since the epoch. */
  session?: {
    issuedAt: number;
    expiresAt: number;
    /** What was given at AssumeRole, on top of the role's own. */
    policies: string[] | null;
    tags: Record<string, string>;
    sourceIdentity: string | null;
  };
};

/** The account's root, which no policy binds; a session of it has the policies that it was given. */
export function mayDoAll({ actor, session }: Principal): boolean {
  return actor === undefined && (session?.policies ?? null) === null;
}
