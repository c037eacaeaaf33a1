/** Brings what the tests need of Debian beside what `berth setup` installs, so that on a new machine none of them fails for it, and no two make it at once. */
import { busyboxArchive, nginxArchive } from '../test/e2e/images.ts';
import { installPackages } from '../test/e2e/packages.ts';

installPackages({
  '/bin/busybox': 'busybox-static',
  '/usr/bin/docker-registry': 'docker-registry',
  '/usr/bin/skopeo': 'skopeo',
  '/usr/bin/xz': 'xz-utils',
  '/usr/bin/zstd': 'zstd',
  '/sbin/ip': 'iproute2',
  '/usr/bin/aws': 'awscli',
  '/usr/lib/python3/dist-packages/boto3/__init__.py': 'python3-boto3',
});

await busyboxArchive();
await nginxArchive();
