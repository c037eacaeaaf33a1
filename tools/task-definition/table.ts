/**
 * `node tools/task-definition/table.ts [--check]`: writes docs/task-definition.md, or says whether it is in step. Fails when a member of the
 * SDK has no status, a status no member, or a named test does not exist.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { entries, inputShape, leavesOf, operations, pathsOf } from './members.ts';
import type { Entry, Operation } from './status.ts';

const OUT = 'docs/task-definition.md';
const problems: string[] = [];

const HEAD = [
  '# Every member of a task definition, and of RunTask',
  '',
  "Made by `node tools/task-definition/table.ts` from the SDK's schemas and the statuses in `tools/task-definition/`; `npm run check` fails",
  'when a member has no status, or a test that is named here is not there. What it says of each is tried by',
  '`tools/task-definition/members.test.ts`: what works is taken, read back whole, and what the host is told differs without it; what is refused',
  'is refused by name.',
  '',
  '- **works**: does what AWS says it does.',
  "- **refused**: Fargate refuses it, and so does berth, in AWS's words.",
  '- **not yet**: berth refuses it by name when the definition is registered or run. *Kept*, where it says so: it is read back, and nothing',
  '  acts on it.',
  '',
].join('\n');

function statusesOf(operation: Operation): Map<string, Entry> {
  const found = new Map<string, Entry>();
  for (const entry of entries[operation]) {
    for (const path of pathsOf(entry)) {
      if (found.has(path)) problems.push(`${operation}: ${path} has two statuses`);
      found.set(path, entry);
    }
    for (const test of entry.tests) assertTest(test);
    if (entry.is === 'works' && entry.tests.length === 0) problems.push(`${operation}: ${entry.at} works, and names no test`);
  }
  return found;
}

const sources = new Map<string, string>();

/** `FILE: NAME`; the name stands in the file as a literal. */
function assertTest(test: string): void {
  const cut = test.indexOf(': ');
  const [file, name] = [test.slice(0, cut), test.slice(cut + 2)];
  if (!sources.has(file)) sources.set(file, existsSync(file) ? readFileSync(file, 'utf8') : '');
  const text = sources.get(file) ?? '';
  const field = /^Fargate compatible task definitions do not support (\w+)$/.exec(name)?.[1];
  const literals = [`'${name}'`, `"${name}"`, `\`${name}\``, ...(field === undefined ? [] : [`notFargate('${field}')`])];
  if (!literals.some((literal) => text.includes(literal))) problems.push(`${file} has no test '${name}'`);
}

function tableOf(operation: Operation): string {
  const statuses = statusesOf(operation);
  const leaves = leavesOf(inputShape(operation));
  for (const path of statuses.keys()) if (!leaves.includes(path)) problems.push(`${operation} has no member ${path}`);
  const rows = leaves.map((path) => {
    const entry = statuses.get(path);
    if (entry === undefined) problems.push(`${operation}: ${path} has no status (tools/task-definition/)`);
    return entry === undefined ? '' : `| \`${path}\` | ${statusText(entry)} | ${testsText(entry)} |`;
  });
  const count = (is: Entry['is']) => leaves.filter((path) => statuses.get(path)?.is === is).length;
  const summary = `${leaves.length} members: ${count('works')} work, ${count('refused')} are refused as AWS refuses them, ${count('not yet')} are not yet.`;
  return [`## ${operation}`, '', summary, '', '| member | status | shown by |', '|---|---|---|', ...rows, ''].join('\n');
}

function statusText(entry: Entry): string {
  const said = [entry.kept === undefined ? '' : `*kept*: ${entry.kept}`, entry.note ?? ''].filter((text) => text !== '');
  return [`**${entry.is}**`, ...said].join('; ').replaceAll('|', '\\|');
}

function testsText(entry: Entry): string {
  const own = entry.tests.length === 0 ? ['tools/task-definition/members.test.ts'] : entry.tests;
  return own
    .map((test) => test.replace(/^(\S+?)(: |$)/, '`$1`$2'))
    .join('<br>')
    .replaceAll('|', '\\|');
}

const text = [HEAD, ...operations.map(tableOf)].join('\n');
const checks = process.argv.includes('--check');
if (checks && (!existsSync(OUT) || readFileSync(OUT, 'utf8') !== text)) {
  problems.push(`${OUT} is not in step: run node tools/task-definition/table.ts`);
}
if (!checks) writeFileSync(OUT, text);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
