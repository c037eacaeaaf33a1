/**
 * Idempotent calls (ECS API reference, "Ensuring idempotency"): the same token with the same parameters gets the same answer for 24
 * hours, with other parameters a conflict. Tokens belong to a cluster and an operation.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';

/** `paramsHash` stands for all parameters but the token. */
export type TokenWish = { token: string; paramsHash: string };
type InCluster = Scope & { cluster: string };

/** The tasks of the first call; undefined when this is the first. Throws Conflict with details.taskIds. */
export async function answerBefore(
  tx: WriteTx,
  where: InCluster,
  operation: string,
  wish: TokenWish,
  now: number,
): Promise<TaskRecord[] | undefined> {
  const ids = await idsBefore(tx, where, operation, wish, now);
  if (ids === undefined) return undefined;
  const tasks: TaskRecord[] = [];
  for (const id of ids) {
    const task = await tx.tasks.byId(id);
    if (task !== undefined) tasks.push(task);
  }
  return tasks;
}

/** The ids that the first call kept; undefined when this is the first. Throws Conflict with details.taskIds. */
export async function idsBefore(
  tx: WriteTx,
  where: InCluster,
  operation: string,
  wish: TokenWish,
  now: number,
): Promise<string[] | undefined> {
  const { account, region, cluster } = where;
  const record = await tx.clientTokens.get({ account, region, cluster, operation, token: wish.token });
  if (record === undefined || record.expiresAt <= now) return undefined;
  if (record.paramsHash !== wish.paramsHash) {
    throw new Fault(
      'Conflict',
      'The client token was already used with other parameters. Use a new token, or repeat the first call as it was.',
      {
        details: { taskIds: record.taskIds },
      },
    );
  }
  return record.taskIds;
}

export async function keepAnswer(
  tx: WriteTx,
  where: InCluster,
  operation: string,
  wish: TokenWish,
  taskIds: string[],
  now: number,
): Promise<void> {
  const { account, region, cluster } = where;
  const key = { account, region, cluster, operation, token: wish.token };
  const expired = await tx.clientTokens.get(key);
  await tx.clientTokens.put(
    { key, paramsHash: wish.paramsHash, taskIds, expiresAt: now + limits.clientTokenKeepMs },
    expired?.revision ?? 0,
  );
}
