/** The steps of a rotation, from the new version to the end of the old one. */
import { setTimeout as sleep } from 'node:timers/promises';

import { metricLines, metricSum } from './gateway.ts';
import { buckets, type Site } from './site.ts';
import { configure, createKmsKey, idOf, type Services } from './steps-beginning.ts';
import { inspected, objectsBefore, watched, type Backup } from './steps-objects.ts';

const objectAfter = 'friday';
const takenUpMs = 10_000;

/** Rotates both keys; gives the ARN of the new KMS key. */
export async function rotate(site: Site): Promise<string> {
  const { stage } = site;
  stage.step(
    'Rotate',
    `Vault makes a new version of its key when it is asked. At AWS another key is made, so that the old one can be retired, and the alias is
    switched to it; the old one stands in previousKeyIds. Nobody restarts the gateway, and no object is touched.`,
  );
  await site.s3eg('keys', 'rotate', '--key', 'vault');
  const secondKmsKey = await createKmsKey(site);
  await site.s3eg('keys', 'rotate', '--key', 'aws', '--to', secondKmsKey);
  const rotatedMs = performance.now();
  const listed = await site.s3eg('keys', 'list');
  stage.claim('version 2 of the Vault key is current', /^vault +vault-transit +2 +current$/m.test(listed));
  stage.claim('version 1 of it is still read', /^vault +vault-transit +1 +readable$/m.test(listed));
  const isSwitched = listed.split('\n').some((line) => line.includes(secondKmsKey) && line.endsWith(' current'));
  stage.claim('the new KMS key is current', isSwitched);
  stage.note('A running gateway takes a rotation up within 10 seconds …');
  await sleep(Math.max(0, rotatedMs + takenUpMs - performance.now()));
  return secondKmsKey;
}

/** Writes one more object into each bucket, and reads all of them. */
export async function readOldAndNew(site: Site, secondKmsKey: string): Promise<void> {
  const { stage } = site;
  stage.step(
    'Read old and new',
    'New objects are under the new versions, old ones stay where they are, and clients see no difference.',
  );
  for (const bucket of buckets) await site.writeFiles(bucket, [objectAfter]);
  await site.awsInEach((bucket) => ['s3', 'cp', `plain/${bucket}/${objectAfter}`, `s3://${bucket}/`, '--no-progress']);
  const [letter, invoice] = await inspected(site, objectAfter);
  stage.claim('a new letter is under version 2', letter === 'vault:2');
  stage.claim('a new invoice is under the new KMS key', invoice === `aws:${secondKmsKey}`);
  stage.claim('old and new objects are readable', await site.allReadable());
  const { text } = await site.gateway.admin('/metrics');
  stage.command('curl http://…/metrics | grep s3eg_key_reads_total');
  stage.output(metricLines(text, ['s3eg_key_reads_total']).join('\n'));
  stage.note(
    '(At AWS a gateway asks what the alias means every 5 minutes, and learns it when it makes a bucket key: here every 5 seconds.)',
  );
  const reads = (age: string): number => metricSum(text, 's3eg_key_reads_total', { key: 'vault', age });
  const isSeen = reads('current') > 0 && reads('previous') >= objectsBefore.length;
  stage.claim('the metrics tell reads under the current and under the previous version apart', isSeen);
}

/** Brings the old objects under the new versions. */
export async function rewrap(site: Site, backup: Backup, secondKmsKey: string): Promise<void> {
  const { stage } = site;
  stage.step(
    'Rewrap',
    `"s3eg rewrap" wraps the data keys of old objects anew. It copies metadata within the provider: no object is downloaded or encrypted
    again. With --dry-run it only counts.`,
  );
  const counted = await site.s3eg('rewrap', '--bucket', 'letters', '--dry-run');
  const left = `version 1 of key vault still protects ${objectsBefore.length} objects`;
  stage.claim('the dry run counts what is under version 1', counted.split('\n').includes(left));
  for (const bucket of buckets) {
    const said = await site.s3eg('rewrap', '--bucket', bucket);
    // AWS does not tell when the alias was switched, so that the command can only say how long ago that must be.
    const mayBeRetired = /^version \S+ of key \S+ still protects 0 objects: it may be retired/m.test(said);
    stage.claim(`the old version protects nothing in ${bucket} any more`, mayBeRetired);
    const { bytes } = await site.provider.fetch(bucket, watched);
    stage.claim(`the stored bytes of ${bucket}/${watched} are the same as before`, bytes.equals(backup[bucket].bytes));
  }
  const [letter, invoice] = await inspected(site, watched);
  stage.claim('the old letter is under version 2 now', letter === 'vault:2');
  stage.claim('the old invoice is under the new KMS key now', invoice === `aws:${secondKmsKey}`);
}

/** Takes the old versions out of use, and starts the gateway again, so that nothing is in its memory. */
export async function retire(site: Site, services: Services): Promise<void> {
  const { stage } = site;
  stage.step(
    'Retire the old versions',
    `For Vault that is min_decryption_version, which "s3eg keys retire" raises; for AWS the old key is disabled, and leaves
    previousKeyIds. All of it can be taken back. Then the gateway is started again: what it had of the old versions in memory is gone.`,
  );
  await site.s3eg('keys', 'retire', '--key', 'vault', '--key-version', '1');
  stage.claim('Vault opens nothing below version 2', (await services.vault.oldestReadable()) === 2);
  await site.aws(['kms', 'disable-key', '--key-id', idOf(services.firstKmsKey)]);
  const text = await configure(site, services, 'gateway', []);
  stage.command('grep previousKeyIds gateway.yaml');
  stage.output(
    text
      .split('\n')
      .filter((line) => line.includes('previousKeyIds'))
      .join('\n'),
  );
  stage.claim('the gateway ends in good order', (await site.gateway.stop()) === 0);
  await site.startGateway();
  const ready = await site.gateway.admin('/ready');
  stage.claim('the gateway starts without the old versions', ready.status === 200);
  stage.claim('every object is still readable', await site.allReadable());
}
