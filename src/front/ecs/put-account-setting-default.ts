import type { PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { ACCOUNT_DEFAULT, putAccountSetting, rootArn, type IntentDeps } from '#intent/index.ts';
import { describeSetting } from './account-setting.ts';

/** For everyone in the account who has no setting of their own; AWS answers with the root user's ARN. */
export function putAccountSettingDefaultOperation(
  deps: IntentDeps,
): Handler<PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse> {
  return {
    name: 'PutAccountSettingDefault',
    async handle(input, context) {
      const record = await putAccountSetting(deps, context, ACCOUNT_DEFAULT, input.name ?? '', input.value ?? '');
      return { setting: describeSetting(record.key.name, record.value, rootArn(context)) };
    },
  };
}
