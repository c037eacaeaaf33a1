/**
 * A program of its own, started by shape-loader: reads {package, operations} as JSON from standard input, loads the SDK package, writes
 * its ShapeBundle to standard output and ends, and takes the package's memory with it.
 */
import { text } from 'node:stream/consumers';
import { extractShapes } from './shapes.ts';

const request = JSON.parse(await text(process.stdin)) as { package: string; operations: string[] };
const exports = (await import(request.package)) as Record<string, unknown>;
process.stdout.write(JSON.stringify(extractShapes(exports, request.operations, xmlNamespaceOf(exports))));

/** The namespace stands only in the client's own configuration. */
function xmlNamespaceOf(exports: Record<string, unknown>): string | undefined {
  const name = Object.keys(exports).find((key) => key.endsWith('Client') && key !== '__Client');
  const Client = (name === undefined ? undefined : exports[name]) as undefined | (new (config: object) => Record<string, any>);
  if (Client === undefined) return undefined;
  const client = new Client({ region: 'us-east-1', credentials: { accessKeyId: 'unused', secretAccessKey: 'unused' } });
  return client.config?.protocolSettings?.xmlNamespace as string | undefined;
}
