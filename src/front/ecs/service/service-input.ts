/** Checks of CreateService and UpdateService that need nothing but the call (API reference). */
import type { CreateServiceRequest, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clip, assertText } from '#domain/names.ts';
import { assertDesiredCount } from '#intent/index.ts';
import { assertFargateWish } from '../task/launch.ts';

type Both = Omit<CreateServiceRequest, 'serviceName'> & Omit<UpdateServiceRequest, 'service'>;
const MOST_SECONDS = 2_147_483_647;

/** Throws InvalidParameter, Unsupported, or the errors that AWS has names for. */
export function assertCreateInput(input: CreateServiceRequest): void {
  if (input.serviceName === undefined || input.serviceName === '') throw refuse('Service name can not be blank.');
  assertText(input.clientToken, { what: 'clientToken', max: 36, pattern: /^[\x21-\x7e]*$/ });
  oneOf('schedulingStrategy', input.schedulingStrategy, ['REPLICA', 'DAEMON']);
  oneOf('deploymentController.type', input.deploymentController?.type, ['ECS', 'CODE_DEPLOY', 'EXTERNAL']);
  assertBoth(input);
  if (input.schedulingStrategy === 'DAEMON') throw refuse('The Fargate launch type does not support the DAEMON scheduling strategy.');
  const controller = input.deploymentController?.type ?? 'ECS';
  if (controller === 'CODE_DEPLOY') throw noCodeDeploy();
  if (controller === 'EXTERNAL') assertExternal(input);
  else if (input.desiredCount === undefined) throw refuse('Desired count can not be null: give desiredCount.');
  if (controller === 'ECS' && input.taskDefinition === undefined) throw refuse('TaskDefinition can not be blank.');
  if (input.role !== undefined) {
    throw refuse('You cannot specify an IAM role for services that require a service linked role.');
  }
}

export function assertUpdateInput(input: UpdateServiceRequest, controller: 'ECS' | 'EXTERNAL' | 'CODE_DEPLOY'): void {
  assertBoth(input);
  const wanted = input.deploymentController?.type;
  oneOf('deploymentController.type', wanted, ['ECS', 'CODE_DEPLOY', 'EXTERNAL']);
  if (wanted === 'CODE_DEPLOY') throw noCodeDeploy();
  if (wanted !== undefined && wanted !== controller) {
    throw new Fault(
      'Unsupported',
      `The deployment controller of a service can't be changed here from ${controller} to ${wanted}: create a new service.`,
    );
  }
  if (controller === 'EXTERNAL') assertExternal(input);
}

function assertBoth(input: Partial<Both>): void {
  oneOf('propagateTags', input.propagateTags, ['TASK_DEFINITION', 'SERVICE', 'NONE']);
  oneOf('availabilityZoneRebalancing', input.availabilityZoneRebalancing, ['ENABLED', 'DISABLED']);
  if (input.desiredCount !== undefined) assertDesiredCount(input.desiredCount);
  const grace = input.healthCheckGracePeriodSeconds;
  if (grace !== undefined && !(Number.isInteger(grace) && grace >= 0 && grace <= MOST_SECONDS)) {
    throw refuse(`healthCheckGracePeriodSeconds must be between 0 and ${MOST_SECONDS}; it is ${grace}.`);
  }
  assertFargateWish(input);
  assertServed(input);
}

/** What would be left out in silence is refused by its name. */
export function assertServed(input: Partial<Both>): void {
  if (input.serviceConnectConfiguration?.enabled === true) throw notYet('serviceConnectConfiguration', 'Service Connect');
  if ((input.serviceRegistries ?? []).length > 0) throw notYet('serviceRegistries', 'AWS Cloud Map');
  if ((input.vpcLatticeConfigurations ?? []).length > 0) throw notYet('vpcLatticeConfigurations', 'VPC Lattice');
  if ((input.gatewayConnectors ?? []).length > 0) throw notYet('gatewayConnectors', 'an ECS gateway');
}

/** With an external controller, task sets say what runs (developer guide, "Creating a service using external deployments"). */
function assertExternal(input: Partial<Both>): void {
  const members = [
    'taskDefinition',
    'networkConfiguration',
    'loadBalancers',
    'serviceRegistries',
    'capacityProviderStrategy',
    'platformVersion',
  ] as const;
  const found = [...members.filter((name) => isGiven(input[name])), ...(input.launchType === undefined ? [] : ['launchType'])];
  if (found.length > 0) {
    throw refuse(`${found[0]} can not be specified for a service with an EXTERNAL deployment controller: give it to CreateTaskSet.`);
  }
  if (input.forceNewDeployment === true) {
    throw refuse('Cannot force a new deployment on services with an EXTERNAL deployment controller.');
  }
}

const isGiven = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);

function oneOf(what: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value)) throw refuse(`${what} '${clip(value)}' is not one of ${allowed.join(', ')}.`);
}

function notYet(member: string, what: string): Fault {
  return new Fault('Unsupported', `${member} is not supported yet: there is no ${what} here.`);
}

function noCodeDeploy(): Fault {
  return new Fault(
    'Unsupported',
    'The deployment controller CODE_DEPLOY is not supported: there is no AWS CodeDeploy here. Use ECS with the strategy BLUE_GREEN, or EXTERNAL.',
  );
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
