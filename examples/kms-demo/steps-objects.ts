/** The steps that write objects and look at what the provider has of them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { metricLines, metricSum } from './gateway.ts';
import { saveStored, type StoredObject } from './provider.ts';
import { buckets, sentence, type Bucket, type Site } from './site.ts';
import { s3egCommand, show } from './stage-commands.ts';
import type { Services } from './steps-beginning.ts';

/** Objects that are written before the rotation; the first one is also looked at. */
export const objectsBefore = ['monday', 'tuesday', 'wednesday', 'thursday'] as const;

/** Key of the object that is looked at, and whose backup is put back later. */
export const watched = objectsBefore[0];

/** The watched objects as they were stored before the rotation. */
export type Backup = Readonly<Record<Bucket, StoredObject>>;

/** Makes the buckets and writes into them, with the AWS CLI as it comes. */
export async function writeObjects(site: Site): Promise<void> {
  const { stage } = site;
  stage.step(
    'Buckets and objects',
    'Clients see plain S3: nothing is set for the AWS CLI but the address and an access key.',
  );
  for (const bucket of buckets) await site.writeFiles(bucket, objectsBefore);
  await site.awsInEach((bucket) => ['s3', 'mb', `s3://${bucket}`]);
  await site.awsInEach((bucket) => ['s3', 'sync', '--only-show-errors', `plain/${bucket}`, `s3://${bucket}`]);
  const isReadable = await site.allReadable();
  stage.claim('all objects come back as they were written', isReadable);
  const { text } = await site.gateway.admin('/metrics');
  stage.command('curl http://…/metrics | grep s3eg_key_operations_total');
  stage.output(metricLines(text, ['s3eg_key_operations_total']).join('\n'));
  const wraps = (key: string): number =>
    metricSum(text, 's3eg_key_operations_total', { key, operation: 'wrap', outcome: 'ok' });
  const few = ['vault', 'aws'].every((key) => wraps(key) > 0 && wraps(key) < objectsBefore.length);
  stage.claim(
    `each key service wrapped less often than there are objects (${objectsBefore.length} in each bucket)`,
    few,
  );
}

/** Shows what is stored, and keeps a backup of one object in each bucket. */
export async function lookAtStored(site: Site, { firstKmsKey }: Services): Promise<Backup> {
  const { stage } = site;
  stage.step(
    'What the provider has',
    `An object's data key is wrapped under a bucket key, and that one by Vault or KMS. All of it is in the object's metadata, which names
    the key and its version. The objects are fetched past the gateway; "s3eg inspect" needs no key.`,
  );
  const backup = {
    letters: await site.provider.fetch('letters', watched),
    invoices: await site.provider.fetch('invoices', watched),
  };
  const [letter, invoice] = await inspected(site, watched);
  stage.claim('letters are under version 1 of the Vault key', letter === 'vault:1');
  stage.claim('invoices are under the KMS key, by its ARN', invoice === `aws:${firstKmsKey}`);
  stage.command(`grep -r '${sentence}' data/objects`);
  const found = await site.provider.filesWith(sentence);
  stage.claim('no file of the provider has a sentence of them in clear', found.length === 0);
  return backup;
}

/** Fetches the objects under a key past the gateway and shows what they say; gives `name:version` of each, by bucket. */
export async function inspected(site: Site, key: string): Promise<readonly string[]> {
  const { stage, folder, env } = site;
  const paths = buckets.map((bucket) => join('stored', bucket, key));
  for (const bucket of buckets) {
    const path = join(folder, 'stored', bucket);
    await mkdir(path, { recursive: true });
    await saveStored(join(path, key), await site.provider.fetch(bucket, key));
  }
  const { stdout } = await show(stage, s3egCommand, ['inspect', ...paths], { cwd: folder, env });
  return Array.from(stdout.matchAll(/^key +(\S+), version (\S+)$/gm), ([, name, version]) => `${name}:${version}`);
}
