/**
 * The stock AWS CLI, loaded once for all the commands of a test file: a Python process imports `awscli`, which takes twice the processor time of a whole
 * command of ours, and forks for each command. What a fork does is what /usr/bin/aws does: the same code, the command's own words, environment and directory.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const AWS = '/usr/bin/aws';

/** One line of JSON for each command, and one back when it has ended. */
const SERVER = `
import gc, json, os, select, signal, sys
import awscli.clidriver
# Loads what the customizations of all commands are; the driver itself is not used again.
awscli.clidriver.create_clidriver()
gc.freeze()
wake, waker = os.pipe()
for end in (wake, waker):
    os.set_blocking(end, False)
signal.set_wakeup_fd(waker)
signal.signal(signal.SIGCHLD, lambda *_: None)
running, rest = {}, b''
# Set by awscli as it is loaded.
data = os.environ['AWS_DATA_PATH']

def say(**words):
    os.write(1, (json.dumps(words) + '\\n').encode())

def become(job):
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(job['cwd'])
    os.environ.clear()
    os.environ.update({'AWS_DATA_PATH': data, **job['env']})
    for fd, path in ((0, os.devnull), (1, job['out']), (2, job['err'])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), fd)
    sys.argv = ['${AWS}', *job['args']]
    sys.exit(awscli.clidriver.main())

say(ready=True)
while True:
    readable, _, _ = select.select([0, wake], [], [])
    if wake in readable:
        os.read(wake, 4096)
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            break
        say(id=running.pop(pid), code=os.waitstatus_to_exitcode(status))
    if 0 not in readable:
        continue
    chunk = os.read(0, 65536)
    if not chunk:
        sys.exit()
    *lines, rest = (rest + chunk).split(b'\\n')
    for line in lines:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(job)
        running[pid] = job['id']
        say(id=job['id'], pid=pid)
`;

export type AwsCommand = { args: string[]; env: Record<string, string | undefined>; cwd: string; timeoutMs: number };
export type AwsRan = { code: number; stdout: string; stderr: string };
type Told = { ready?: true; id?: number; pid?: number; code?: number };
type Server = { child: ChildProcess; dir: string; heard: Map<number, (told: Told) => void> };

let server: Promise<Server | null> | undefined;
let commands = 0;

/** null where the AWS CLI is another than Debian's, which can't be loaded so. Never throws. */
export async function forkAws(command: AwsCommand): Promise<AwsRan | null> {
  const found = await (server ??= start());
  if (found === null) return null;
  const id = commands++;
  const [out, err] = [join(found.dir, `${id}.out`), join(found.dir, `${id}.err`)];
  const code = await new Promise<number>((resolve) => {
    let pid: number | undefined;
    const timer = setTimeout(() => pid !== undefined && process.kill(pid, 'SIGKILL'), command.timeoutMs);
    found.heard.set(id, (told) => {
      pid ??= told.pid;
      if (told.code === undefined) return;
      clearTimeout(timer);
      found.heard.delete(id);
      hold(found);
      resolve(told.code < 0 ? -1 : told.code);
    });
    hold(found);
    const { args, env, cwd } = command;
    found.child.stdin?.write(`${JSON.stringify({ id, args, env, cwd, out, err })}\n`);
  });
  const [stdout = '', stderr = ''] = [out, err].map((path) => readFileSync(path, 'utf8'));
  for (const path of [out, err]) rmSync(path);
  return { code, stdout, stderr };
}

/** It keeps this process while commands run, and ends with it. */
function hold({ child, heard }: Server): void {
  const streams = [child, child.stdin, child.stdout] as { ref(): void; unref(): void }[];
  for (const one of streams)
    if (heard.size > 0) one.ref();
    else one.unref();
}

function start(): Promise<Server | null> {
  const child = spawn('/usr/bin/python3', ['-c', SERVER], { stdio: ['pipe', 'pipe', 'ignore'] });
  const dir = mkdtempSync(join(tmpdir(), 'berth-aws-'));
  const made: Server = { child, dir, heard: new Map() };
  process.once('exit', () => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });
  return new Promise((resolve) => {
    // There is no Python, or no awscli in it.
    child.once('error', () => resolve(null));
    child.once('exit', () => {
      resolve(null);
      for (const hear of made.heard.values()) hear({ code: -1 });
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Told;
      if (told.ready) resolve(made);
      else made.heard.get(told.id ?? -1)?.(told);
    });
  });
}
