/** A host agent for real, but for the control plane, which is this test: it assigns, and takes reports and output. */
import { realClock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { checkRun } from '#base/output-run.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { taskSpec } from '#domain/samples.ts';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import { createHostAgent } from '#host/agent.ts';
import type { HostAgent } from '#host/agent.ts';
import { createFileJournal } from '#host/file-journal.ts';
import { readHostUsage } from '#host/info.ts';
import { assignmentOf, createFakeImages, fakeHostInfo } from '#host/testing.ts';
import { memoryNetwork } from '#link/memory.ts';
import { controlOps } from '#link/operations.ts';
import type { Assignment, OutputBatch, OutputEvent, TaskReport } from '#link/protocol.ts';
import type { ControlConnection } from '#link/types.ts';
import type { SandboxDriver } from '#sandbox/driver.ts';
import { eachRecord } from '#sandbox/run-records.ts';
import { createHostVolumes } from '#volume/kinds.ts';
import { createOneUser } from '#volume/one-user.ts';
import { VPC } from './real-host.ts';
import type { RealHost } from './real-host.ts';

export type AgentUnderTest = {
  reports: Map<string, TaskReport>;
  output: OutputEvent[];
  until(what: string, condition: () => boolean): Promise<void>;
  /** Another host agent, with these drivers; resolves when it is connected. */
  start(drivers: SandboxDriver[]): Promise<void>;
  stop(): Promise<void>;
  assignment(containers: ContainerSpec[], change?: Partial<TaskSpec>): Assignment;
  give(assignments: Assignment[]): void;
  /** The task's status is that. */
  is(id: string, status: string): () => boolean;
  /** A call to the host. */
  call(op: string, body: { [name: string]: string }): Promise<unknown>;
};

/** `vmUser`: whom QEMU runs as, where microVMs do. */
export function createAgentUnderTest(
  host: RealHost,
  patienceMs: number,
  vmUser: { uid: number; gid: number } | null = null,
): AgentUnderTest {
  const clock = realClock();
  const random = realRandom();
  const link = memoryNetwork(clock);
  const reports = new Map<string, TaskReport>();
  const output: OutputEvent[] = [];
  const waiting = new Set<() => void>();
  let agent: HostAgent | undefined;
  let connection: ControlConnection | undefined;
  let address = 10;

  link.listen().onConnection((made) => {
    made.handle(controlOps.logOpen, async () => null);
    made.onMessage((message) => {
      if (message.t === 'hello') {
        made.send({ t: 'welcome', version: 1, fence: 1, heartbeatMs: 1_000 });
        connection = made;
      }
      if (message.t === 'status') for (const report of message.reports) reports.set(report.taskId, report);
      if (message.t === 'output') {
        output.push(...eventsOf(message.batch));
        made.send({ t: 'output-ack', taskId: message.batch.key.id, to: message.batch.to });
      }
      waiting.forEach((one) => one());
    });
  });

  const until = (what: string, condition: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited ${patienceMs} ms for ${what}: ${JSON.stringify([...reports.values()])}`)),
        patienceMs,
      );
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });

  return {
    reports,
    output,
    until,
    async start(drivers) {
      agent = createHostAgent(
        {
          dialer: link.dialer(),
          drivers,
          images: { ...createFakeImages(), prepare: async () => host.image },
          network: host.network,
          volumes: createHostVolumes({ clock, oneUser: createOneUser(host.worker, host.instance) }, host.dir, vmUser),
          journal: createFileJournal(host.dir),
          clock,
          random,
          log: silentLog,
          info: async (isolation) => fakeHostInfo({ isolation }),
          usage: () => readHostUsage(host.dir),
          serveVpc: async () => {},
          setNames: () => {},
        },
        { hostId: 'h1', dir: host.dir },
      );
      connection = undefined;
      await agent.start();
      await until('the link', () => connection !== undefined);
    },
    stop: async () => agent?.stop(),
    assignment(containers, change = {}) {
      const n = address++;
      const id = hexId(random);
      const base = assignmentOf(id, { spec: taskSpec({ containers, ...change }) });
      const mac = `02:00:0a:d5:00:${n.toString(16).padStart(2, '0')}`;
      const network = { ...base.network, vpcId: VPC.id, vpcCidr: VPC.cidr, gatewayIp: VPC.gatewayIp, ip: VPC.address(n), mac };
      return { ...base, network };
    },
    give: (assignments) => void connection?.send({ t: 'assign', assignments }),
    is: (id, status) => () => reports.get(id)?.status === status,
    async call(op, body) {
      if (connection === undefined) throw new Error('no host is connected');
      return connection.request(op, body, { timeoutMs: patienceMs });
    },
  };
}

/** What a batch has, one by one, whichever way it has it. */
function eventsOf({ events, runs }: OutputBatch): OutputEvent[] {
  const ofRuns: OutputEvent[] = [];
  for (const bytes of runs?.bytes ?? []) {
    eachRecord(checkRun(bytes, runs?.names.length ?? 0), runs?.names ?? [], ({ container, source, timeMs, data }, _from, end) =>
      ofRuns.push({ container, source, time: timeMs, text: data.toString(), end }),
    );
  }
  return [...events, ...ofRuns];
}
