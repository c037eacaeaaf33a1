import type { PutAccountSettingRequest, PutAccountSettingResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { putAccountSetting, type IntentDeps } from '#intent/index.ts';
import { describeSetting } from './account-setting.ts';

/** For the caller, or for the principal it names. */
export function putAccountSettingOperation(deps: IntentDeps): Handler<PutAccountSettingRequest, PutAccountSettingResponse> {
  return {
    name: 'PutAccountSetting',
    async handle(input, context) {
      const principal = input.principalArn ?? context.principal.arn;
      const record = await putAccountSetting(deps, context, principal, input.name ?? '', input.value ?? '');
      return { setting: describeSetting(record.key.name, record.value, principal) };
    },
  };
}
