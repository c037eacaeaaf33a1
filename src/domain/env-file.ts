/**
 * Files of environment variables, as `docker run --env-file` reads them, which is how Fargate does: `NAME=VALUE` a line, everything behind the first `=` is the
 * value, quotes and trailing spaces too; lines that begin with `#` are comments. Source: ECS API reference, EnvironmentFile; ECS developer guide, "Pass
 * environment variables to an Amazon ECS container".
 */
import { Fault } from '#base/fault.ts';

/** Throws Fault InvalidParameter, which never quotes a value. A name without `=` would be taken from the machine's own environment, and so is nothing. */
export function parseEnvFile(bytes: Uint8Array): Record<string, string> {
  const variables: Record<string, string> = {};
  textOf(bytes)
    .split('\n')
    .forEach((raw, index) => {
      const line = raw.replace(/\r$/, '').trimStart();
      if (line === '' || line.startsWith('#')) return;
      const cut = line.indexOf('=');
      const name = cut < 0 ? line : line.slice(0, cut);
      const wrong = (why: string) => new Fault('InvalidParameter', `line ${index + 1} ${why}`);
      if (name === '') throw wrong('has no variable name before its =');
      if (/\s/.test(cut < 0 ? name.trimEnd() : name)) throw wrong('has a variable name that contains whitespace');
      if (line.includes('\0')) throw wrong('contains a null character, which no environment variable can hold');
      if (cut >= 0) Object.defineProperty(variables, name, { value: line.slice(cut + 1), enumerable: true, configurable: true, writable: true }); // prettier-ignore
    });
  return variables;
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Fault('InvalidParameter', 'the file is not UTF-8');
  }
}

/** The object that an environment file's `value` names; undefined for what is no such ARN. */
export function parseObjectArn(arn: string): { bucket: string; key: string } | undefined {
  const [, bucket, key] = /^arn:aws[\w-]*:s3:::([^/]+)\/(.+)$/s.exec(arn) ?? [];
  return bucket === undefined || key === undefined ? undefined : { bucket, key };
}
