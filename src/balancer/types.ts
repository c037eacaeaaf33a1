/** Endpoints: a name under `.localhost` and the tasks behind it. The load balancer API will be the second user of this module. */

export type EndpointTarget = {
  /** Stable and unique within the endpoint: the task's id. */
  id: string;
  ip: string;
  port: number;
};

export type EndpointDesired = {
  /** A DNS label (RFC 1123, section 2.1): `NAME.localhost` is routed here. */
  name: string;
  /** Tasks that run; empty while there are none. */
  targets: EndpointTarget[];
  /** Said on the page that answers while no target does. */
  note: { state: 'starting' | 'running' | 'stopped'; detail: string };
};

export type Balancer = {
  /** Makes HAProxy's state what is desired; level-triggered and idempotent, the newest wish wins. */
  apply(endpoints: EndpointDesired[]): Promise<void>;
};
