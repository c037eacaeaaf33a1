/** What the front door keeps of an Express gateway service beside what every service has. */
import type { ExpressGatewayContainer } from '@aws-sdk/client-ecs';
import type { ServiceRecord } from '#domain/service.ts';
import type { ServiceFront } from '../service/service-members.ts';
import type { DefinitionInput } from './express-definition.ts';
import { refuse } from './express-input.ts';
import type { Scaling } from './express-input.ts';

/** `definition`: the members that the newest call brought, or kept from the one before. */
export type ExpressFront = {
  infrastructureRoleArn: string;
  host: string;
  healthCheckPath: string;
  scaling: Scaling;
  definition: DefinitionInput;
  container: ExpressGatewayContainer | null;
};

/** Throws InvalidParameter for a service that wasn't made as an Express service. */
export function expressFrontOf(service: ServiceRecord): ExpressFront {
  const { express } = service.desired.front as ServiceFront;
  if (express === undefined) throw refuse(`The service ${service.key.name} is not an Express Gateway service.`);
  return express;
}
