/** What a definition says of a container's process: rights, limits, user, place. Each member acts in every kind that really runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rig } from './sandbox.ts';

const NET_ADMIN = 12n;
const NET_RAW = 13n;
const MIB = 1024 * 1024;

export function rightsHold(rig: Rig): void {
  test('capabilities, open files, an init process, a read-only root, tmpfs, user and working directory are as asked for', async () => {
    const tells = [
      'echo caps $(grep CapEff /proc/self/status | cut -f2)',
      'echo files $(ulimit -Sn) $(ulimit -Hn)',
      '[ "$$" -gt 1 ] && echo init',
      '(echo x > /root-file) 2>/dev/null || echo read-only',
      'echo x > /scratch/file && echo tmpfs $(grep " /scratch " /proc/mounts | cut -d" " -f3)',
    ];
    const root = rig.script(tells.join('; '), {
      capabilities: { add: ['NET_ADMIN'], drop: ['NET_RAW'] },
      ulimits: [{ name: 'nofile', soft: 512, hard: 1024 }],
      initProcess: true,
      readOnlyRoot: true,
      tmpfs: [{ path: '/scratch', sizeBytes: MIB, options: ['rw', 'noexec'] }],
    });
    const user = rig.script('echo $(id -u) $(id -g) $(pwd)', {
      name: 'user',
      essential: false,
      user: '1000:100',
      workingDirectory: '/made/for/it',
    });
    const app = { ...root, dependsOn: [{ container: 'user', condition: 'SUCCESS' as const }] };
    const { w } = await rig.toEnd([app, user]);
    assert.equal(w.text('user'), '1000 100 /made/for/it\n');
    const [caps = '', ...others] = w.text('app').trim().split('\n');
    assert.deepEqual(others, ['files 512 1024', 'init', 'read-only', 'tmpfs tmpfs']);
    const bits = BigInt(`0x${caps.replace('caps ', '')}`);
    assert.deepEqual([(bits >> NET_ADMIN) & 1n, (bits >> NET_RAW) & 1n], [1n, 0n]);
  });
}
