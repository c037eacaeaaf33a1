import { Fault } from '#base/fault.ts';

/** Refuses the first of these members that was given, by its name: nothing is accepted and then left out. `false` and '' are no wishes. */
export function refuseMembers<In extends object>(input: In, members: readonly (keyof In & string)[]): void {
  for (const member of members) {
    const given: unknown = input[member];
    if (given === undefined || given === false || given === '') continue;
    throw new Fault('Unsupported', `berth does not serve ${member}: leave it out.`);
  }
}
