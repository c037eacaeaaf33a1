/** Names that users give: endpoints are DNS labels, images carry a registry, a path, a tag. */
import { Fault } from '#base/fault.ts';

/** `web` of `docker.io/library/Web_app:1.2@sha256:...` -> `web-app`. */
export function nameOfImage(image: string): string {
  const path = image.replace(/@.*$/, '').split('/').at(-1) ?? '';
  const name = path
    .replace(/:[^:]*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  if (name === '') throw new Fault('InvalidParameter', `no name can be made of the image '${image}': give one, berth run NAME --image ...`);
  return name;
}

/** A DNS label (RFC 1123, section 2.1), since the name becomes NAME.localhost. */
export function checkName(name: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return name;
  throw new Fault(
    'InvalidParameter',
    `'${name}' can't be a name: use 1 to 63 lower-case letters, digits and '-', since it becomes ${name}.localhost`,
  );
}

/** A whole task id or its beginning (at least 6 hex digits). */
export function looksLikeTaskId(text: string): boolean {
  return /^[0-9a-f]{6,32}$/.test(text);
}

/** `K=V` as ECS's environment entry. */
export function parseEnvironment(entries: string[]): { name: string; value: string }[] {
  return entries.map((entry) => {
    const equals = entry.indexOf('=');
    if (equals < 1) throw new Fault('InvalidParameter', `--env '${entry}' must be NAME=VALUE`);
    return { name: entry.slice(0, equals), value: entry.slice(equals + 1) };
  });
}
