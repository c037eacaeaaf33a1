/** Credentials of outside registries that are pulled through: a secret in the shape that ECR asks for. Source: ECR user guide, "Storing your upstream repository credentials". */
import { Fault, isFault } from '#base/fault.ts';
import type { RegistryAuth } from '#image/types.ts';
import { openSecret } from '#intent/index.ts';
import type { Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';

/** Throws AccessDenied (details.kind `denied`) for what is no secret with `username` and `accessToken`. */
export function upstreamAuth(store: Pick<Store, 'read'>, vault: Vault): (credentialArn: string) => Promise<RegistryAuth> {
  const denied = (arn: string, why: string) =>
    new Fault('AccessDenied', `the credentials ${arn} of the pull through cache rule can't be used: ${why}`, {
      details: { kind: 'denied' },
    });
  return async (arn) => {
    const [, , , region = '', account = ''] = arn.split(':');
    const opened = await store
      .read((tx) => openSecret(tx, vault, { account, region }, arn, {}))
      .catch((error: unknown) => {
        throw isFault(error) ? denied(arn, error.message) : error;
      });
    let value: { username?: unknown; accessToken?: unknown };
    try {
      value = JSON.parse(opened.value.toString('utf8')) as typeof value;
    } catch {
      value = {};
    }
    const { username, accessToken } = value;
    if (typeof username !== 'string' || typeof accessToken !== 'string')
      throw denied(arn, 'it is no JSON object with username and accessToken');
    return { username, password: accessToken };
  };
}
