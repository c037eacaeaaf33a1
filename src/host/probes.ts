/** Which kinds of sandbox a host has: every driver is tried once, and none may keep the host from its tasks. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { isolationInfo } from '#domain/isolation.ts';
import type { HostInfo } from '#domain/records.ts';
import type { IsolationKind, IsolationWish } from '#domain/task-spec.ts';
import type { SandboxDriver, SandboxProbe } from '#sandbox/driver.ts';

/** `auto`: what this host takes that wish for. */
export function probeAll(drivers: readonly SandboxDriver[], clock: Clock, auto: IsolationWish): Promise<HostInfo['isolation']> {
  return Promise.all(drivers.map(async (driver) => isolationInfo(isolationOf(driver), await probe(driver, clock), auto)));
}

/** `fake` pretends to be a container. */
export function isolationOf(driver: SandboxDriver): IsolationKind {
  return driver.kind === 'fake' ? 'container' : driver.kind;
}

/** A probe that throws, or that never ends (a guest that doesn't boot), is a kind that doesn't work. */
function probe(driver: SandboxDriver, clock: Clock): Promise<SandboxProbe> {
  return new Promise((resolve) => {
    const seconds = limits.sandboxProbeMs / 1000;
    const timer = clock.after(limits.sandboxProbeMs, () => resolve({ works: false, reason: `trying it took longer than ${seconds} s` }));
    void driver
      .probe()
      .catch((error: unknown) => ({ works: false, reason: asFault(error).message }))
      .then((said) => {
        timer.cancel();
        resolve(said);
      });
  });
}
