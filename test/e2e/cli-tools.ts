/** What tests of the command line share: URLs asked, tables read, refusals checked. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { Platform, Ran } from './platform.ts';

export type Page = { status: number; body: string; activator: string | undefined };
export type Row = { id: string; name: string; status: string; address: string; url: string | null; stoppedReason: string | null };

/** GET of an endpoint: the name in the Host header, as curl and browsers send it. */
export function getPage(platform: Platform, name: string, path = '/'): Promise<Page> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port: platform.endpointPort, path, headers: { host: `${name}.localhost:${platform.endpointPort}` } },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body, activator: answer.headers['x-berth-activator'] as string | undefined }),
        );
      },
    );
    call.setTimeout(20_000, () => call.destroy(new Error(`no answer of ${name}`)));
    call.on('error', reject).end();
  });
}

export const jsonOf = async (platform: Platform, ...args: string[]) => JSON.parse(await platform.ok([...args, '--json'])) as never;

export const refused = (ran: Ran, code: number, message: RegExp) => {
  assert.equal(ran.code, code, `${ran.stdout}\n${ran.stderr}`);
  assert.match(ran.stdout + ran.stderr, message);
};
