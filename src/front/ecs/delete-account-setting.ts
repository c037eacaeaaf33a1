import type { DeleteAccountSettingRequest, DeleteAccountSettingResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { deleteAccountSetting, type IntentDeps } from '#intent/index.ts';
import { describeSetting } from './account-setting.ts';

/** Answers with the value that holds from now on. */
export function deleteAccountSettingOperation(deps: IntentDeps): Handler<DeleteAccountSettingRequest, DeleteAccountSettingResponse> {
  return {
    name: 'DeleteAccountSetting',
    async handle(input, context) {
      const principal = input.principalArn ?? context.principal.arn;
      const name = input.name ?? '';
      const value = await deleteAccountSetting(deps, context, principal, name);
      return { setting: describeSetting(name, value, principal) };
    },
  };
}
