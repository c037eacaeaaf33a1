/** A host's networks: one router namespace and uplink per VPC, made when its first task needs it. */
import { join } from 'node:path';
import { Fault, asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { containsIp, overlaps, parseCidr, parseIp } from '#domain/cidr.ts';
import type { RangeClaims } from './claims.ts';
import { macOf } from './mac.ts';
import { renderHostRules, renderRouterRules, serviceAddresses } from './rules.ts';
import { openUplinks } from './uplinks.ts';
import type { Uplink } from './uplinks.ts';
import type { Network, NetworkWorker, OwnAddress, ServicePorts, TaskAddress, TaskInterface, VpcHandle, VpcRequest } from './types.ts';

/** Second byte of a gateway's MAC ("g"): 02:67 and the four bytes of its address, the same in every router. */
const GATEWAY_MAC_BYTE = 0x67;

export type NetworkDeps = {
  worker: NetworkWorker;
  log: Log;
  /** IPv4 ranges that the machine uses now, this instance's uplinks left out (machine.ts). */
  occupied(): string[];
  /** Absent where no other berth can be on the machine, and where nothing is made. */
  claims?: RangeClaims;
};

export type NetworkOptions = {
  /** Six hex digits. */
  instance: string;
  /** The instance's directory in /run: `ns/VPCID` are the routers' namespaces. */
  runDir: string;
  ports: ServicePorts;
  mtu: number;
};

export function createNetwork(deps: NetworkDeps, options: NetworkOptions): Network {
  const nsDir = join(options.runDir, 'ns');
  const uplinks = openUplinks(nsDir, options.instance, deps.occupied);
  const standing = new Map<string, Promise<VpcHandle>>();
  const handleOf = (uplink: Uplink): VpcHandle => ({
    vpcId: uplink.vpcId,
    cidr: uplink.cidr,
    routerNetns: join(nsDir, uplink.vpcId),
    hostIf: uplinkName(options.instance, uplink.n),
    hostIp: uplink.hostIp,
    routerIp: uplink.routerIp,
  });
  const takeDown = async (uplink: Uplink): Promise<void> => {
    const { vpcId } = uplink;
    const { routerNetns, hostIf } = handleOf(uplink);
    await standing.get(vpcId)?.catch((error: unknown) => deps.log.debug('vpc.down', { vpcId, former: asFault(error).message }));
    standing.delete(vpcId);
    await deps.worker.vpcDown({ routerNetns, hostIf });
    uplinks.drop(vpcId);
    deps.log.info('vpc.down', { vpcId });
  };
  const bringUp = async (vpcId: string, cidr: string): Promise<VpcHandle> => {
    // VPCs never overlap: one that does was deleted, which wants that no task is in it, and only its router still stands.
    const range = parseCidr(cidr);
    const deleted = uplinks.all().filter((uplink) => uplink.vpcId !== vpcId && overlaps(parseCidr(uplink.cidr), range));
    for (const uplink of deleted) await takeDown(uplink);
    await deps.claims?.claim(cidr);
    const uplink = uplinks.take(vpcId, cidr);
    const handle = handleOf(uplink);
    await deps.worker.vpcUp(vpcRequest(handle, uplink, options));
    deps.log.info('vpc.up', { vpcId, cidr, hostIf: handle.hostIf, hostIp: handle.hostIp });
    return handle;
  };
  const ensureVpc = async (vpcId: string, cidr: string): Promise<VpcHandle> => {
    checkVpcId(vpcId);
    const known = standing.get(vpcId);
    if (known !== undefined) return assertRange(await known, cidr);
    const made = bringUp(vpcId, cidr);
    standing.set(vpcId, made);
    made.catch(() => standing.delete(vpcId));
    return made;
  };
  const setAddresses = async (vpcId: string, cidr: string, addresses: OwnAddress[]): Promise<void> => {
    checkVpcId(vpcId);
    uplinks.take(vpcId, cidr);
    // A router is brought up with its addresses: a change of them is done by doing it again.
    if (uplinks.setAddresses(vpcId, addresses)) standing.delete(vpcId);
    await ensureVpc(vpcId, cidr);
  };
  return {
    ensureVpc,
    async setAddresses(vpcs) {
      const listed = new Map(vpcs.map((vpc) => [vpc.vpcId, vpc]));
      // One whose range another VPC has now was deleted, and makes way for that one.
      const deleted = (uplink: Uplink) => vpcs.some((vpc) => overlaps(parseCidr(vpc.cidr), parseCidr(uplink.cidr)));
      const emptied = uplinks
        .all()
        .filter((uplink) => !listed.has(uplink.vpcId) && (uplink.addresses ?? []).length > 0 && !deleted(uplink));
      const all = [
        ...vpcs.filter((vpc) => vpc.addresses.length > 0 || standing.has(vpc.vpcId)),
        ...emptied.map((uplink) => ({ ...uplink, addresses: [] })),
      ];
      const results = await Promise.allSettled(all.map((vpc) => setAddresses(vpc.vpcId, vpc.cidr, vpc.addresses)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw asFault(failed.reason);
    },
    async taskNetwork(taskId, address) {
      return taskInterface(taskId, address, await ensureVpc(address.vpcId, address.vpcCidr), options.mtu);
    },
    async routerRules(vpcId, rules) {
      checkVpcId(vpcId);
      await deps.worker.routerRules({ routerNetns: join(nsDir, vpcId), rules });
    },
    claimRange: async (cidr) => await deps.claims?.claim(cidr),
    async keepRanges(cidrs) {
      // The router of a VPC that was deleted may still stand.
      const refused = (await deps.claims?.keep([...new Set([...cidrs, ...uplinks.all().map((uplink) => uplink.cidr)])])) ?? [];
      for (const cidr of refused) deps.log.warn('vpc.range-taken', { cidr });
    },
    vpcs: () => uplinks.all().map(handleOf),
    async down() {
      for (const uplink of uplinks.all()) await takeDown(uplink);
    },
  };
}

/** Name of the machine's end of the instance's uplink `n`. */
export function uplinkName(instance: string, n: number): string {
  return `br${instance}${n}`;
}

/** The nftables table of uplink `n`, in the router and in the machine; the kernel worker derives it from the uplink's name. */
export function tableName(instance: string, n: number): string {
  return `berth_${instance}_${n}`;
}

function vpcRequest(handle: VpcHandle, uplink: Uplink, options: NetworkOptions): VpcRequest {
  const { cidr, hostIf, hostIp, routerIp, routerNetns } = handle;
  const addresses = uplink.addresses ?? [];
  const rules = { table: tableName(options.instance, uplink.n), cidr, hostIf, hostIp, routerIp, ports: options.ports, addresses };
  return {
    routerNetns,
    cidr,
    hostIf,
    hostIp,
    routerIp,
    mtu: options.mtu,
    serviceIps: Object.values(serviceAddresses),
    routerRules: renderRouterRules(rules),
    hostRules: renderHostRules(rules),
    addresses: addresses.map(({ ip }) => ip),
  };
}

/** Throws InvalidParameter when the address is not of the VPC. */
export function taskInterface(taskId: string, address: TaskAddress, vpc: VpcHandle, mtu: number): TaskInterface {
  const { ip, mac, gatewayIp, hostname } = address;
  if (!containsIp(parseCidr(vpc.cidr), parseIp(ip))) {
    throw new Fault('InvalidParameter', `Task ${taskId} was assigned ${ip}, which is not in the range ${vpc.cidr} of ${vpc.vpcId}.`);
  }
  const gatewayMac = macOf(parseIp(gatewayIp), GATEWAY_MAC_BYTE);
  return { ip, mac, gatewayIp, gatewayMac, hostname, mtu, routerNetns: vpc.routerNetns, routerIf: `t${taskId.slice(0, 12)}` };
}

function assertRange(handle: VpcHandle, cidr: string): VpcHandle {
  if (handle.cidr === cidr) return handle;
  throw new Fault('Conflict', `${handle.vpcId} stands here with the range ${handle.cidr} and can't be given ${cidr}.`);
}

/** The id becomes a file name. */
function checkVpcId(vpcId: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(vpcId)) {
    throw new Fault('InvalidParameter', `"${vpcId}" is not a VPC id: letters, digits and dashes are allowed, at most 64.`);
  }
}
