/** ListMasterKeys, RotateMasterKey: what values in the database are encrypted under. Keys themselves are never told. */
import type { Operation } from '#gateway/types.ts';
import type { BerthApiDeps } from './types.ts';

type Told = { id: string; createdAt: number; retiredAt: number | null; inUse: boolean };

/** `inUse`: of a key that is not the current one, whether values are still to be wrapped anew. */
export function listMasterKeys({ store, masterKeys }: BerthApiDeps): Operation<object, { keys: Told[] }> {
  return {
    name: 'ListMasterKeys',
    action: 'berth:ListMasterKeys',
    resources: () => ['*'],
    async handle() {
      const keys: Told[] = [];
      for (const { id, createdAt, retiredAt, prefix } of masterKeys.keys()) {
        const inUse = retiredAt === null || (await store.read((tx) => tx.tablesWith(prefix))).length > 0;
        keys.push({ id, createdAt, retiredAt, inUse });
      }
      return { keys };
    },
  };
}

/** Returns once the new key is on disk and encrypts what comes; what is there is wrapped anew behind it (control/vault-loop.ts). */
export function rotateMasterKey({ masterKeys }: BerthApiDeps): Operation<object, { id: string }> {
  return {
    name: 'RotateMasterKey',
    action: 'berth:RotateMasterKey',
    resources: () => ['*'],
    async handle() {
      const { id } = masterKeys.rotate();
      masterKeys.rewrap();
      return { id };
    },
  };
}
