/** Parameter Store's own errors and texts (Systems Manager API reference, version 2014-11-06), and look-ups that throw them. */
import { Fault, type FaultCode } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import { parameterContext, parseParameterSelector, selectedVersion } from '#domain/parameter.ts';
import type { ParameterRecord, ParameterVersionRecord } from '#domain/parameter.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';

export function parameterFault(errorName: string, message: string, code: FaultCode = 'InvalidParameter'): Fault {
  return new Fault(code, message, { details: { errorName } });
}

export const invalidParameter = (message: string) => parameterFault('ValidationException', message);
export const noParameter = (name: string) => parameterFault('ParameterNotFound', `Parameter ${clip(name)} not found.`, 'ResourceNotFound');
export const noParameterVersion = (name: string, selector: string) => {
  const what = /^\d+$/.test(selector) ? `version ${selector} of` : `label ${clip(selector)} for parameter`;
  const again = /^\d+$/.test(selector) ? 'version' : 'label';
  const text = `Systems Manager could not find ${what} ${clip(name)}. Verify the ${again} and try again.`;
  return parameterFault('ParameterVersionNotFound', text, 'ResourceNotFound');
};

/** By its name. Throws ParameterNotFound. */
export async function parameterOf(tx: Pick<ReadTx, 'parameters'>, scope: Scope, name: string): Promise<ParameterRecord> {
  const found = await findParameter(tx, scope, name);
  if (found === undefined) throw noParameter(name);
  return found;
}

/** By its name or its ARN, in which a name of one level may have a slash that it hasn't itself. */
export async function findParameter(tx: Pick<ReadTx, 'parameters'>, scope: Scope, text: string): Promise<ParameterRecord | undefined> {
  const { account, region } = scope;
  const asked = parseParameterSelector(text);
  if (asked === undefined || (asked.arn !== null && (asked.arn.account !== account || asked.arn.region !== region))) return undefined;
  const found = await tx.parameters.get({ account, region, name: asked.name });
  if (found !== undefined || asked.arn === null || asked.name.lastIndexOf('/') > 0) return found;
  return await tx.parameters.get({ account, region, name: asked.name.slice(1) });
}

export type OpenedParameter = { parameter: ParameterRecord; version: ParameterVersionRecord; selector: string | null; value: string };

/** What `NAME`, `NAME:VERSION`, `NAME:LABEL` or the same of an ARN says. Throws ParameterNotFound, ParameterVersionNotFound. */
export async function openParameter(tx: ReadTx, vault: Vault, scope: Scope, text: string): Promise<OpenedParameter> {
  const asked = parseParameterSelector(text);
  const parameter = await findParameter(tx, scope, text);
  if (asked === undefined || parameter === undefined) throw noParameter(text);
  const { name } = parameter.key;
  const wanted = selectedVersion(parameter, asked.selector);
  const version = wanted === undefined ? undefined : await tx.parameterVersions.get({ ...parameter.key, version: wanted });
  if (version === undefined) throw noParameterVersion(name, asked.selector ?? String(parameter.version));
  return { parameter, version, selector: asked.selector, value: openVersion(vault, version) };
}

export const openVersion = (vault: Vault, version: ParameterVersionRecord): string =>
  vault.decrypt(version.value, parameterContext(version.key)).toString();
