/** Parameters as the API tells them. */
import type { Parameter, ParameterHistory, ParameterMetadata } from '@aws-sdk/client-ssm';
import { labelsOf, parameterArn } from '#domain/parameter.ts';
import type { ParameterContent, ParameterRecord, ParameterVersionRecord } from '#domain/parameter.ts';
import { openVersion, type OpenedParameter, type SecretDeps } from '#intent/index.ts';

const KEY = 'alias/aws/ssm';

/** A SecureString is shown as it is kept, unless the caller asks for it to be decrypted. */
const shown = (version: ParameterVersionRecord, value: string, decrypt: boolean) =>
  version.type === 'SecureString' && !decrypt ? version.value : value;

export function parameterView({ parameter, version, selector, value }: OpenedParameter, decrypt: boolean): Parameter {
  return {
    Name: parameter.key.name,
    Type: version.type,
    Value: shown(version, value, decrypt),
    Version: version.key.version,
    ...(selector === null ? {} : { Selector: `:${selector}` }),
    LastModifiedDate: new Date(version.modifiedAt),
    ARN: parameterArn(parameter.key, parameter.key.name),
    DataType: version.dataType,
  };
}

export function historyView(
  { vault }: SecretDeps,
  parameter: ParameterRecord,
  version: ParameterVersionRecord,
  decrypt: boolean,
): ParameterHistory {
  return {
    ...contentView(version),
    Name: parameter.key.name,
    Version: version.key.version,
    Value: shown(version, openVersion(vault, version), decrypt),
    Labels: labelsOf(parameter, version.key.version),
    Policies: [],
  };
}

export function metadataView(parameter: ParameterRecord): ParameterMetadata {
  const { key, version } = parameter;
  return { ...contentView(parameter), Name: key.name, ARN: parameterArn(key, key.name), Version: version, Policies: [] };
}

function contentView({ type, tier, description, allowedPattern, dataType, modifiedAt, modifiedBy }: ParameterContent) {
  return {
    Type: type,
    ...(type === 'SecureString' ? { KeyId: KEY } : {}),
    Tier: tier,
    ...(description === null ? {} : { Description: description }),
    ...(allowedPattern === null ? {} : { AllowedPattern: allowedPattern }),
    DataType: dataType,
    LastModifiedDate: new Date(modifiedAt),
    LastModifiedUser: modifiedBy,
  };
}
