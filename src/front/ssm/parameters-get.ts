/** Parameters by their names, and what they were before. */
import type {
  GetParameterHistoryRequest,
  GetParameterHistoryResult,
  GetParameterRequest,
  GetParameterResult,
  GetParametersRequest,
  GetParametersResult,
  Parameter,
} from '@aws-sdk/client-ssm';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { openParameter, parameterOf } from '#intent/index.ts';
import type { OpenedParameter, SecretDeps } from '#intent/index.ts';
import { constraint, pageOf } from './input.ts';
import { operation } from './operation.ts';
import { isSecretReference, referencedSecret } from './secret-reference.ts';
import { historyView, parameterView } from './views.ts';

export function getOperations(deps: SecretDeps): Handler[] {
  return [
    operation<GetParameterRequest, GetParameterResult>('GetParameter', async ({ Name = '', WithDecryption = false }, context) => ({
      Parameter: isSecretReference(Name)
        ? await referencedSecret(deps, context, Name, WithDecryption)
        : parameterView(await deps.store.read((tx) => openParameter(tx, deps.vault, context, Name)), WithDecryption),
    })),
    getParameters(deps),
    operation<GetParameterHistoryRequest, GetParameterHistoryResult>('GetParameterHistory', async (input, context) => {
      const { parameter, versions } = await deps.store.read(async (tx) => {
        const parameter = await parameterOf(tx, context, input.Name ?? '');
        return { parameter, versions: await tx.parameterVersions.list(parameter.key) };
      });
      const { page, next } = pageOf(versions, input, limits.parametersPage, ({ key }) => String(key.version));
      const decrypt = input.WithDecryption === true;
      return { Parameters: page.map((version) => historyView(deps, parameter, version, decrypt)), ...next };
    }),
  ];
}

function getParameters(deps: SecretDeps): Handler<GetParametersRequest, GetParametersResult> {
  return operation('GetParameters', async ({ Names = [], WithDecryption = false }, context) => {
    if (Names.length < 1 || Names.length > limits.parameterNames) {
      throw constraint('names', `[${Names.join(', ')}]`, `have length less than or equal to ${limits.parameterNames}`);
    }
    const opened = await deps.store.read(async (tx) => {
      const found: (OpenedParameter | string)[] = [];
      for (const name of new Set(Names.filter((one) => !isSecretReference(one)))) {
        const one = await openParameter(tx, deps.vault, context, name).catch((error: unknown) => {
          if (isFault(error, 'ResourceNotFound')) return name;
          throw error;
        });
        found.push(one);
      }
      return found;
    });
    const secrets: (Parameter | string)[] = [];
    for (const name of new Set(Names.filter(isSecretReference))) secrets.push(await secretOrName(deps, context, name, WithDecryption));
    const views = [...opened.map((one) => (typeof one === 'string' ? one : parameterView(one, WithDecryption))), ...secrets];
    return {
      Parameters: views.filter((one) => typeof one !== 'string'),
      InvalidParameters: views.filter((one) => typeof one === 'string'),
    };
  });
}

async function secretOrName(deps: SecretDeps, context: CallContext, name: string, decrypt: boolean): Promise<Parameter | string> {
  try {
    return await referencedSecret(deps, context, name, decrypt);
  } catch (error) {
    if (isFault(error, 'ResourceNotFound')) return name;
    throw error;
  }
}
