import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { seededRandom } from '#base/random.ts';
import { createSqliteStore } from '#store/index.ts';
import { defaultVpcId, ensureRegion } from './region.ts';
import { replaceAssociation, createRouteTable, deleteRouteTable } from './ec2-route-tables.ts';

const scope = { account: '123456789012', region: 'us-east-1' };

test('the default VPC of a berth of before gets the rows of its parts, once', async (t) => {
  const store = await createSqliteStore({ path: ':memory:' });
  t.after(() => store.close());
  const deps = { store, clock: realClock(), random: seededRandom(3) };
  const vpcId = defaultVpcId(scope);
  await store.write(async (tx) => {
    await tx.vpcs.put({ key: { ...scope, id: vpcId }, cidr: '10.0.0.0/16', isDefault: true, tags: [] }, 0);
    const group = { vpcId, name: 'default', description: 'default VPC security group', isDefault: true, tags: [] };
    await tx.securityGroups.put({ key: { ...scope, id: 'sg-1' }, ...group }, 0);
  });
  const parts = () =>
    store.read(async (tx) => ({
      tables: await tx.routeTables.list(scope),
      gateways: await tx.internetGateways.list(scope),
      rules: await tx.securityGroupRules.list(scope),
      vpcs: await tx.vpcs.list(scope),
    }));
  await ensureRegion(deps, scope);
  const first = await parts();
  assert.equal(first.vpcs[0]?.cidr, '10.0.0.0/16');
  assert.deepEqual(first.tables[0]?.routes, [{ destination: '0.0.0.0/0', gatewayId: first.gateways[0]?.key.id }]);
  assert.deepEqual(first.rules.map((rule) => [rule.key.group, rule.egress]).toSorted(), [['sg-1', false], ['sg-1', true]]); // prettier-ignore

  // What the user takes away afterwards stays away, also when the main table is another one and the first is gone.
  await store.write(async (tx) => {
    for (const rule of first.rules) await tx.securityGroupRules.delete(rule.key);
  });
  const other = await createRouteTable(deps, scope, { vpcId, token: undefined, tags: [] });
  await replaceAssociation(deps, scope, first.tables[0]?.associations[0]?.id ?? '', other.key.id);
  await deleteRouteTable(deps, scope, first.tables[0]?.key.id ?? '');
  await ensureRegion(deps, scope);
  const second = await parts();
  assert.deepEqual(second.rules, []);
  assert.deepEqual(second.tables.map((table) => table.key.id), [other.key.id]); // prettier-ignore
});
