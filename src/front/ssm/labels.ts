/** Labels of versions. */
import type {
  LabelParameterVersionRequest,
  LabelParameterVersionResult,
  UnlabelParameterVersionRequest,
  UnlabelParameterVersionResult,
} from '@aws-sdk/client-ssm';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import { labelParameter, unlabelParameter } from '#intent/index.ts';
import type { SecretDeps } from '#intent/index.ts';
import { constraint } from './input.ts';
import { operation } from './operation.ts';

export function labelOperations(deps: SecretDeps): Handler[] {
  return [
    operation<LabelParameterVersionRequest, LabelParameterVersionResult>(
      'LabelParameterVersion',
      async ({ Name = '', ParameterVersion, Labels = [] }, context) => {
        assertCount(Labels);
        const { version, invalid } = await labelParameter(deps, context, Name, ParameterVersion, Labels);
        return { InvalidLabels: invalid, ParameterVersion: version };
      },
    ),
    operation<UnlabelParameterVersionRequest, UnlabelParameterVersionResult>(
      'UnlabelParameterVersion',
      async ({ Name = '', ParameterVersion = 0, Labels = [] }, context) => {
        assertCount(Labels);
        const { removed, invalid } = await unlabelParameter(deps, context, Name, ParameterVersion, Labels);
        return { RemovedLabels: removed, InvalidLabels: invalid };
      },
    ),
  ];
}

function assertCount(labels: readonly string[]): void {
  if (labels.length >= 1 && labels.length <= limits.parameterLabels) return;
  throw constraint('labels', `[${labels.join(', ')}]`, `have length between 1 and ${limits.parameterLabels}`);
}
