/** The system user berth, out of /etc/passwd: it is made by useradd, so it stands there. */
import { readFileSync } from 'node:fs';
import { Fault } from '#base/fault.ts';
import { USER } from '../paths.ts';

export function userIds(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${USER}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Fault('Unavailable', `there is no system user ${USER}: run berth setup as root`);
  return { uid: Number(uid), gid: Number(gid) };
}
