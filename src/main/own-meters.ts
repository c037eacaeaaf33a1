/** What the control plane counts of itself, for /metrics. */
import { createMeters, stopwatch } from '#base/meters.ts';
import type { ControlDeps } from '#control/index.ts';
import type { GatewayDeps } from '#gateway/index.ts';
import type { SqliteStoreOptions } from '#store/index.ts';

const SHORT = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function ownMeters() {
  const meters = createMeters();
  const requests = meters.counter('berth_api_requests', 'Calls of the AWS API by how they ended: the name of the error, or ok.', ['service', 'operation', 'code']); // prettier-ignore
  const seconds = meters.histogram('berth_api_request_duration_seconds', 'From a call to its answer.', ['service'], SHORT);
  const commits = meters.histogram('berth_store_commit_duration_seconds', 'One commit of the database, with its sync to disk.', [], SHORT);
  const writes = meters.counter('berth_store_writes', 'Transactions that these commits were for.', []);
  const lag = meters.histogram(
    'berth_loop_lag_seconds',
    'From when a control loop had something to look at until it had.',
    ['loop'],
    SHORT,
  );
  const failures = meters.counter('berth_loop_failures', 'Runs of a control loop that failed and are tried again.', ['loop']);
  const watch: GatewayDeps['watch'] = () => {
    const passed = stopwatch();
    return (service, operation, code) => {
      requests([service, operation, code]);
      seconds([service], passed());
    };
  };
  const watchCommit: SqliteStoreOptions['watch'] = () => {
    const passed = stopwatch();
    return (count) => {
      commits([], passed());
      writes([], count);
    };
  };
  const watchLoop: ControlDeps['watchLoop'] = (name) => {
    const passed = stopwatch();
    // Some are there for each host, and say its id behind their name.
    const loop = name.split(' ')[0] ?? name;
    return (well) => {
      lag([loop], passed());
      if (!well) failures([loop]);
    };
  };
  return { meters, watch, watchCommit, watchLoop };
}
