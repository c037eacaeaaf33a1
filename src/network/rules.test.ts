import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderHostRules, renderOnlyFrom, renderRouterRules } from './rules.ts';
import type { RulesSpec } from './rules.ts';

const spec: RulesSpec = {
  table: 'berth_ab12cd_0',
  cidr: '10.64.0.0/16',
  hostIf: 'brab12cd0',
  hostIp: '169.254.64.1',
  routerIp: '169.254.64.2',
  ports: { dns: 4053, metadata: 4080, api: 4566 },
  addresses: [],
};
const withAddresses = { ...spec, addresses: [{ ip: '10.64.0.9', ports: [80, 443] }] };

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');

test('the router rules are those of the golden file', () => {
  assert.equal(renderRouterRules(spec), golden('router.nft'));
});

test('the rules of a port that one address alone may reach are those of the golden file', () => {
  const door = { routerIf: 't0123456789ab', port: 24_224 };
  assert.equal(renderOnlyFrom({ ...door, from: '169.254.64.1' }), golden('door.nft'));
  assert.ok(golden('door.nft').startsWith(renderOnlyFrom({ ...door, from: null })));
});

test('the host rules are those of the golden file', () => {
  assert.equal(renderHostRules(spec), golden('host.nft'));
  assert.equal(renderHostRules(withAddresses), golden('host-addresses.nft'));
});

test('services without a port get no rule', () => {
  const none = { ...spec, ports: { dns: null, metadata: null, api: null } };
  assert.doesNotMatch(renderRouterRules(none), /dnat to/);
  assert.doesNotMatch(renderHostRules(none), /dport/);
});

test('nft accepts the rules, twice over', () => {
  for (const rules of [
    renderRouterRules(spec),
    renderHostRules(spec),
    renderHostRules(withAddresses),
    renderOnlyFrom({ routerIf: 't0123456789ab', port: 24_224, from: '169.254.64.1' }),
    renderHostRules({ ...spec, addresses: [{ ip: '10.64.0.9', ports: [] }] }),
    renderRouterRules({ ...spec, ports: { dns: null, metadata: null, api: null } }),
  ]) {
    execFileSync('unshare', ['--net', 'nft', '-f', '-'], { input: rules + rules, timeout: 10_000 });
  }
});
