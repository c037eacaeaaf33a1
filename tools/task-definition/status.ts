/**
 * Where each member of RegisterTaskDefinition and RunTask stands. Kept by hand in `register-members.ts` and `run-members.ts`; held against
 * the SDK's shapes by `table.ts`, and against what berth does by `members.test.ts`.
 */
import type { ContainerDefinition, RegisterTaskDefinitionRequest, RunTaskRequest } from '@aws-sdk/client-ecs';

export type Entry = {
  /** The structure that the leaves are members of; '' for the request itself. `a[]`: items of a list, `a{}`: values of a map. */
  at: string;
  leaves: string[];
  /** `refused`: as AWS refuses it on Fargate. `not yet`: berth refuses it by name, unless it is `kept`. */
  is: 'works' | 'refused' | 'not yet';
  /** Of a `not yet`: it is kept and read back, and nothing acts on it. Says why that harms nobody. */
  kept?: string;
  /** What a reader of the table should know. */
  note?: string;
  /** `FILE: NAME` of each test that shows it; of what is refused, `members.test.ts` is one already. */
  tests: string[];
  /** Laid over the test's definition, its first container, or its call; has every leaf, with a value that is not the default. */
  definition?: Partial<RegisterTaskDefinitionRequest>;
  container?: ContainerDefinition;
  call?: Partial<RunTaskRequest>;
  /** Of what is refused: what the refusal says. */
  says?: string;
  /** Leaves that the host is told nothing of: what they do is elsewhere, as the note says. */
  elsewhere?: string[];
};

export type Operation = 'RegisterTaskDefinition' | 'RunTask';
