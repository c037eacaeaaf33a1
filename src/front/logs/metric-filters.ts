/** Metric filters. Reference: CloudWatch Logs API reference, PutMetricFilter, DescribeMetricFilters, DeleteMetricFilter, TestMetricFilter. */
import type {
  DeleteMetricFilterRequest,
  DescribeMetricFiltersRequest,
  DescribeMetricFiltersResponse,
  MetricFilter as ApiFilter,
  MetricTransformation as ApiTransformation,
  PutMetricFilterRequest,
  StandardUnit,
  TestMetricFilterRequest,
  TestMetricFilterResponse,
} from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import type { Handler } from '#gateway/types.ts';
import { testPattern } from '#logs/index.ts';
import type { Logs, MetricFilter, MetricTransformation } from '#logs/types.ts';
import { decodeToken, encodeToken, pageLimit } from './page.ts';

export function putMetricFilterOperation(logs: Logs): Handler<PutMetricFilterRequest, void> {
  return {
    name: 'PutMetricFilter',
    async handle(input, scope) {
      if (input.applyOnTransformedLogs === true)
        throw new Fault('Unsupported', 'berth does not transform log events yet; leave out applyOnTransformedLogs.');
      if (input.fieldSelectionCriteria !== undefined || (input.emitSystemFieldDimensions ?? []).length > 0)
        throw new Fault(
          'Unsupported',
          'berth has no centralized log groups; leave out fieldSelectionCriteria and emitSystemFieldDimensions.',
        );
      await logs.putMetricFilter(scope, input.logGroupName ?? '', {
        name: input.filterName ?? '',
        pattern: input.filterPattern ?? '',
        transformations: (input.metricTransformations ?? []).map(transformationOf),
      });
    },
  };
}

export function deleteMetricFilterOperation(logs: Logs): Handler<DeleteMetricFilterRequest, void> {
  return {
    name: 'DeleteMetricFilter',
    handle: (input, scope) => logs.deleteMetricFilter(scope, input.logGroupName ?? '', input.filterName ?? ''),
  };
}

export function describeMetricFiltersOperation(logs: Logs): Handler<DescribeMetricFiltersRequest, DescribeMetricFiltersResponse> {
  return {
    name: 'DescribeMetricFilters',
    async handle(input, scope) {
      const { metricName, metricNamespace, filterNamePrefix: prefix = '' } = input;
      if ((metricName === undefined) !== (metricNamespace === undefined))
        throw new Fault('InvalidParameter', 'metricName and metricNamespace must be given together.');
      const limit = pageLimit(input.limit, 50);
      const { after = '' } = decodeToken(input.nextToken);
      const feeds = ({ name, namespace }: MetricTransformation) => name === metricName && namespace === metricNamespace;
      const found = logs
        .metricFilters(scope, input.logGroupName)
        .filter(({ name, transformations }) => name.startsWith(prefix) && (metricName === undefined || transformations.some(feeds)))
        .filter((filter) => placeOf(filter) > after);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        metricFilters: page.map(view),
        nextToken: found.length > limit && last !== undefined ? encodeToken(placeOf(last)) : undefined,
      };
    },
  };
}

/** Neither a group's name nor a filter's has a blank before what else it may have, so places sort as groups and filters do. */
const placeOf = ({ group, name }: { group: string; name: string }): string => `${group}\n${name}`;

export function testMetricFilterOperation(): Handler<TestMetricFilterRequest, TestMetricFilterResponse> {
  return {
    name: 'TestMetricFilter',
    async handle({ filterPattern = '', logEventMessages = [] }) {
      if (logEventMessages.length < 1 || logEventMessages.length > 50)
        throw new Fault('InvalidParameter', `logEventMessages takes 1 to 50 messages; there are ${logEventMessages.length}.`);
      const matches = testPattern(filterPattern, logEventMessages).flatMap((extractedValues, index) => {
        if (extractedValues === undefined) return [];
        return [{ eventNumber: index + 1, eventMessage: logEventMessages[index] ?? '', extractedValues }];
      });
      return { matches };
    },
  };
}

function transformationOf(given: ApiTransformation): MetricTransformation {
  return {
    name: given.metricName ?? '',
    namespace: given.metricNamespace ?? '',
    value: given.metricValue ?? '',
    unit: given.unit ?? 'None',
    defaultValue: given.defaultValue ?? null,
    dimensions: given.dimensions ?? {},
  };
}

function view({ group, name, pattern, transformations, createdAt }: MetricFilter & { group: string }): ApiFilter {
  return {
    filterName: name,
    filterPattern: pattern,
    metricTransformations: transformations.map(transformationView),
    creationTime: createdAt,
    logGroupName: group,
    applyOnTransformedLogs: false,
  };
}

function transformationView({ name, namespace, value, unit, defaultValue, dimensions }: MetricTransformation): ApiTransformation {
  return {
    metricName: name,
    metricNamespace: namespace,
    metricValue: value,
    ...(defaultValue === null ? {} : { defaultValue }),
    ...(Object.keys(dimensions).length === 0 ? {} : { dimensions }),
    unit: unit as StandardUnit,
  };
}
