import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';

/** What `runsc --version` says, without its Debian part. Throws Unavailable when it isn't there or says something else. */
export async function readRunscVersion(clock: Clock, runsc: string): Promise<string> {
  const { stdout } = await runChild(clock, runsc, ['--version'], { timeoutMs: 10_000 });
  const version = /^runsc version (\S+)$/m.exec(stdout)?.[1];
  if (version === undefined) throw new Fault('Unavailable', `${runsc} does not say its version`);
  return version;
}
