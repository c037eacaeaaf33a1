import type { CreateExpressGatewayServiceRequest, CreateExpressGatewayServiceResponse } from '@aws-sdk/client-ecs';
import { hexId } from '#base/ids.ts';
import { clusterName } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import { assertTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { createExpressService, defaultVpcId, type IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { describeExpress } from './express/describe-express.ts';
import { defaultExecutionRole, expressDefinition } from './express/express-definition.ts';
import { assertCreateExpress, DEFAULTS, healthCodesOf, MAIN, strategyOf } from './express/express-input.ts';
import { createRequest, frontOfCreate, withExpress } from './express/express-plan.ts';
import { planCreate } from './service/service-members.ts';
import { assertPassDefinition, assertPassRoles, assertPassToEcs } from './pass-role.ts';

/** Image in, URL out: the service, its task definition and all that stands before it are made at once, or not at all. */
export function createExpressGatewayServiceOperation(
  deps: IntentDeps,
): Handler<CreateExpressGatewayServiceRequest, CreateExpressGatewayServiceResponse> {
  return {
    name: 'CreateExpressGatewayService',
    async handle(input, context) {
      assertCreateExpress(input);
      if (input.taskDefinitionArn === undefined) await assertPassRoles(context, input, { executionRoleArn: defaultExecutionRole(context) });
      else await assertPassDefinition(deps, context, input.taskDefinitionArn);
      await assertPassToEcs(context, input);
      const tags = assertTags(input.tags ?? []);
      const cluster = clusterName(context, input.cluster);
      const name = input.serviceName ?? `${MAIN.toLowerCase()}-${hexId(deps.random, 8)}`;
      strategyOf(tags);
      const subnetIds = input.networkConfiguration?.subnets ?? (await deps.store.read((tx) => defaultSubnets(tx, context)));
      const groupIds = input.networkConfiguration?.securityGroups ?? [];
      const service = await createExpressService(deps, context, {
        cluster,
        name,
        createdBy: context.principal.arn,
        ingress: {
          subnetIds,
          port: input.primaryContainer?.containerPort ?? DEFAULTS.port,
          healthCheckPath: input.healthCheckPath ?? DEFAULTS.path,
          healthCodes: healthCodesOf(tags),
          tags: [{ key: 'AmazonECSManaged', value: 'true' }],
        },
        plan: async (parts, ingress, tx, record) => {
          const place = { cluster, name, registeredBy: context.principal.arn };
          const definition = await expressDefinition(parts, context, place, input);
          const request = createRequest(input, { cluster, name, ingress, definition, tags, subnetIds, groupIds });
          return withExpress(await planCreate(tx, context, record, request), frontOfCreate(input, ingress), ingress.managed);
        },
      });
      return { service: await deps.store.read((tx) => describeExpress(tx, service, ['TAGS'])) };
    },
  };
}

/** Express Mode stands in the default VPC unless it is told otherwise. */
async function defaultSubnets(tx: ReadTx, { account, region }: Scope): Promise<string[]> {
  const subnets = await tx.subnets.list({ account, region });
  return subnets.filter((subnet) => subnet.vpcId === defaultVpcId({ account, region })).map((subnet) => subnet.key.id);
}
