/** The steps after the old versions are gone: what is refused, the way back, what was logged, the end. */
import { metricLines, metricSum, type LogLine } from './gateway.ts';
import { buckets, type Bucket, type Site } from './site.ts';
import { idOf, type Services } from './steps-beginning.ts';
import { watched, type Backup } from './steps-objects.ts';

const shownFields = ['time', 'message', 'operation', 'bucket', 'key', 'access_key_id', 'status', 'outcome', 'reason'];
const keyFields = ['key_name', 'key_version', 'previous_version', 'error_code', 'error_message'];
const longestText = 100;

/** Puts a letter and an invoice back as they were before the rewrap, and tries to read them. */
export async function refuseStale(site: Site, { firstKmsKey }: Services, backup: Backup): Promise<void> {
  const { stage } = site;
  stage.step(
    'A copy that was not rewrapped',
    'Somebody restores a letter and an invoice from a backup at the provider: they are under the old versions still.',
  );
  for (const bucket of buckets) await site.provider.putBack(bucket, watched, backup[bucket]);
  for (const [bucket, version] of [['letters', '1'] as const, ['invoices', firstKmsKey] as const]) {
    const { code, stderr } = await getObject(site, bucket);
    const isRefused = code !== 0 && stderr.includes('(KeyVersionNotReadable)');
    stage.claim(`the restored object of ${bucket} is refused, by a code of its own`, isRefused);
    stage.claim('the message names the version', stderr.includes(`version "${version}"`));
  }
  const { text } = await site.gateway.admin('/metrics');
  stage.command('curl http://…/metrics | grep s3eg_decryption_failures_total');
  stage.output(metricLines(text, ['s3eg_decryption_failures_total']).join('\n'));
  const failures = metricSum(text, 's3eg_decryption_failures_total', {});
  stage.claim('the metric that deserves an alert has counted both', failures >= buckets.length);
}

async function getObject(site: Site, bucket: Bucket) {
  return await site.aws(['s3api', 'get-object', '--bucket', bucket, '--key', watched, 'restored'], true);
}

/** Takes the retirement back for as long as it takes to rewrap what was restored. */
export async function bringBack(site: Site, { vault, firstKmsKey }: Services, backup: Backup): Promise<void> {
  const { stage } = site;
  stage.step(
    'The way back',
    `Retired is not deleted. An administrator lowers min_decryption_version and enables the old KMS key; the operator, whose
    configuration has it among previousKeyIds, rewraps what was restored. The gateway runs on, and never learns of it. Afterwards the old
    versions would be retired again.`,
  );
  stage.command('vault write transit/keys/s3eg/config min_decryption_version=1');
  await vault.ok('POST', 'transit/keys/s3eg/config', { min_decryption_version: 1 });
  await site.aws(['kms', 'enable-key', '--key-id', idOf(firstKmsKey)]);
  for (const bucket of buckets) {
    const said = await site.s3eg('rewrap', '--bucket', bucket);
    stage.claim(`the one restored object of ${bucket} was rewrapped`, said.startsWith('Rewrapped 1 object,'));
    const { bytes } = await site.provider.fetch(bucket, watched);
    stage.claim('its stored bytes are those of the backup', bytes.equals(backup[bucket].bytes));
  }
  stage.claim('every object is readable again', await site.allReadable());
}

/** Shows what the gateway logged and counted since its last start, and looks for secrets in it. */
export async function lookAtLogs(site: Site, { vault, roles }: Services): Promise<void> {
  const { stage } = site;
  stage.step(
    'Log and metrics',
    'Who did what, and under which key; how often the key services were asked. Neither has a secret in it.',
  );
  const rotations = site.logs.filter(({ message }) => message === 'key rotation taken up');
  const refusals = site.logs.filter((line) => line['error_code'] === 'KeyVersionNotReadable');
  stage.command('grep -e "key rotation taken up" -e KeyVersionNotReadable gateway.log');
  stage.output([...rotations, ...refusals].map(shownLine).join('\n'));
  const isTold = rotations.some((line) => line['key_name'] === 'vault' && line['previous_version'] === '1');
  stage.claim('the log says when the rotation was taken up', isTold);
  stage.claim('the log says who was refused what', refusals.length === buckets.length && refusals.every(isWhole));
  const { text } = await site.gateway.admin('/metrics');
  stage.command('curl http://…/metrics | grep s3eg_key_');
  stage.output(
    metricLines(text, ['s3eg_key_operations_total', 's3eg_key_reads_total', 's3eg_key_cache_lookups_total']).join('\n'),
  );
  const unwraps = metricSum(text, 's3eg_key_operations_total', { operation: 'unwrap', outcome: 'ok' });
  const reads = metricSum(text, 's3eg_key_reads_total', { age: 'current' });
  stage.claim('key services were asked less often than objects were read', unwraps > 0 && unwraps < reads);
  const said = `${site.logText}${text}`;
  const secrets = [...vault.secrets, roles.gateway.secretId, roles.operator.secretId, site.secretAccessKey];
  stage.claim(
    'neither has a token, a secret id or a secret key in it',
    secrets.every((secret) => !said.includes(secret)),
  );
}

function isWhole({ bucket, key, access_key_id: who }: LogLine): boolean {
  return buckets.some((name) => name === bucket) && key === watched && typeof who === 'string';
}

/** The fields that matter here, on one line. */
function shownLine(line: LogLine): string {
  const shown = [...shownFields, ...keyFields].flatMap((name) => {
    const value = line[name];
    return value === undefined ? [] : [[name, typeof value === 'string' ? value.slice(0, longestText) : value]];
  });
  return JSON.stringify(Object.fromEntries(shown));
}

/** Ends the gateway as a supervisor does; what else runs ends with the demo. */
export async function end(site: Site): Promise<void> {
  const { stage } = site;
  stage.step('The end', 'All processes are ended, and their folder is removed.');
  stage.claim('the gateway ends in good order', (await site.gateway.stop()) === 0);
  stage.note(`\nThat took ${Math.round(stage.seconds)} seconds; ${stage.claims} claims were looked at and are true.`);
}
