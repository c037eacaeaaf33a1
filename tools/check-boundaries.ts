/**
 * Holds the code to the house's rules that no ordinary linter knows: which module may import which (tools/boundaries.json), no import
 * cycle between modules, sizes of files and functions, and time, randomness, environment and arguments only where they are let in.
 * Prints one line a breach and exits 1 when there is any.
 */
import { readFileSync, globSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 80;
const allowed = JSON.parse(readFileSync('tools/boundaries.json', 'utf8')) as Record<string, string[]>;
const breaches: string[] = [];

const moduleOf = (file: string) => file.split('/')[1] ?? '';
const importPattern = /(?:from|import)\s*\(?\s*'(#[^']+|\.[^']+)'/g;

function checkImports(file: string, text: string): void {
  const from = moduleOf(file);
  const may = allowed[from];
  if (may === undefined) {
    breaches.push(`${file}: module '${from}' is not in tools/boundaries.json`);
    return;
  }
  // A test may put a module together with the others it meets.
  if (file.endsWith('.test.ts') || may.includes('*')) return;
  for (const [, target = ''] of text.matchAll(importPattern)) {
    const path = target.startsWith('#') ? `src/${target.slice(1)}` : normalize(join(dirname(file), target));
    const to = moduleOf(path);
    if (to !== from && !may.includes(to)) breaches.push(`${file}: '${from}' may not import '${to}' (${target})`);
  }
}

function checkBans(file: string, text: string): void {
  const from = moduleOf(file);
  if (from === 'base' || from === 'main' || file.endsWith('.test.ts')) return;
  const bans: [RegExp, string][] = [
    [/\bDate\.now\(|\bnew Date\(\)/, 'takes the time from the machine: take a Clock'],
    [/\bMath\.random\(|\brandomBytes\(|\brandomUUID\(/, 'takes randomness from the machine: take a Random'],
    [/(?<![.\w])set(?:Timeout|Interval)\(/, 'sets a timer of its own: take a Clock'],
    [/\bprocess\.(?:env|argv)\b/, 'reads environment or arguments: only main does'],
  ];
  text.split('\n').forEach((line, index) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) return;
    for (const [pattern, why] of bans) if (pattern.test(line)) breaches.push(`${file}:${index + 1}: ${why}`);
  });
}

/** Function bodies by indentation of the formatter: from a line that opens one to the line that closes it at the same depth. */
function checkSizes(file: string, text: string): void {
  const lines = text.split('\n');
  if (lines.length - 1 > FILE_LINES_MAX) breaches.push(`${file}: ${lines.length - 1} lines, more than ${FILE_LINES_MAX}`);
  const opens =
    /^(\s*)(?:export\s+)?(?:default\s+)?(?:(?:async\s+)?function\b|(?:const|let)\s+\w+(?::[^=]+)?\s*=\s*(?:async\s*)?\([^)]*\)[^=]*=>\s*\{$|(?:static\s+|async\s+|get\s+|set\s+|#)*\w+\([^)]*\)[^;{]*\{$)/;
  lines.forEach((line, start) => {
    const indent = opens.exec(line)?.[1];
    if (indent === undefined || /^\s*(?:if|for|while|switch|catch|describe|it|test)\b/.test(line)) return;
    const end = lines.findIndex((l, i) => i > start && l.startsWith(`${indent}}`));
    // A factory that only holds smaller functions (createX) is read as a table of contents: its inner functions are measured instead.
    const inner = lines.slice(start + 1, end).some((l) => l.startsWith(`${indent}  `) && opens.test(l));
    if (end > 0 && end - start + 1 > FUNCTION_LINES_MAX && !inner) {
      breaches.push(`${file}:${start + 1}: a function of ${end - start + 1} lines, more than ${FUNCTION_LINES_MAX}`);
    }
  });
}

function checkCycles(): void {
  const visit = (module: string, trail: string[]): void => {
    if (trail.includes(module)) {
      breaches.push(`tools/boundaries.json: cycle ${[...trail.slice(trail.indexOf(module)), module].join(' -> ')}`);
      return;
    }
    for (const next of allowed[module] ?? []) if (next !== '*') visit(next, [...trail, module]);
  };
  for (const module of Object.keys(allowed)) visit(module, []);
}

checkCycles();
for (const file of globSync('src/**/*.ts').sort()) {
  const text = readFileSync(file, 'utf8');
  checkImports(file, text);
  checkBans(file, text);
  checkSizes(file, text);
}
for (const file of [...globSync('supervisor/src/**/*.rs'), ...globSync('{test,bench,tools}/**/*.ts')].sort()) {
  const count = readFileSync(file, 'utf8').split('\n').length - 1;
  if (count > FILE_LINES_MAX) breaches.push(`${file}: ${count} lines, more than ${FILE_LINES_MAX}`);
}
for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exit(1);
