/** Asks an endpoint over the machine's own address: Node doesn't resolve *.localhost, so the name goes into the Host header. */
import { Fault } from '#base/fault.ts';
import { http } from '#base/http.ts';
import type { Context } from './command.ts';

export type EndpointAddress = { name: string; listen: string; port: number };

export function endpointUrl(address: EndpointAddress): string {
  return `http://${address.name}.localhost${address.port === 80 ? '' : `:${address.port}`}`;
}

const ATTEMPT_MS = 2000;
const RETRY_MS = 60;
/** How long a task that runs may take until its port answers; in an emulated machine everything takes ten times as long. */
const ANSWER_WITHIN_MS = 60_000;
const EMULATED_ANSWER_WITHIN_MS = 600_000;

/**
 * Resolves with the HTTP status of the first answer of the task itself. `alive` is asked now and again, and throws when it is no use to wait
 * on. `emulated`: it runs under software emulation.
 */
export async function checkUrl(context: Context, address: EndpointAddress, alive: () => Promise<void>, emulated: boolean): Promise<number> {
  const withinMs = emulated ? EMULATED_ANSWER_WITHIN_MS : ANSWER_WITHIN_MS;
  const began = context.clock.now();
  for (let attempt = 1; ; attempt++) {
    if (context.signal.aborted) throw new Fault('Cancelled', 'interrupted');
    const answer = await ask(context, address);
    if (answer !== undefined && !answer.waiting) return answer.status;
    if (attempt % 10 === 0) await alive();
    if (context.clock.now() - began > withinMs) throw unanswered(address, answer?.status, withinMs);
    await context.clock.sleep(RETRY_MS);
  }
}

function unanswered(address: EndpointAddress, status: number | undefined, withinMs: number): Fault {
  const seen = status === undefined ? 'nothing answers there' : 'the task runs, but its port does not answer';
  return new Fault(
    'TimedOut',
    `${endpointUrl(address)}: ${seen} after ${withinMs / 1000} s; does the program listen on the port that --port names, on 0.0.0.0?`,
  );
}

/** One request; undefined when nothing could be reached, `waiting` when it was berth's own page that answered. */
export function ask(context: Context, address: EndpointAddress): Promise<{ status: number; waiting: boolean } | undefined> {
  return new Promise((resolve) => {
    const host = address.listen === '0.0.0.0' || address.listen === '::' ? '127.0.0.1' : address.listen;
    const call = http.request(
      { host, port: address.port, path: '/', headers: { host: `${address.name}.localhost:${address.port}` } },
      (answer) => {
        answer.resume();
        timer.cancel();
        const waiting =
          answer.headers['x-berth-activator'] !== undefined ||
          (answer.statusCode === 503 && answer.headers['cache-control'] === 'no-cache');
        resolve({ status: answer.statusCode ?? 0, waiting });
      },
    );
    const timer = context.clock.after(ATTEMPT_MS, () => call.destroy());
    call.on('error', () => {
      timer.cancel();
      resolve(undefined);
    });
    call.end();
  });
}
