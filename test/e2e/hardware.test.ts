import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { otherSuite } from '../support/runtimes.ts';
import { seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { Gateway, GatewayProcess, listenerOf, temporaryDirectory } from './support/gateway.ts';
import { scrape, valueOf, type Scrape } from './support/metrics.ts';

function infoOf(scraped: Scrape): Readonly<Record<string, string>> {
  const infos = scraped.samples.filter(({ name }) => name === 's3eg_crypto_info');
  assert.deepEqual(
    infos.map(({ value }) => value),
    [1],
  );
  return infos[0]?.labels ?? {};
}

/** AEAD ids of the stored FLOE messages (docs/format/format-1.md): 0 is AES-256-GCM, 0x80 ChaCha20-Poly1305. */
async function storedSuites(gateway: Gateway): Promise<number[]> {
  const files = (await gateway.storedFiles()).map(async (name) =>
    readFile(join(gateway.directory, 'objects', 'data', name.slice(0, 2), name)),
  );
  // The key canaries are smaller.
  const objects = (await Promise.all(files)).filter(({ length }) => length > 200_000);
  return objects.map((bytes) => bytes[0] ?? 0).toSorted((a, b) => a - b);
}

const rateOf = (scraped: Scrape, suite: string): number =>
  valueOf(scraped, 's3eg_crypto_measured_bytes_per_second', { suite });

describe('the suite', () => {
  const skip = otherSuite === 'aes-256-gcm' && 'this runtime has one suite';

  it('of policies that name none is set by crypto.suite, and objects of either stay readable', { skip }, async () => {
    const directory = await temporaryDirectory();
    const policies = [
      { name: 'any' },
      { name: 'aes', match: { buckets: ['aes'] }, encryption: { suite: 'aes-256-gcm' } },
    ];
    const bodies = new Map<string, Buffer>();
    const readAll = async (s3: S3Client): Promise<void> => {
      for (const [key, body] of bodies) {
        assert.deepEqual((await s3.get('bucket', key)).body, body, key);
        const part = await s3.get('bucket', key, { range: 'bytes=65530-70000' });
        assert.deepEqual(part.body, body.subarray(65_530, 70_001), `a range of ${key}`);
      }
    };
    for (const suite of ['chacha20-poly1305', 'aes-256-gcm', 'auto'] as const) {
      await using gateway = await Gateway.start({ directory, config: { policies, crypto: { suite } } });
      using s3 = new S3Client(gateway);
      const info = infoOf(await scrape(gateway));
      if (suite !== 'auto') assert.equal(info['suite'], suite);
      assert.equal(info['hardware'], 'auto');
      const line = gateway.process.logLines().find(({ message }) => message === 'ciphers measured');
      assert.deepEqual([line?.['suite'], line?.['instructions']], [info['suite'], info['instructions']]);
      for (const bucket of bodies.size === 0 ? ['bucket', 'aes'] : []) await s3.createBucket(bucket);
      const body = seededBytes(suite, 200_000);
      assert.equal((await s3.put('bucket', suite, body)).outcome, '200');
      assert.equal((await s3.put('aes', suite, body)).outcome, '200');
      bodies.set(suite, body);
      await readAll(s3);
      const expected = { 'chacha20-poly1305': [0, 0x80], 'aes-256-gcm': [0, 0, 0, 0x80], auto: undefined }[suite];
      if (expected !== undefined) assert.deepEqual(await storedSuites(gateway), expected);
    }
    await rm(directory, { recursive: true });
  });
});

describe('crypto.hardware: off', () => {
  it('does without the instructions of the CPU: the process says so, and AES is many times slower', async () => {
    await using asIs = await Gateway.start();
    await using off = await Gateway.start({ config: { crypto: { hardware: 'off', suite: 'aes-256-gcm' } } });
    const [before, after] = [await scrape(asIs), await scrape(off)];
    const { suite, hardware, instructions } = infoOf(after);
    assert.deepEqual([suite, hardware, instructions], ['aes-256-gcm', 'off', 'none']);
    const environment = process.platform === 'linux' ? await readFile(`/proc/${off.pid}/environ`, 'latin1') : undefined;
    if (environment !== undefined)
      assert.match(environment, /(^|\0)(OPENSSL_ia32cap=~0x200000200000000:~0x60020000000|OPENSSL_armcap=0x1)\0/);
    using s3 = new S3Client(off);
    const body = seededBytes('without hardware', 300_000);
    await s3.createBucket('bucket');
    await s3.put('bucket', 'key', body);
    assert.deepEqual((await s3.get('bucket', 'key')).body, body);
    const rates = [rateOf(before, 'aes-256-gcm'), rateOf(after, 'aes-256-gcm')] as const;
    assert.ok(rates[0] > 0 && rates[1] > 0, String(rates));
    // A machine that has none has nothing to lose. Where it has, a twelfth is left on a busy machine as on an idle one.
    const hasAes = infoOf(before)['instructions']?.split(' ').includes('aes') === true;
    if (hasAes) assert.ok(rates[1] < rates[0] / 2, `${rates[1]} B/s without, ${rates[0]} with`);
  });

  it('shows the credentials of a first start once, in the same process', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'c.yaml'), 'listen: { port: 0 }\nadmin: { port: 0 }\ncrypto: { hardware: off }\n');
    const gateway = new GatewayProcess(directory, ['--config', 'c.yaml']);
    const admin = await gateway.until(({ stdout }) => listenerOf(stdout, 'admin listener started'));
    await gateway.until(({ stderr }) => (stderr.includes('AWS_SECRET_ACCESS_KEY=') ? true : undefined));
    assert.equal(gateway.stderr.match(/Credentials were made/g)?.length, 1);
    assert.equal(infoOf(await scrape({ admin }))['hardware'], 'off');
    gateway.child.kill('SIGTERM');
    assert.equal((await gateway.ended).code, 0, 'the signal reached the gateway itself');
    assert.ok((await stat(join(directory, 'data', 'credentials.json'))).isFile());
    await rm(directory, { recursive: true });
  });
});
