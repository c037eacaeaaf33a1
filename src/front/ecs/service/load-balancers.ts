/** The load balancers of a service or task set, against its task definition; that target groups exist is checked by intent. */
import type { LoadBalancer, TaskDefinition } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { DeploymentStrategy, ServiceLoadBalancer } from '#domain/service.ts';
import { parseRange } from '../definition/network-rules.ts';

/** Throws InvalidParameter with AWS's texts. */
export function loadBalancersOf(
  given: readonly LoadBalancer[],
  definition: TaskDefinition,
  strategy: DeploymentStrategy,
): ServiceLoadBalancer[] {
  if (given.length > limits.serviceTargetGroups) {
    throw refuse(`A service can have at most ${limits.serviceTargetGroups} target groups; there are ${given.length}.`);
  }
  const shifts = strategy !== 'ROLLING';
  if ((strategy === 'LINEAR' || strategy === 'CANARY') && given.length === 0) {
    throw refuse(`The deployment strategy ${strategy} needs a load balancer, whose traffic it shifts.`);
  }
  return given.map((balancer) => {
    const { container, port } = assertPort(balancer, definition);
    const advanced = balancer.advancedConfiguration;
    if (shifts && (advanced?.alternateTargetGroupArn === undefined || advanced.productionListenerRule === undefined)) {
      throw refuse(
        `The deployment strategy ${strategy} needs advancedConfiguration with alternateTargetGroupArn and productionListenerRule for the target group ${balancer.targetGroupArn}.`,
      );
    }
    if (advanced?.alternateTargetGroupArn === balancer.targetGroupArn) {
      throw refuse(`alternateTargetGroupArn must be another target group than targetGroupArn ${balancer.targetGroupArn}.`);
    }
    return {
      targetGroupArn: balancer.targetGroupArn ?? '',
      container,
      port,
      alternateTargetGroupArn: advanced?.alternateTargetGroupArn ?? null,
      productionRuleArn: advanced?.productionListenerRule ?? null,
      testRuleArn: advanced?.testListenerRule ?? null,
    };
  });
}

function assertPort(balancer: LoadBalancer, definition: TaskDefinition): { container: string; port: number } {
  const { containerName: name, containerPort: port } = balancer;
  if (balancer.loadBalancerName !== undefined) throw refuse('Classic Load Balancers are not supported with Fargate.');
  if (balancer.targetGroupArn === undefined || balancer.targetGroupArn === '') throw refuse('Target Group ARN can not be blank.');
  if (name === undefined || name === '') throw refuse('Container Name can not be blank.');
  if (port === undefined) throw refuse('Container Port can not be blank.');
  const container = (definition.containerDefinitions ?? []).find((candidate) => candidate.name === name);
  if (container === undefined) throw refuse(`The container ${clip(name)} does not exist in the task definition.`);
  const has = (container.portMappings ?? []).some((mapping) => {
    if (mapping.containerPortRange === undefined) return mapping.containerPort === port;
    const [low, high] = parseRange(mapping.containerPortRange);
    return port >= low && port <= high;
  });
  if (!has) throw refuse(`The container ${clip(name)} did not have a container port ${port} defined.`);
  return { container: name, port };
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
