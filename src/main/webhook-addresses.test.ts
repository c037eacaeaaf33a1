import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressOf, assertOpen, closedAddresses, openLookup, readRanges, webhookRules } from './webhook-addresses.ts';

const vpcs = ['172.31.0.0/16'];
const isClosed = closedAddresses({ allowed: [], frontDoorPort: 8080 });

describe('what API destinations may call', () => {
  it('is the outside and the LAN; not this machine, link-local addresses, metadata or a VPC', () => {
    const open = [
      '93.184.216.34',
      '192.168.1.20',
      '10.1.2.3',
      '172.16.0.9',
      '100.64.0.1',
      '2606:2800:220:1::1',
      'fd12:3456::1',
      '64:ff9b::5db8:d822',
    ];
    const shut = ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '169.254.169.254', '169.254.170.2', 'fe80::1', 'fd00:ec2::254', '168.63.129.16', '100.100.100.200', '224.0.0.1', '255.255.255.255', 'ff02::1', '172.31.4.5', '::ffff:127.0.0.1', '::ffff:169.254.169.254', '::ffff:172.31.4.5', '64:ff9b::a9fe:a9fe', '64:ff9b::7f00:1', '64:ff9b::172.31.4.5', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe', 'fd00:42::42']; // prettier-ignore
    for (const address of open) assert.equal(isClosed(address, 80, vpcs), null, address);
    for (const address of shut) assert.equal(typeof isClosed(address, 80, vpcs), 'string', address);
  });

  it('is what the setting opens, and the front door at its own port alone', () => {
    const opened = closedAddresses(webhookRules({ webhooksTo: readRanges('127.0.0.0/8, 172.31.0.0/24,fe80::/10'), endpointPort: 8080 }));
    for (const address of ['127.0.0.1', '172.31.0.9', 'fe80::1']) assert.equal(opened(address, 80, vpcs), null, address);
    for (const address of ['172.31.1.9', '::1', '169.254.169.254']) assert.equal(typeof opened(address, 80, vpcs), 'string', address);
    assert.equal(isClosed('127.0.0.1', 8080, vpcs), null);
    assert.equal(isClosed('::1', 8080, vpcs), null);
    assert.equal(typeof isClosed('169.254.169.254', 8080, vpcs), 'string');
    for (const text of ['', 'x', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/-1', 'fe80::/129', '10.0.0.0/8,']) {
      assert.throws(() => readRanges(text), /--webhooks-to '.*' is no list of address ranges/, text);
    }
  });

  it('is told by the address, however a URL writes it, and by what a name leads to', async () => {
    for (const host of ['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::ffff:7f00:1]', '[::1]', '[0:0:0:0:0:ffff:a9fe:a9fe]']) {
      const address = addressOf(new URL(`http://${host}/`).hostname);
      assert.ok(address !== undefined, host);
      assert.throws(() => assertOpen(address, 80, vpcs, isClosed), /berth up --webhooks-to/, host);
    }
    assert.equal(addressOf('example.com'), undefined);
    const find = (name: string, port: number, all: boolean) =>
      new Promise((resolve, reject) => {
        openLookup(port, vpcs, isClosed)(name, { all }, (error, address, family) => (error ? reject(error) : resolve([address, family])));
      });
    await assert.rejects(find('web.localhost', 80, true), { name: 'ClosedAddress' });
    await assert.rejects(find('localhost', 4566, false), { name: 'ClosedAddress' });
    assert.deepEqual(await find('web.localhost', 8080, true), [[{ address: '127.0.0.1', family: 4 }], undefined]);
    assert.deepEqual(await find('web.localhost', 8080, false), ['127.0.0.1', 4]);
  });
});
