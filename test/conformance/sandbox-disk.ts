/** What a task writes to: the part of the conformance suite about its disk and its volumes, for the kinds that really run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rig } from './sandbox.ts';

const MIB = 1024 * 1024;
/** Little, since emulated machines write slowly. */
const DISK_MIB = 24;

export function disksHold(rig: Rig): void {
  test('layers and volumes together have the size that was asked for; what is past it fails inside, and is told', async () => {
    const { plan } = rig.sandbox();
    const fill = (path: string, mib: number) => `dd if=/dev/zero of=${path} bs=1M count=${mib} 2>&1`;
    const script = [
      `${fill('/layer', 14)} | grep -q 14 && echo layer`,
      `${fill('/data/volume', 14)} | grep -o "No space left on device"`,
      `[ $(wc -c </data/volume) -gt $((6 * ${MIB})) ] && echo some`,
      'echo x > /data/more 2>/dev/null || echo full',
      'while :; do sleep 0.05; done',
    ].join('\n');
    const volumes = [{ name: 'data', kind: 'scratch' as const }];
    const mounts = [{ volume: 'data', path: '/data', readOnly: false }];
    const ran = await rig.run(await plan([rig.script(script, { mounts })], { ephemeralBytes: DISK_MIB * MIB, volumes }));
    await ran.w.until('all is written', () => ran.w.text('app').includes('some'));
    assert.match(ran.w.text('app'), /^layer\nNo space left on device\nsome\n/);
    const { disk } = await ran.sandbox.stats();
    assert.equal(disk?.sizeBytes, DISK_MIB * MIB);
    assert.ok(disk.usedBytes > 20 * MIB && disk.usedBytes <= DISK_MIB * MIB, `${disk.usedBytes} bytes used`);
    await rig.finish(ran);
  });

  test('an image’s VOLUME: a volume that is mounted there gets what the image has, once; without one it is a volume without a name', async () => {
    const look = `stat -c '%a %u:%g' /declared /declared/below/file; cat /declared/link`;
    const mounts = (path: string) => [{ volume: 'data', path, readOnly: false }];
    const first = rig.script(`${look}; rm /declared/link; echo done > /declared/mark`, {
      name: 'first',
      essential: false,
      mounts: mounts('/declared'),
    });
    const second = rig.script(`ls /declared /elsewhere; stat -c '%a %u' /plain`, {
      name: 'second',
      essential: false,
      mounts: [...mounts('/declared'), ...mounts('/elsewhere'), { volume: 'plain', path: '/plain', readOnly: false }],
      dependsOn: [{ container: 'first', condition: 'SUCCESS' }],
    });
    const without = rig.script(`${look}; echo x > /declared/new && echo written; touch /new 2>&1 | grep -o "Read-only"`, {
      readOnlyRoot: true,
    });
    const { w } = await rig.toEnd([first, second, { ...without, dependsOn: [{ container: 'second', condition: 'SUCCESS' }] }], {
      volumes: [
        { name: 'data', kind: 'scratch' },
        { name: 'plain', kind: 'scratch' },
      ],
    });
    const ofImage = '750 1001:1002\n640 1001:1002\nof the image\n';
    assert.equal(w.text('first'), ofImage);
    assert.equal(w.text('second'), '/declared:\nbelow\nmark\n\n/elsewhere:\nbelow\nmark\n755 0\n');
    assert.equal(w.text('app'), `${ofImage}written\nRead-only\n`);
  });
}
