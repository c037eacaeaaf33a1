/** AWS policies: their grammar, and what they say about a call. Pure; knows no users and no database. */
export { compilePolicy, joinPolicies } from './compile.ts';
export { deniedText } from './denied.ts';
export { parsePolicy, type PolicyDocument, type PolicyUse } from './document.ts';
export { asksAbout, decide, decideOnResource } from './evaluate.ts';
export type { Asker, CompiledPolicy, Decision, Facts, PolicyKind, PolicyRequest, PolicySet } from './types.ts';
export { awsManagedPolicies, awsManagedPolicy, type AwsManagedPolicy } from './aws-managed.ts';
