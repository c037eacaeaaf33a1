/**
 * The backup server of every endpoint: answers while no target does, with a page that says why. Later it will hold the request and wake
 * a service that is at zero. It also answers the challenges by which an ACME server sees that a name is ours.
 */
import { chmod, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { http } from '#base/http.ts';
import type { EndpointDesired } from './types.ts';

export type Activator = {
  /** What the page says from now on. */
  show(endpoints: EndpointDesired[]): void;
  listen(socketPath: string): Promise<void>;
  close(): Promise<void>;
};

export type ActivatorOptions = {
  /** What answers to a path, when it is a challenge of an ACME order under way (RFC 8555, section 8.3). */
  challenge?(path: string): string | undefined;
};

type Page = { status: number; title: string; detail: string };

export function createActivator(options: ActivatorOptions = {}): Activator {
  const known = new Map<string, EndpointDesired>();
  const server = http.createServer((req, res) => {
    const proof = options.challenge?.(req.url ?? '');
    if (proof === undefined) answer(req, res, pageFor(nameOf(req.headers.host ?? ''), known));
    else answerChallenge(req, res, proof);
  });
  return {
    show(endpoints) {
      known.clear();
      for (const endpoint of endpoints) known.set(endpoint.name, endpoint);
    },
    async listen(socketPath) {
      await rm(socketPath, { force: true });
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));
      // HAProxy runs as the same user as the control plane; nobody else has a reason to connect.
      await chmod(socketPath, 0o600);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The endpoint's name out of a Host header: `web.localhost:8080` -> `web`. */
export function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/\.localhost\.?$/, '');
}

export function pageFor(name: string, known: ReadonlyMap<string, EndpointDesired>): Page {
  const endpoint = known.get(name);
  if (endpoint === undefined) {
    const names = [...known.keys()].slice(0, 20).map((n) => `${n}.localhost`);
    const hint = names.length > 0 ? `Known here: ${names.join(', ')}.` : 'There is no endpoint yet: berth run NAME --image REF makes one.';
    return { status: 404, title: `No endpoint is called “${name}”`, detail: hint };
  }
  const titles = {
    starting: `“${name}” is starting`,
    running: `“${name}” runs, but its port does not answer yet`,
    stopped: `“${name}” is stopped`,
  };
  return { status: 503, title: titles[endpoint.note.state], detail: endpoint.note.detail };
}

function answerChallenge(req: IncomingMessage, res: ServerResponse, proof: string): void {
  req.resume();
  res.setHeader('content-type', 'application/octet-stream');
  res.setHeader('cache-control', 'no-store');
  res.end(proof);
}

function answer(req: IncomingMessage, res: ServerResponse, page: Page): void {
  req.resume();
  res.statusCode = page.status;
  res.setHeader('x-berth-activator', page.status === 404 ? 'unknown' : 'waiting');
  res.setHeader('cache-control', 'no-store');
  if (page.status === 503) res.setHeader('retry-after', '1');
  if (!(req.headers.accept ?? '').includes('text/html')) {
    res.setHeader('content-type', 'text/plain; charset=utf-8');
    res.end(`${page.title}\n${page.detail}\n`);
    return;
  }
  res.setHeader('content-type', 'text/html; charset=utf-8');
  res.end(html(page));
}

const escape = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function html(page: Page): string {
  const refresh = page.status === 503 ? '<meta http-equiv="refresh" content="1">' : '';
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escape(page.title)}</title>${refresh}
<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:18vh auto;padding:0 1.5em;color:#222;background:#fff}
h1{font-size:1.4em;font-weight:600}p{color:#555}@media(prefers-color-scheme:dark){body{color:#eee;background:#181a1b}p{color:#aaa}}</style></head>
<body><h1>${escape(page.title)}</h1><p>${escape(page.detail)}</p></body></html>
`;
}
