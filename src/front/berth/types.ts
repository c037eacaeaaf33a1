/** What berth's own API needs of the platform. */
import type { Clock } from '#base/clock.ts';
import type { Json } from '#base/fault.ts';
import type { ByteStream } from '#link/types.ts';
import type { Store } from '#store/types.ts';

/** The way to a host. Throws Fault Unavailable while it isn't connected. */
export type HostAccess = {
  /** Ids of the hosts that are connected now: after a start of the control plane its records still tell who was. */
  connected(): string[];
  /** Resolves once the host is connected; waits a moment for one that starts anew. */
  returned(hostId: string): Promise<void>;
  request(hostId: string, op: string, body: Json, options: { timeoutMs: number; stream?: ByteStream }): Promise<Json>;
  openStream(hostId: string): Promise<ByteStream>;
};

export type PlatformFacts = {
  version: string;
  instance: string;
  /** Of the AWS API, as a client on this machine reaches it. */
  endpointUrl: string;
  /** Where http://NAME.localhost:PORT is served. */
  endpoint: { listen: string; port: number };
  strictCapacity: boolean;
  isolation: string;
};

/** Counters of listeners and groups by their ids (balancer/types.ts, `BalancerMetrics`). */
export type TrafficMetrics = {
  at: number;
  listeners: ({ id: string } & Record<string, unknown>)[];
  groups: ({ id: string } & Record<string, unknown>)[];
  loadBalancers?: ({ id: string } & Record<string, unknown>)[];
};

export type BerthApiDeps = {
  store: Store;
  hosts: HostAccess;
  clock: Clock;
  facts: PlatformFacts;
  /** berth's own certificate authority: its root, PEM. */
  authority: { certificate(): Promise<string> };
  traffic(): TrafficMetrics;
  /** What values are encrypted under; `rewrap` has those of former keys wrapped anew. */
  masterKeys: {
    keys(): { id: string; createdAt: number; retiredAt: number | null; prefix: string }[];
    rotate(): { id: string };
    rewrap(): void;
  };
  /** Tasks wait from now on, until the process ends. */
  pausePlacement(): void;
};
