/** The steps until the gateway runs. */
import { join } from 'node:path';

import { writeConfiguration } from './gateway.ts';
import { region, startKms } from './kms.ts';
import type { Site } from './site.ts';
import { transitKey, Vault, type AppRole } from './vault.ts';

/** The key services, and what the story has to remember of them. */
export interface Services {
  readonly vault: Vault;
  /** Of the gateway, and of whoever runs its commands. */
  readonly roles: { readonly gateway: AppRole; readonly operator: AppRole };
  readonly kmsEndpoint: string;
  /** ARN of the key that the alias means at first. */
  readonly firstKmsKey: string;
}

/** Starts Vault and the stand-in for AWS KMS, and makes a key in each. */
export async function startKeyServices(site: Site): Promise<Services> {
  const { stage, tools, folder } = site;
  stage.step(
    'Two key services',
    `The gateway's objects are encrypted by keys that live elsewhere. Here that is a HashiCorp Vault with a Transit key, and AWS KMS
    with a key behind an alias (${tools.kms.name}, which stands in for AWS). The gateway and its operator log in to Vault with a role each;
    the policies of the roles are those of docs/KMS_COMPATIBILITY.md.`,
  );
  const vault = await Vault.start(tools.vault, join(folder, 'vault'), site.env);
  stage.note(`Vault runs at ${vault.address}.`);
  await vault.ok('POST', `transit/keys/${transitKey}`);
  const kmsEndpoint = await startKms(tools.kms, join(folder, 'kms'), site.env);
  stage.note(`AWS KMS is played by ${tools.kms.name} at ${kmsEndpoint}.\n`);
  site.setEnv({ AWS_ENDPOINT_URL_KMS: kmsEndpoint, AWS_DEFAULT_REGION: region });
  const firstKmsKey = await createKmsKey(site);
  await site.aws(['kms', 'create-alias', '--alias-name', 'alias/s3eg', '--target-key-id', idOf(firstKmsKey)]);
  const ofGateway = ['Vault policy of the gateway'];
  const roles = {
    gateway: await vault.role('gateway', ofGateway),
    operator: await vault.role('operator', [...ofGateway, 'Vault policy of who rotates']),
  };
  const status = await vault.statusAs(roles.gateway, 'POST', `transit/keys/${transitKey}/rotate`);
  stage.claim('the gateway itself may not rotate the Vault key: only its operator may', status === 403);
  return { vault, roles, kmsEndpoint, firstKmsKey };
}

/** Makes a KMS key; gives its ARN. */
export async function createKmsKey(site: Site): Promise<string> {
  // AWS takes this usage for granted, moto does not.
  const usage = ['--key-usage', 'ENCRYPT_DECRYPT'];
  const { stdout } = await site.aws(['kms', 'create-key', ...usage, '--query', 'KeyMetadata.Arn', '--output', 'text']);
  return stdout.trim();
}

/** The last part of an ARN. */
export function idOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** Writes the configurations, and starts the gateway. */
export async function startGateway(site: Site, services: Services): Promise<void> {
  const { stage } = site;
  stage.step(
    'The gateway',
    `One bucket is under the Vault key, another one under the KMS key: policies say so. Objects go into the embedded store, a folder
    that plays the provider.`,
  );
  await configure(site, services, 'operator', [services.firstKmsKey]);
  const text = await configure(site, services, 'gateway', [services.firstKmsKey]);
  stage.command('cat gateway.yaml');
  stage.output(text);
  await site.startGateway();
  const ready = await site.gateway.admin('/ready');
  stage.command('curl http://…/ready');
  stage.output(ready.text);
  stage.claim('the gateway is ready: it reaches both key services', ready.status === 200);
}

/** Writes the configuration of the gateway or of the operator; gives its text without the folder of the demo. */
export async function configure(
  { folder }: Site,
  { vault, roles, kmsEndpoint }: Services,
  name: keyof Services['roles'],
  previousKmsKeys: readonly string[],
): Promise<string> {
  const services = { vaultAddress: vault.address, kmsEndpoint, previousKmsKeys };
  return (await writeConfiguration(folder, name, roles[name], services)).replaceAll(`${folder}/`, '');
}
