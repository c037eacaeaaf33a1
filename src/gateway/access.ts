/**
 * What IAM is asked before an operation. Each front door has a table: an operation's row says which resources the call touches and which condition keys
 * it has, as AWS's Service Authorization Reference tells of the action. Nothing of a row is worked out for callers who may do all.
 */
import { isFault } from '#base/fault.ts';
import type { AccessRow, Ask, CallContext, Handler, Operation, OwnFacts, Resource } from './types.ts';

export type AccessTable = {
  /** `ecs`: what stands before the colon of the API's actions. */
  vendor: string;
  /** By the operation's name. */
  rows: Record<string, AccessRow>;
  /** What is known of a resource itself, its tags above all (`resourceTags`). Called with `*` too; one that isn't there has nothing. */
  about?(arn: string, context: CallContext): OwnFacts | Promise<OwnFacts>;
};

/** For actions without resource-level permissions. */
export const anything = () => ['*'];

/** Joins what is done with what is asked before it: a row of the table, or what the operation says itself. Throws for one that has neither. */
export function guarded(table: AccessTable, handlers: readonly (Handler | Operation)[]): Operation[] {
  return handlers.map((handler) => {
    const own = 'resources' in handler ? handler : undefined;
    const row = Object.hasOwn(table.rows, handler.name) ? table.rows[handler.name] : own;
    if (row === undefined) throw new Error(`the access table of ${table.vendor} has no row for ${handler.name}`);
    const { resources, facts, also, open } = row;
    return {
      ...handler,
      action: row.action ?? `${table.vendor}:${handler.name}`,
      resources: (input, context) => {
        const touched = resources(input, context);
        if (!(touched instanceof Promise)) return describeAll(table.about, touched, context);
        return touched.then((all) => describeAll(table.about, all, context));
      },
      ...(facts && { facts }),
      ...(also && { also: async (input, context) => (await also(input, context)).map((ask) => describeAsk(table.about, ask, context)) }),
      ...(open && { open }),
    };
  });
}

/** For operations that say their resources themselves: what is known of those is told too. */
export function describingResources(about: NonNullable<AccessTable['about']>, operations: readonly Operation[]): Operation[] {
  return operations.map((operation) => ({
    ...operation,
    resources: async (input: unknown, context) => describeAll(about, await operation.resources(input, context), context),
  }));
}

const describeAsk = (about: AccessTable['about'], ask: Ask, context: CallContext): Ask => ({
  ...ask,
  resources: describeAll(about, ask.resources, context),
});

function describeAll(about: AccessTable['about'], resources: readonly (string | Resource)[], context: CallContext): (string | Resource)[] {
  if (about === undefined) return [...resources];
  return resources.map((one) => {
    const resource = typeof one === 'string' ? { arn: one } : one;
    return { ...resource, about: async () => await about(resource.arn, context) };
  });
}

/** Tags as the APIs have them: `{ key, value }`, `{ Key, Value }` or a map. */
export type AnyTags =
  | Readonly<Record<string, string | undefined>>
  | readonly {
      readonly key?: string | undefined;
      readonly value?: string | undefined;
      readonly Key?: string | undefined;
      readonly Value?: string | undefined;
    }[];

/** `aws:RequestTag/KEY` and `aws:TagKeys` of tags that a call sets; `removed`: keys that it takes away. */
export function requestTags(tags: AnyTags | undefined, removed: readonly (string | undefined)[] = []): OwnFacts {
  if (tags === undefined && removed.length === 0) return {};
  const pairs = pairsOf(tags);
  const keys = [...pairs.map(([key]) => key), ...removed.filter((key) => key !== undefined)];
  const facts: OwnFacts = Object.fromEntries(pairs.map(([key, value]) => [`aws:RequestTag/${key}`, value]));
  return keys.length === 0 ? facts : { ...facts, 'aws:TagKeys': keys };
}

/** `aws:ResourceTag/KEY`, and `VENDOR:ResourceTag/KEY` where the service has such a key of its own. */
export function resourceTags(tags: AnyTags | undefined, vendor?: string): OwnFacts {
  const prefixes = ['aws', ...(vendor === undefined ? [] : [vendor])];
  return Object.fromEntries(pairsOf(tags).flatMap(([key, value]) => prefixes.map((prefix) => [`${prefix}:ResourceTag/${key}`, value])));
}

function pairsOf(tags: AnyTags | undefined): [string, string][] {
  if (tags === undefined) return [];
  if (!Array.isArray(tags)) return Object.entries(tags).map(([key, value]) => [key, value ?? '']);
  const listed: Exclude<AnyTags, Readonly<Record<string, string | undefined>>> = tags;
  return listed.map((tag) => [tag.key ?? tag.Key ?? '', tag.value ?? tag.Value ?? '']);
}

/** What reads the tags of something that may not be there: then undefined, since a call of it is refused by the operation itself. */
export async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isFault(error) && error.code !== 'Internal') return undefined;
    throw error;
  }
}
