/** Unmodified Terraform with the AWS provider, pointed at a platform by the environment alone. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from './platform.ts';
import type { Platform, Ran } from './platform.ts';

/** A mirror of providers in a directory ("Provider Installation", Terraform CLI documentation): nothing is downloaded. */
const MIRROR = '/opt/tf-plugins';
const PROVIDER = join(MIRROR, 'registry.terraform.io/hashicorp/aws');
const COMMAND_MS = 300_000;

/** Why Terraform can't be run on this machine; undefined when it can. */
export function whyNoTerraform(): string | undefined {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((dir) => existsSync(join(dir, 'terraform')));
  if (!found) return 'Terraform is not on this machine: it was not run';
  return existsSync(PROVIDER) ? undefined : `Terraform is here, but no AWS provider in ${PROVIDER}: it was not run`;
}

export type Terraform = {
  apply(variables?: Record<string, string>): Promise<void>;
  /** What a plan finds to change; empty when there is nothing. */
  pending(variables?: Record<string, string>): Promise<string>;
  outputs<T>(): Promise<T>;
  destroy(variables?: Record<string, string>): Promise<void>;
  /** Removes its folder; what was applied stays. */
  remove(): Promise<void>;
};

/** A folder with `test/e2e/terraform/CONFIGURATION`, initialised. Each of its calls fails the test with Terraform's own words. */
export async function startTerraform(platform: Platform, configuration: string): Promise<Terraform> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-terraform-'));
  const source = join(root, 'test/e2e/terraform');
  await cp(join(source, configuration), folder, { recursive: true });
  await cp(join(source, 'provider.tf'), join(folder, 'provider.tf'));
  await writeFile(join(folder, 'cli.tfrc'), `provider_installation {\n  filesystem_mirror {\n    path = "${MIRROR}"\n  }\n}\n`);
  const env = { TF_CLI_CONFIG_FILE: join(folder, 'cli.tfrc'), TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1' };
  const run = (...args: string[]): Promise<Ran> => platform.command('terraform', args, { cwd: folder, env, timeoutMs: COMMAND_MS });
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, `terraform ${args.join(' ')} exited ${code}\n${stdout.slice(-4000)}\n${stderr.slice(-6000)}`);
    return stdout;
  };
  const given = (variables: Record<string, string> = {}) => Object.entries(variables).map(([name, value]) => `-var=${name}=${value}`);
  await ok('init', '-no-color', '-input=false');
  return {
    apply: async (variables) => void (await ok('apply', '-no-color', '-input=false', '-auto-approve', ...given(variables))),
    async pending(variables) {
      const ran = await run('plan', '-no-color', '-input=false', '-detailed-exitcode', ...given(variables));
      assert.notEqual(ran.code, 1, `terraform plan failed\n${ran.stderr}`);
      return ran.code === 0 ? '' : ran.stdout;
    },
    outputs: async <T>() => {
      const all = JSON.parse(await ok('output', '-json')) as Record<string, { value: unknown }>;
      return Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value])) as T;
    },
    destroy: async (variables) => void (await ok('destroy', '-no-color', '-input=false', '-auto-approve', ...given(variables))),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

// tools/test.sh asks, for its summary.
if (import.meta.main) process.stdout.write(whyNoTerraform() ?? '');
