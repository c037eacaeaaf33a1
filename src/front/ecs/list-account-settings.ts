import type { ListAccountSettingsRequest, ListAccountSettingsResponse, Setting } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { accountSettings, effectiveSetting, type IntentDeps } from '#intent/index.ts';
import { describeSetting } from './account-setting.ts';
import { cutPage } from './page.ts';

/** A page has at most 10 here (API reference). */
const PAGE = 10;

/** With `effectiveSettings` every setting as it holds for the principal, else only those that were set for it. */
export function listAccountSettingsOperation(deps: IntentDeps): Handler<ListAccountSettingsRequest, ListAccountSettingsResponse> {
  return {
    name: 'ListAccountSettings',
    async handle(input, context) {
      if (input.value !== undefined && input.name === undefined) {
        throw new Fault('InvalidParameter', 'A value can only be given together with the name of a setting.');
      }
      const all = await settingsOf(deps, input, context);
      const wanted = all.filter(
        (setting) =>
          (input.name === undefined || setting.name === input.name) && (input.value === undefined || setting.value === input.value),
      );
      const { page, nextToken } = cutPage(wanted, input, (setting) => setting.name ?? '', PAGE);
      return { settings: page, nextToken };
    },
  };
}

async function settingsOf(deps: IntentDeps, input: ListAccountSettingsRequest, context: CallContext): Promise<Setting[]> {
  const { account, region } = context;
  const principal = input.principalArn ?? context.principal.arn;
  return await deps.store.read(async (tx) => {
    if (input.effectiveSettings !== true) {
      const own = await tx.settings.list({ account, region, principal });
      return own.map((record) => describeSetting(record.key.name, record.value, principal));
    }
    const settings: Setting[] = [];
    for (const name of Object.keys(accountSettings).toSorted()) {
      settings.push(describeSetting(name, await effectiveSetting(tx, context, principal, name), principal));
    }
    return settings;
  });
}
