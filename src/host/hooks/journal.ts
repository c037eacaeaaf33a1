/** The task is in the journal before anything of it runs. */
import { asFault, Fault } from '#base/fault.ts';
import type { Hook } from '../run.ts';

export function journalHook(): Hook {
  return {
    name: 'journal',
    async prepare(run) {
      try {
        await run.save();
      } catch (error) {
        throw new Fault('ResourceInitialization', `ResourceInitializationError: ${asFault(error).message}`, { cause: error });
      }
    },
  };
}
