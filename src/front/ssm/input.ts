/** Parts of Parameter Store's requests, checked in its words. */
import { RE2JS } from 're2js';
import { clip, constraintText } from '#domain/names.ts';
import { cutPage } from '#gateway/page.ts';
import { invalidParameter, parameterFault } from '#intent/index.ts';

export const constraint = (member: string, value: string, what: string) => invalidParameter(constraintText(value, member, what));

const LEVELS = 15;
const NAME_CHARS = 1011;

/** The name of a parameter that is to be written. */
export function readName(name: string | undefined): string {
  if (name === undefined || name === '') throw constraint('name', '', 'have length greater than or equal to 1');
  if (name.length > NAME_CHARS) throw constraint('name', name, `have length less than or equal to ${NAME_CHARS}`);
  if (/^\/?(?:aws|ssm)/i.test(name) || !/^[a-zA-Z0-9_.\-/]+$/.test(name)) {
    throw invalidParameter(
      'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_',
    );
  }
  if (name.includes('/') && !name.startsWith('/')) throw invalidParameter('Parameter name must be a fully qualified name.');
  const parts = name.split('/').slice(name.startsWith('/') ? 1 : 0);
  if (parts.includes('')) throw invalidParameter('Parameter name must not end with a slash, nor have two of them side by side.');
  if (parts.length > LEVELS) {
    const text = `A hierarchy can have a maximum of ${LEVELS} levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.`;
    throw parameterFault('HierarchyLevelLimitExceededException', text);
  }
  return name;
}

/** The pattern is a caller's: RE2 takes linear time whatever it is. Throws InvalidAllowedPatternException, ParameterPatternMismatchException. */
export function assertAllowed(pattern: string, value: string): void {
  if (pattern.length > 1024) throw constraint('allowedPattern', pattern, 'have length less than or equal to 1024');
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch {
    const text = `The allowed pattern is not a regular expression that berth takes (RE2's syntax): ${clip(pattern)}`;
    throw parameterFault('InvalidAllowedPatternException', text);
  }
  if (compiled.matcher(value).find()) return;
  throw parameterFault(
    'ParameterPatternMismatchException',
    `Parameter value, cannot be validated against allowedPattern: ${clip(pattern)}`,
  );
}

/** One page, and the token of the next. */
export function pageOf<T>(
  all: readonly T[],
  input: { MaxResults?: number | undefined; NextToken?: string | undefined },
  most: number,
  nameOf: (one: T) => string,
) {
  const { MaxResults: size = most, NextToken: token } = input;
  if (size < 1) throw constraint('maxResults', String(size), 'have value greater than or equal to 1');
  if (size > most) throw constraint('maxResults', String(size), `have value less than or equal to ${most}`);
  const { page, next } = cutPage(all, nameOf, { size, token }, () =>
    parameterFault('InvalidNextToken', 'The specified token is not valid.'),
  );
  return { page, next: next === undefined ? {} : { NextToken: next } };
}
