import { exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';

export const trust: Command = {
  name: 'trust',
  section: 'The platform',
  summary: 'let this machine trust berth’s certificates (needs root)',
  about:
    'Certificates of berth’s own authority are trusted by nobody at first. This puts the authority’s root into the machine’s store ' +
    '(/usr/local/share/ca-certificates, update-ca-certificates), which curl, Python, Go and most programs read. The root may sign for any ' +
    'name: whoever can read STATE/control/certificates (root and the user berth) could pose as any site to who trusts it. ' +
    '\n\nBrowsers have stores of their own. Chromium: certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n berth -i berth-ca.pem (Debian: libnss3-tools), ' +
    'after “berth trust --print > berth-ca.pem”. Firefox: Settings, Certificates, Import, the same file; or set security.enterprise_roots.enabled. ' +
    'Node: NODE_EXTRA_CA_CERTS=berth-ca.pem, or --use-system-ca. Java: keytool -importcert.',
  options: [
    { name: 'print', summary: 'print the root (PEM) and change nothing; needs no root rights' },
    { name: 'remove', summary: 'take it out of the store again; works while berth is down' },
    jsonOption,
  ],
  examples: [
    { command: 'sudo berth trust', note: 'then: curl https://NAME... without -k' },
    { command: 'berth trust --print > berth-ca.pem', note: 'for a browser, another machine or a container' },
  ],
  async run(args, context) {
    const { terminal } = context;
    if (args.has('remove')) {
      const { removed, path } = await (await context.platform()).distrust();
      if (args.has('json')) terminal.line(JSON.stringify({ removed, path }, null, 2));
      else
        terminal.line(
          removed ? `No longer trusted by this machine: ${path} is gone.` : 'This machine did not trust it: nothing to remove.',
        );
      return exitCodes.ok;
    }
    const print = args.has('print');
    const platform = print ? undefined : await context.platform();
    platform?.requireRoot('trust');
    const authority = await (await context.connect()).call('berth', 'DescribeCertificateAuthority', {});
    if (platform === undefined) {
      terminal.line(args.has('json') ? JSON.stringify(authority, null, 2) : String(authority.certificate).trim());
      return exitCodes.ok;
    }
    const { path, already } = await platform.trust(authority.certificate);
    if (args.has('json'))
      terminal.line(JSON.stringify({ path, already, name: authority.name, fingerprint: authority.fingerprint }, null, 2));
    else {
      terminal.line(`This machine trusts “${authority.name}”${already ? ' already' : ''}: ${path}`);
      terminal.line(`SHA-256 ${authority.fingerprint}, until ${new Date(authority.notAfter).toISOString().slice(0, 10)}`);
      terminal.line(
        terminal.style(
          'dim',
          `Browsers have stores of their own: ${context.self} trust --help. To undo: sudo ${context.self} trust --remove`,
        ),
      );
    }
    return exitCodes.ok;
  },
};
