/** What `network` needs from the kernel worker and gives to the rest of the host. */

/** One VPC's router on this machine, as the kernel worker is asked for it (supervisor/protocol.ts, `vpc-up`). */
export type VpcRequest = {
  /** File that the router's network namespace is bind-mounted on. */
  routerNetns: string;
  cidr: string;
  /** The uplink's end in the machine's namespace; at most 15 bytes. */
  hostIf: string;
  /** Both ends' link-local addresses, of one /30. */
  hostIp: string;
  routerIp: string;
  mtu: number;
  serviceIps: string[];
  routerRules: string;
  hostRules: string;
  /** Addresses out of the VPC that the machine itself answers at. */
  addresses: string[];
};

/** The part of the kernel worker's client that networks need. Both are idempotent and throw Fault. */
export type NetworkWorker = {
  vpcUp(vpc: VpcRequest): Promise<unknown>;
  vpcDown(request: { routerNetns: string; hostIf: string }): Promise<unknown>;
  routerRules(request: { routerNetns: string; rules: string }): Promise<unknown>;
};

/** Ports on the uplink's host address where the services of tasks listen; null: not served, tasks get a refusal. */
export type ServicePorts = {
  /** The resolver, UDP and TCP; tasks see it at 169.254.169.253:53. */
  dns: number | null;
  /** Task metadata and credentials; tasks see it at 169.254.170.2:80. */
  metadata: number | null;
  /** The AWS API; tasks see it at 169.254.170.3:80. */
  api: number | null;
};

/** A task's address as the control plane assigned it (link/protocol.ts, `TaskNetwork`, the part that matters here). */
export type TaskAddress = { vpcId: string; vpcCidr: string; gatewayIp: string; ip: string; mac: string; hostname: string };

/** What a sandbox needs to join (sandbox/driver.ts, `SandboxNetwork`). */
export type TaskInterface = {
  ip: string;
  mac: string;
  gatewayIp: string;
  gatewayMac: string;
  hostname: string;
  mtu: number;
  routerNetns: string;
  routerIf: string;
};

/** An address out of a VPC that the machine itself answers at (a load balancer's), and the TCP ports that tasks may reach there. */
export type OwnAddress = { ip: string; ports: number[] };

export type VpcHandle = { vpcId: string; cidr: string; routerNetns: string; hostIf: string; hostIp: string; routerIp: string };

export type Network = {
  /** Makes the VPC's router and uplink unless they stand. Listeners for tasks bind to the handle's `hostIp`. */
  ensureVpc(vpcId: string, cidr: string): Promise<VpcHandle>;
  /** A task's interface, its VPC's router made first where needed. */
  taskNetwork(taskId: string, address: TaskAddress): Promise<TaskInterface>;
  /**
   * All such addresses of all VPCs: those that are listed no more are given back. A VPC with some is made unless it stands. They are remembered, so that a
   * new host agent brings its VPCs up with them. Idempotent; the first Fault is thrown once all was tried.
   */
  setAddresses(vpcs: { vpcId: string; cidr: string; addresses: OwnAddress[] }[]): Promise<void>;
  /** Applies a ruleset with tables of its own in a VPC's router. Throws Fault. */
  routerRules(vpcId: string, rules: string): Promise<void>;
  /** This range is this berth's from now on. Idempotent; throws Conflict when another berth of this machine has one that overlaps. */
  claimRange(cidr: string): Promise<void>;
  /** All ranges of this berth: what it claimed beyond them is given up. One that another berth has is refused its router later. */
  keepRanges(cidrs: string[]): Promise<void>;
  /** VPCs that stand, also those that a former host agent made. */
  vpcs(): VpcHandle[];
  /** Removes every VPC of this instance: only when no task runs. */
  down(): Promise<void>;
};
