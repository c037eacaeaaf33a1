/** Account settings (ECS developer guide, "Account settings"): a principal's own, else the account's, else AWS's default. */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { SettingRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

const onOff = ['enabled', 'disabled', 'on', 'off'];

/** Names, the values they take, and what holds when nobody set them. */
export const accountSettings: Record<string, { values: readonly string[]; fallback: string }> = {
  serviceLongArnFormat: { values: ['enabled'], fallback: 'enabled' },
  taskLongArnFormat: { values: ['enabled'], fallback: 'enabled' },
  containerInstanceLongArnFormat: { values: ['enabled'], fallback: 'enabled' },
  awsvpcTrunking: { values: ['enabled', 'disabled'], fallback: 'disabled' },
  containerInsights: { values: ['enabled', 'disabled', 'enhanced'], fallback: 'disabled' },
  fargateFIPSMode: { values: ['enabled', 'disabled'], fallback: 'disabled' },
  tagResourceAuthorization: { values: onOff, fallback: 'off' },
  fargateTaskRetirementWaitPeriod: { values: ['0', '7', '14'], fallback: '7' },
  guardDutyActivate: { values: onOff, fallback: 'off' },
  defaultLogDriverMode: { values: ['blocking', 'non-blocking'], fallback: 'non-blocking' },
  fargateEventWindows: { values: ['enabled', 'disabled'], fallback: 'disabled' },
};

/** The key under which the whole account's settings are kept. */
export const ACCOUNT_DEFAULT = 'default';

/** Sets one for a principal's ARN, or for the account (`principal` = ACCOUNT_DEFAULT). Throws InvalidParameter. */
export async function putAccountSetting(
  deps: IntentDeps,
  scope: Scope,
  principal: string,
  name: string,
  value: string,
): Promise<SettingRecord> {
  const { values } = settingNamed(name);
  if (!values.includes(value)) {
    throw new Fault('InvalidParameter', `'${clip(value)}' is not a value of ${name}: use one of ${values.join(', ')}.`);
  }
  return await deps.store.write(async (tx) => {
    const key = { ...scope, principal, name };
    const present = await tx.settings.get(key);
    return await tx.settings.put({ key, value }, present?.revision ?? 0);
  });
}

/** Takes a principal's own value away; returns the value that holds from now on. */
export async function deleteAccountSetting(deps: IntentDeps, scope: Scope, principal: string, name: string): Promise<string> {
  settingNamed(name);
  return await deps.store.write(async (tx) => {
    await tx.settings.delete({ ...scope, principal, name });
    return await effectiveSetting(tx, scope, principal, name);
  });
}

/** The root user's own settings hold for all who have none, like the account's (API reference, PutAccountSetting). */
export async function effectiveSetting(tx: ReadTx, scope: Scope, principal: string, name: string): Promise<string> {
  for (const holder of [principal, rootArn(scope), ACCOUNT_DEFAULT]) {
    const record = await tx.settings.get({ ...scope, principal: holder, name });
    if (record !== undefined) return record.value;
  }
  return settingNamed(name).fallback;
}

export function rootArn(scope: Scope): string {
  return `arn:aws:iam::${scope.account}:root`;
}

function settingNamed(name: string) {
  const setting = Object.hasOwn(accountSettings, name) ? accountSettings[name] : undefined;
  if (setting !== undefined) return setting;
  throw new Fault('InvalidParameter', `'${clip(name)}' is not an account setting: use one of ${Object.keys(accountSettings).join(', ')}.`);
}
