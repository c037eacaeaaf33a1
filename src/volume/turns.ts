/** One after the other, of each name: two tasks don't make one thing at the same time. */
export type Turns = <T>(name: string, act: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return (name, act) => {
    const done = (last.get(name) ?? Promise.resolve()).then(act, act);
    const settled = done.then(
      () => {},
      () => {},
    );
    last.set(name, settled);
    void settled.then(() => {
      if (last.get(name) === settled) last.delete(name);
    });
    return done;
  };
}
