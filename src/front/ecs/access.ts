/** What IAM is asked before each operation of ECS. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Service". */
import type { CreateClusterRequest } from '@aws-sdk/client-ecs';
import { capacityProviderArn, clusterArn, clusterName, ecsArn, ecsResource, serviceArn, taskDefinitionRef } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, OwnFacts } from '#gateway/types.ts';
import { findTaskDefinition, listTags, type IntentDeps } from '#intent/index.ts';
import { canonical, definitionOf, partsOf, serviceOf, taskOf } from './access-arns.ts';
import { alsoTagging } from './access-tagging.ts';
import { createFacts, expressFacts, definitionFacts, runFacts, startFacts, taskSetFacts, updateFacts } from './access-facts.ts';
import { taskSetResource } from './service/task-set-input.ts';
import { taggableOf } from './taggable.ts';

type OfCluster = { cluster?: string | undefined };
type OfService = OfCluster & { service?: string | undefined };
type OfTask = OfCluster & { task?: string | undefined };
type OfTasks = OfCluster & { tasks?: string[] | undefined };
type OfArn = { resourceArn?: string | undefined };
type OfExpress = { serviceArn?: string | undefined };
type Resources<In> = (input: In, scope: Scope) => string[];

const ofCluster: Resources<OfCluster> = (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))];
const ofInstances: Resources<OfCluster & { containerInstances?: string[] | undefined }> = (input, scope) =>
  (input.containerInstances ?? ['*']).map((id) => ecsArn(scope, `container-instance/${clusterName(scope, input.cluster)}/${id.split('/').at(-1)}`)); // prettier-ignore
const ofService: Resources<OfService> = (input, scope) => [serviceOf(scope, input.cluster, input.service)];
const ofTasks: Resources<OfTasks> = (input, scope) => (input.tasks ?? []).map((ref) => taskOf(scope, input.cluster, ref));
const ofTaskSet: Resources<OfService & { taskSet?: string | undefined }> = (input, scope) => [taskSetResource(scope, input, input.taskSet)];
const ofExpress: Resources<OfExpress> = ({ serviceArn: arn }) => [arn ?? ''];
const ofNew: Resources<OfCluster & { serviceName?: string | undefined }> = (input, scope) => [
  serviceArn(scope, clusterName(scope, input.cluster), input.serviceName || '*'),
];
const ofAny: Resources<OfArn> = ({ resourceArn: arn = '' }, scope) => [canonical(scope, arn)];
const inCluster = (input: OfCluster, scope: Scope): OwnFacts => ({ 'ecs:cluster': clusterArn(scope, clusterName(scope, input.cluster)) });
const ofSetting = (input: { name?: string | undefined }): OwnFacts =>
  input.name === undefined ? {} : { 'ecs:account-setting': input.name };
const all: AccessRow = { resources: anything };
const setting: AccessRow = { resources: anything, facts: ofSetting };

export function ecsAccess(deps: IntentDeps): AccessTable {
  return {
    vendor: 'ecs',
    about: (arn, context) => aboutResource(deps, arn, context),
    rows: { ...clusterRows(deps), ...serviceRows(deps), ...taskRows(deps) },
  };
}

/** Clusters, settings, attributes, tags. */
function clusterRows(deps: IntentDeps): AccessTable['rows'] {
  const tagged = alsoTagging(deps);
  return {
    CreateCluster: {
      resources: ({ clusterName: name }, scope) => [clusterArn(scope, name || 'default')],
      facts: (input, scope) => ({ ...requestTags(input.tags), ...providers(scope, input.capacityProviders), ...storageKey(input) }),
      also: tagged('CreateCluster', ({ clusterName: name }, scope) => clusterArn(scope, name || 'default')),
    },
    DeleteAccountSetting: setting,
    DeleteAttributes: { resources: ofInstances, facts: inCluster },
    DeleteCluster: { resources: ofCluster },
    DescribeCapacityProviders: {
      resources: ({ capacityProviders: names }, scope) =>
        ((names ?? ['*']) as string[]).map((name) => (name.startsWith('arn:') ? name : capacityProviderArn(scope, name))),
    },
    DescribeClusters: {
      resources: ({ clusters = [] }: { clusters?: string[] }, scope) =>
        (clusters.length === 0 ? ['default'] : clusters).map((ref) => (ref.startsWith('arn:') ? ref : clusterArn(scope, ref))),
    },
    DescribeContainerInstances: { resources: ofInstances, facts: inCluster },
    ListAccountSettings: all,
    ListAttributes: { resources: ofCluster },
    ListClusters: all,
    ListContainerInstances: { resources: ofCluster },
    ListTagsForResource: { resources: ofAny },
    PutAccountSetting: setting,
    PutAccountSettingDefault: setting,
    PutAttributes: { resources: ofInstances, facts: inCluster },
    PutClusterCapacityProviders: { resources: ofCluster, facts: (input, scope) => providers(scope, input.capacityProviders) },
    TagResource: { resources: ofAny, facts: ({ tags }) => requestTags(tags) },
    UntagResource: { resources: ofAny, facts: ({ tagKeys }) => requestTags([], tagKeys) },
    UpdateCluster: { resources: ofCluster, facts: storageKey },
    UpdateClusterSettings: { resources: ofCluster },
  };
}

/** Services, Express services and task sets. */
function serviceRows(deps: IntentDeps): AccessTable['rows'] {
  const tagged = alsoTagging(deps);
  return {
    ContinueServiceDeployment: { resources: ({ serviceDeploymentArn: arn }, scope) => partsOf(scope, 'service-deployment', [arn]) },
    CreateExpressGatewayService: { resources: ofNew, facts: expressFacts, also: tagged('CreateExpressGatewayService', (input, scope) => ofNew(input, scope)[0]!) }, // prettier-ignore
    CreateService: { resources: ofNew, facts: createFacts, also: tagged('CreateService', (input, scope) => ofNew(input, scope)[0]!) },
    CreateTaskSet: {
      resources: (input, scope) => [taskSetResource(scope, input, undefined)],
      facts: taskSetFacts,
      also: tagged('CreateTaskSet', (input, scope) => taskSetResource(scope, input, undefined)),
    },
    DeleteExpressGatewayService: { resources: ofExpress },
    DeleteService: { resources: ofService },
    DeleteTaskSet: { resources: ofTaskSet },
    DescribeExpressGatewayService: { resources: ofExpress },
    DescribeServiceDeployments: { resources: ({ serviceDeploymentArns: arns }, scope) => partsOf(scope, 'service-deployment', arns) },
    DescribeServiceRevisions: { resources: ({ serviceRevisionArns: arns }, scope) => partsOf(scope, 'service-revision', arns) },
    DescribeServices: {
      resources: (input, scope) => ((input.services ?? []) as string[]).map((service) => serviceOf(scope, input.cluster, service)),
    },
    DescribeTaskSets: {
      resources: (input, scope) =>
        (input.taskSets?.length ? input.taskSets : [undefined]).map((ref: string | undefined) => taskSetResource(scope, input, ref)),
    },
    ListServiceDeployments: { resources: ofService },
    ListServices: { resources: anything, facts: inCluster },
    ListServicesByNamespace: {
      resources: anything,
      facts: ({ namespace }) => (namespace === undefined ? {} : { 'ecs:namespace': namespace }),
    },
    StopServiceDeployment: { resources: ({ serviceDeploymentArn: arn }, scope) => partsOf(scope, 'service-deployment', [arn]) },
    UpdateExpressGatewayService: { resources: ofExpress, facts: expressFacts },
    UpdateService: { resources: ofService, facts: updateFacts },
    UpdateServicePrimaryTaskSet: { resources: ofService },
    UpdateTaskSet: { resources: ofTaskSet },
  };
}

/** Task definitions and tasks. */
function taskRows(deps: IntentDeps): AccessTable['rows'] {
  const tagged = alsoTagging(deps);
  return {
    DeleteTaskDefinitions: { resources: ({ taskDefinitions: refs = [] }, scope) => refs.map((ref: string) => definitionOf(scope, ref)) },
    DeregisterTaskDefinition: all,
    DescribeTaskDefinition: all,
    DescribeTasks: { resources: ofTasks, facts: inCluster },
    ExecuteCommand: {
      resources: (input: OfTask, scope) => [...ofCluster(input, scope), taskOf(scope, input.cluster, input.task ?? '')],
      facts: (input, scope) => ({
        ...inCluster(input, scope),
        'ecs:task': taskOf(scope, input.cluster, input.task ?? ''),
        ...(input.container === undefined ? {} : { 'ecs:container-name': input.container }),
      }),
    },
    GetTaskProtection: { resources: ofTasks, facts: inCluster },
    ListTaskDefinitionFamilies: all,
    ListTaskDefinitions: all,
    // AWS asks for container instances, on Fargate too, where there are none.
    ListTasks: {
      resources: (input, scope) =>
        ofInstances({ ...input, containerInstances: input.containerInstance && [input.containerInstance] }, scope),
      facts: inCluster,
    },
    RegisterTaskDefinition: {
      resources: ({ family }, scope) => [ecsArn(scope, `task-definition/${family}:*`)],
      facts: definitionFacts,
      also: tagged('RegisterTaskDefinition', ({ family }, scope) => ecsArn(scope, `task-definition/${family}:*`)),
    },
    RunTask: {
      resources: ({ taskDefinition: ref = '' }, scope) => [definitionOf(scope, ref)],
      facts: runFacts,
      also: tagged('RunTask', (input, scope) => ecsArn(scope, `task/${clusterName(scope, input.cluster)}/*`)),
    },
    StartTask: {
      resources: ({ taskDefinition: ref = '' }, scope) => [definitionOf(scope, ref)],
      facts: startFacts,
      also: tagged('StartTask', (input, scope) => ecsArn(scope, `task/${clusterName(scope, input.cluster)}/*`)),
    },
    StopTask: { resources: (input: OfTask, scope) => [taskOf(scope, input.cluster, input.task ?? '')], facts: inCluster },
    UpdateTaskProtection: { resources: ofTasks, facts: inCluster },
  };
}

/** Tags; of what lies in a cluster or service, these too. */
async function aboutResource(deps: IntentDeps, arn: string, scope: Scope): Promise<OwnFacts> {
  const [kind = '', cluster = '', service] = (ecsResource(scope, arn) ?? '').split('/');
  const facts = resourceTags(await tagsOf(deps, arn, scope), 'ecs');
  if (service === undefined) return facts;
  facts['ecs:cluster'] = clusterArn(scope, cluster);
  if (/^(service-deployment|service-revision|task-set)$/.test(kind)) facts['ecs:service'] = serviceArn(scope, cluster, service);
  return facts;
}

async function tagsOf({ store }: IntentDeps, arn: string, scope: Scope): Promise<Tag[] | undefined> {
  return await ifThere(() =>
    store.read(async (tx) => {
      if (!arn.includes(':task-definition/')) return await listTags(tx, scope, taggableOf(scope, arn));
      return (await findTaskDefinition(tx, scope, taskDefinitionRef(scope, arn)))?.tags;
    }),
  );
}

function storageKey({ configuration }: Pick<CreateClusterRequest, 'configuration'>): OwnFacts {
  const key = configuration?.managedStorageConfiguration?.fargateEphemeralStorageKmsKeyId;
  return key === undefined ? {} : { 'ecs:fargate-ephemeral-storage-kms-key': key };
}

const providers = (scope: Scope, names: string[] | undefined): OwnFacts =>
  names === undefined ? {} : { 'ecs:capacity-provider': names.map((name) => capacityProviderArn(scope, name)) };
