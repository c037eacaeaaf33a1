/**
 * Calls that are signed before they are timed, over connections that stay open: the SDK's client takes a millisecond of processor time a call, on the
 * machine that it measures.
 */
import http from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

export type Credentials = { accessKeyId: string; secretAccessKey: string };
export type SignedCall = { headers: Record<string, string>; body: string };

export type SignedCalls = {
  /** Of an API in JSON 1.1; `target`: what X-Amz-Target says. Good for as long as a signature is, five minutes. */
  sign(credentials: Credentials, service: string, target: string, input: object): Promise<SignedCall>;
  /** The answer's body. Throws with it for any status but 200. */
  send(call: SignedCall): Promise<string>;
  end(): void;
};

/** `width`: how many connections. */
export function signedCalls(endpoint: string, region: string, width: number): SignedCalls {
  const url = new URL(endpoint);
  const where = { hostname: url.hostname, port: Number(url.port), method: 'POST', path: '/' };
  const agent = new http.Agent({ keepAlive: true, maxSockets: width });
  return {
    async sign(credentials, service, target, input) {
      const body = JSON.stringify(input);
      const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
      const plain = { host: url.host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
      const { headers } = await signer.sign({ protocol: url.protocol, ...where, query: {}, headers: plain, body });
      return { headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) }, body };
    },
    send: ({ headers, body }) =>
      new Promise((resolve, reject) => {
        const request = http.request({ ...where, headers, agent }, (answer) => {
          const parts: Buffer[] = [];
          answer.on('error', reject);
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString();
            if (answer.statusCode === 200) resolve(text);
            else reject(new Error(`HTTP ${answer.statusCode}: ${text}`));
          });
        });
        request.on('error', reject);
        request.end(body);
      }),
    end: () => agent.destroy(),
  };
}
