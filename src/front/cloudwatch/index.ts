/**
 * Amazon CloudWatch, as far as it is served: metrics, their alarms, and dashboards, which are kept. Reference: CloudWatch API reference, version 2010-08-01. The newest clients speak CBOR (the SDKs
 * of Go and Rust), others JSON, older ones Query; an operation is the same in all.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { cloudWatchAccess } from './access.ts';
import { alarmOperations } from './alarms.ts';
import { dashboardOperations } from './dashboards.ts';
import { describeAlarmHistory, describeAlarms, describeAlarmsForMetric } from './describe-alarms.ts';
import { jsonErrors, queryErrors } from './errors.ts';
import { getMetricData } from './get-metric-data.ts';
import { getMetricStatistics } from './get-metric-statistics.ts';
import { listMetrics } from './list-metrics.ts';
import { putMetricData } from './put-metric-data.ts';
import type { CloudWatchDeps } from './types.ts';

/** Of the answers of the operations that are here. Source: CloudWatch API reference, whose other numbers are doubles. */
const INTEGERS = new Set(['Period', 'EvaluationPeriods', 'DatapointsToAlarm', 'Size']);

export function createCloudWatchApis(deps: CloudWatchDeps): ApiSpec[] {
  const make = [
    getMetricData,
    getMetricStatistics,
    listMetrics,
    putMetricData,
    describeAlarms,
    describeAlarmsForMetric,
    describeAlarmHistory,
    ...alarmOperations,
    ...dashboardOperations,
  ];
  const operations = guarded(cloudWatchAccess(deps), make.map((operation) => operation(deps))); // prettier-ignore
  const common = { service: 'monitoring', schemaPackage: '@aws-sdk/client-cloudwatch', operations };
  return [
    { ...common, protocol: 'json-1.0', target: 'GraniteServiceVersion20100801', errors: jsonErrors },
    { ...common, protocol: 'rpc-v2-cbor', target: 'GraniteServiceVersion20100801', errors: jsonErrors, integers: INTEGERS },
    { ...common, protocol: 'query', target: '2010-08-01', errors: queryErrors },
  ];
}
