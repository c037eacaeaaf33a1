/** Metric filters and saved queries, as they are put, listed and deleted. Source: CloudWatch Logs API reference, PutMetricFilter and PutQueryDefinition. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import type { Catalog, GroupRow } from './catalog.ts';
import type { FilterRow } from './catalog-filters.ts';
import { constraint, invalid } from './checks.ts';
import type { MetricFilters } from './metric-filters.ts';
import { compilePattern, type Matcher } from './pattern.ts';
import type { LogFilters, MetricFilter, MetricTransformation } from './types.ts';

type Parts = { catalog: Catalog; clock: Clock; active: MetricFilters; need: (scope: Scope, group: string) => GroupRow };

export function logFilters({ catalog, clock, active, need }: Parts): LogFilters {
  const view = ({ group, filter }: FilterRow) => ({ ...filter, group });

  return {
    async putMetricFilter(scope, groupName, filter) {
      const group = need(scope, groupName);
      checkFilter(filter);
      if (group.class !== 'STANDARD') throw invalid(`Metric filters are not supported for log groups of class ${group.class}.`);
      const there = catalog.filtersOf(group.id);
      if (there.length >= limits.logFiltersPerGroup && !there.some((row) => row.filter.name === filter.name))
        throw new Fault('LimitExceeded', 'Resource limit exceeded.');
      await catalog.setFilter(group.id, { ...filter, createdAt: clock.now() });
      active.set(group.id, catalog.filtersOf(group.id));
    },
    async deleteMetricFilter(scope, groupName, name) {
      const group = need(scope, groupName);
      if (!catalog.filtersOf(group.id).some((row) => row.filter.name === name))
        throw new Fault('ResourceNotFound', 'The specified metric filter does not exist.');
      await catalog.removeFilter(group.id, name);
      active.set(group.id, catalog.filtersOf(group.id));
    },
    metricFilters: (scope, group) => (group === undefined ? catalog.filtersIn(scope) : catalog.filtersOf(need(scope, group).id)).map(view),
    async putQueryDefinition(scope, definition) {
      const there = catalog.definitions(scope);
      if (there.length >= limits.logQueryDefinitions && !there.some(({ id }) => id === definition.id))
        throw new Fault('LimitExceeded', `There are ${there.length} query definitions, and no more may be.`);
      await catalog.setDefinition(scope, { ...definition, modifiedAt: clock.now() });
    },
    async deleteQueryDefinition(scope, id) {
      if (!catalog.definitions(scope).some((one) => one.id === id)) return false;
      await catalog.removeDefinition(scope, id);
      return true;
    },
    queryDefinitions: (scope) => catalog.definitions(scope),
  };
}

function checkFilter({ name, pattern, transformations }: Omit<MetricFilter, 'createdAt'>): void {
  if (!/^[^:*]{1,512}$/.test(name))
    throw constraint(name.slice(0, 512), 'filterName', 'Member must satisfy regular expression pattern: [^:*]*');
  if (transformations.length !== 1)
    throw constraint(`[${transformations.length} items]`, 'metricTransformations', 'Member must have length between 1 and 1');
  const match = compilePattern(pattern);
  for (const transformation of transformations) checkTransformation(transformation, match);
}

function checkTransformation({ name, namespace, value, defaultValue, dimensions }: MetricTransformation, match: Matcher): void {
  const wrong = (text: string) => invalid(`Invalid metric transformation: ${text}`);
  for (const [member, text] of Object.entries({ metricName: name, metricNamespace: namespace })) {
    if (!/^[^:*$]{1,255}$/.test(text))
      throw constraint(
        text.slice(0, 255),
        `metricTransformations.1.member.${member}`,
        'Member must satisfy regular expression pattern: [^:*$]*',
      );
  }
  if (namespace.startsWith('AWS/')) throw wrong('the namespace must not begin with AWS/');
  if (value === '' || value.length > 100 || (!value.startsWith('$') && !Number.isFinite(Number(value))))
    throw wrong('metricValue must be a valid number, or a selector such as $.latency or $bytes');
  const selectors = [...Object.values(dimensions), ...(value.startsWith('$') ? [value] : [])];
  const names = Object.keys(dimensions);
  if (names.length > 3) throw wrong('at most 3 dimensions can be assigned to a metric');
  if (names.length > 0 && defaultValue !== null) throw wrong('dimensions and default value are mutually exclusive properties.');
  const bad = names.find((one) => !/^[^:]{1,255}$/.test(one));
  if (bad !== undefined) throw wrong(`'${bad.slice(0, 255)}' can't be a dimension's name`);
  if (selectors.length > 0 && match.read === undefined)
    throw wrong('values of log events can be taken with JSON or space-delimited filter patterns only');
  for (const selector of selectors) match.read?.(selector);
}
