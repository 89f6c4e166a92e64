/** Rewrapping old versions, which nobody can change: envelopes beside them, at real S3 servers with versions. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startServer, type ServerName } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { keysBelow, Operator, type Report } from './support/operator.ts';
import { plaintext } from './support/plaintext.ts';
import { Daemon } from './support/processes.ts';
import { S3Agent, S3CallError, type Options, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'versioned';
const folder = '.s3eg/envelopes/';
const takenUpMs = 11_000;
const options = { Metadata: { colour: 'blue' }, ContentType: 'text/plain' };

interface ListedVersion {
  readonly Key: string;
  readonly VersionId: string;
  readonly IsLatest: boolean;
}

interface Listing {
  readonly Versions?: readonly ListedVersion[];
  readonly DeleteMarkers?: readonly ListedVersion[];
}

/** A version and what clients are to get of it. */
interface Kept {
  readonly Key: string;
  readonly VersionId: string;
  readonly body: Buffer;
}

/** Where the record of a version is, by docs/format/format-1.md. */
function recordKey({ Key, VersionId }: Pick<Kept, 'Key' | 'VersionId'>): string {
  const [key, version] = [Key, VersionId].map((text) => createHash('sha256').update(text).digest('hex'));
  return `${folder}${key ?? ''}/${version ?? ''}`;
}

/** Objects and old versions under each version of the key. */
function countsOf({ versions }: Report): Readonly<Record<string, readonly [number, number]>> {
  const local = versions.filter(({ keyName }) => keyName === 'local');
  return Object.fromEntries(local.map(({ keyVersion, objects, oldVersions }) => [keyVersion, [objects, oldVersions]]));
}

describe('s3eg rewrap --rewrap-versions', { concurrency: 2 }, () => {
  story('minio');
  story('versitygw');
});

/** The story of one bucket, test after test. */
function story(name: ServerName): void {
  describe(name, { concurrency: 1 }, () => {
    const workspace = ownWorkspace();
    let client: S3Client;
    let raw: S3Client;
    let operator: Operator;
    let gateway: Gateway;
    /** Versions that are behind others when the first rotation comes, oldest first. */
    const old: Kept[] = [];
    const latest: Kept[] = [];

    before(async () => {
      const backend = await startServer(name, workspace, {
        // MinIO takes no notice of it; versitygw has versions only so.
        VGW_VERSIONING_DIR: await workspace.folder('old-versions'),
      });
      gateway = await Gateway.start({
        workspace,
        backend,
        // What was opened once must not open again but by its key.
        settings: { keys: keysBelow('./data'), dataKeyCache: { ttl: '0s', offlineTtl: '0s' } },
      });
      operator = await Operator.start(workspace, backend, gateway);
      const agent = await S3Agent.start(workspace);
      client = agent.client(gateway.access);
      raw = agent.client(backend.access);
      await client.createBucket(bucket);
      await client.put(bucket, 'early', plaintext('early', 5000), options);
      await client.call('put_bucket_versioning', { Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } });
      old.push({ Key: 'early', VersionId: 'null', body: plaintext('early', 5000) });
      await fill();
    });

    async function fill(): Promise<void> {
      for (const [Key, count] of [
        ['early', 1],
        ['thrice', 3],
        ['deep/er', 5],
      ] as const) {
        for (let index = 0; index < count; index++) {
          const body = plaintext(`${Key} ${index}`, 1000 + index * 70_000);
          const { VersionId } = await client.call<{ VersionId: string }>('put_object', {
            Bucket: bucket,
            Key,
            Body: { $base64: body.toString('base64') },
            ...options,
          });
          (index === count - 1 ? latest : old).push({ Key, VersionId, body });
        }
      }
      const body = plaintext('parts', 6 * mebibyte);
      const upload = await client.createUpload(bucket, 'parts', options);
      const VersionId = await completed(upload, body);
      old.push({ Key: 'parts', VersionId, body });
      const last = await client.call<{ VersionId: string }>('put_object', { Bucket: bucket, Key: 'parts', Body: '' });
      latest.push({ Key: 'parts', VersionId: last.VersionId, body: Buffer.alloc(0) });
    }

    async function completed(upload: Awaited<ReturnType<S3Client['createUpload']>>, body: Buffer): Promise<string> {
      const Parts = [
        await client.uploadPart(upload, 1, body.subarray(0, 5 * mebibyte)),
        await client.uploadPart(upload, 2, body.subarray(5 * mebibyte)),
      ];
      const done = await client.call<{ VersionId: string }>('complete_multipart_upload', {
        ...upload,
        MultipartUpload: { Parts },
      });
      return done.VersionId;
    }

    /** All that the backend has below the folder of records. */
    async function records(): Promise<Listing> {
      return await raw.call<Listing>('list_object_versions', { Bucket: bucket, Prefix: folder });
    }

    async function isRefused(kept: Kept, code: string, status: number): Promise<void> {
      const { Key, VersionId } = kept;
      await assert.rejects(client.get(bucket, Key, { VersionId }), (error) => {
        assert.ok(error instanceof S3CallError);
        assert.deepEqual([error.code, error.status], [code, status]);
        return true;
      });
    }

    /** How many requests to the backend a HEAD costs. */
    async function requestsOf({
      Key,
      VersionId,
    }: {
      readonly Key: string;
      readonly VersionId?: string;
    }): Promise<number> {
      const before = await gateway.metric('s3eg_backend_requests_total');
      await client.head(bucket, Key, VersionId === undefined ? {} : { VersionId });
      return (await gateway.metric('s3eg_backend_requests_total')) - before;
    }

    /** Every way to a version gives what was written. */
    async function isWhole({ Key, VersionId, body }: Kept): Promise<void> {
      const got = await client.get(bucket, Key, { VersionId });
      assert.deepEqual([got.Body.sha256, got.Body.broken], [digest(body), null], `${Key} ${VersionId}`);
      assert.equal(got.Metadata['colour'], 'blue');
      const head = await client.head(bucket, Key, { VersionId });
      assert.equal(head.ContentLength, body.length);
      const [first, last] = [100, body.length - 100];
      const range: Options = { VersionId, Range: `bytes=${first}-${last}` };
      assert.equal((await client.get(bucket, Key, range)).Body.sha256, digest(body.subarray(first, last + 1)));
      const attributes = await client.call<{ ObjectSize: number }>('get_object_attributes', {
        Bucket: bucket,
        Key,
        VersionId,
        ObjectAttributes: ['ObjectSize', 'ETag'],
      });
      assert.equal(attributes.ObjectSize, body.length);
    }

    /** Likewise as the source of copies. */
    async function isCopied({ Key, VersionId, body }: Kept): Promise<void> {
      const CopySource = { Bucket: bucket, Key, VersionId };
      await client.call('copy_object', { Bucket: bucket, Key: 'copied', CopySource });
      assert.equal((await client.get(bucket, 'copied')).Body.sha256, digest(body));
      const upload = await client.createUpload(bucket, 'copied');
      const copied = await client.call<{ CopyPartResult: { ETag: string } }>('upload_part_copy', {
        ...upload,
        PartNumber: 1,
        CopySource,
      });
      await client.complete(upload, [{ PartNumber: 1, ETag: copied.CopyPartResult.ETag }]);
      assert.equal((await client.get(bucket, 'copied')).Body.sha256, digest(body));
      // So that they are in no count.
      const { Versions = [] } = await raw.call<Listing>('list_object_versions', { Bucket: bucket, Prefix: 'copied' });
      for (const { Key, VersionId } of Versions) await raw.call('delete_object', { Bucket: bucket, Key, VersionId });
    }

    test('says what it would do, is killed, and then has everything under the new version', async () => {
      const version = await operator.rotate();
      const rotatedMs = Date.now();
      const dry = await operator.rewrap(bucket, '--rewrap-versions', '--dry-run');
      assert.deepEqual([dry.failures, dry.oldVersionsRewrapped, dry.outcomes['rewrapped']], [[], old.length, 4]);
      assert.deepEqual(countsOf(dry), { 2: [0, 0], 1: [4, old.length] });
      assert.deepEqual((await records()).Versions ?? [], []);
      const args = ['rewrap', '--bucket', bucket, '--rewrap-versions', '--rate', '5', '--concurrency', '1'];
      const hasBegun = async (): Promise<boolean> => ((await records()).Versions ?? []).length >= 3;
      const daemon = await Daemon.start(operator.command(...args), hasBegun, 20_000);
      await daemon.kill();
      const left = ((await records()).Versions ?? []).length;
      assert.ok(left < old.length + 4, `${left} of the records were written before the kill`);
      const report = await operator.rewrap(bucket, '--rewrap-versions');
      assert.deepEqual([report.ok, report.failures], [true, []]);
      assert.ok(report.oldVersionsRewrapped > 0);
      // What was current before is behind the copies now, with an envelope beside it as well.
      assert.deepEqual(countsOf(report), { [version]: [4, old.length + 4], 1: [0, 0] });
      const again = await operator.rewrap(bucket, '--rewrap-versions');
      assert.deepEqual([again.outcomes['rewrapped'], again.oldVersionsRewrapped, again.recordsRemoved], [0, 0, 0]);
      assert.deepEqual(countsOf(again), countsOf(report));
      // Not before every gateway has surely taken the rotation up.
      await sleep(Math.max(0, rotatedMs + takenUpMs - Date.now()));
      const counted = await operator.rewrap(bucket, '--dry-run', '--all-versions');
      assert.deepEqual(countsOf(counted), countsOf(report));
      assert.ok(counted.versions.some(({ keyVersion, mayBeRetired }) => keyVersion === '1' && mayBeRetired));
    });

    test('versions are read by every operation once the old key version is retired', async () => {
      await operator.retire('1');
      // The gateway looks at its keyring every second.
      await sleep(1500);
      const one = old.find(({ Key }) => Key === 'deep/er');
      assert.ok(one !== undefined);
      // The record is asked for once. What is current costs what it always did.
      assert.deepEqual([await requestsOf(one), await requestsOf(one)], [2, 1]);
      assert.equal(await requestsOf({ Key: 'deep/er' }), 1);
      for (const kept of [...old, ...latest.filter(({ body }) => body.length > 0)]) await isWhole(kept);
      for (const kept of old.filter(({ Key }) => Key === 'early' || Key === 'parts')) await isCopied(kept);
    });

    test('clients see and reach nothing of the envelopes beside', async () => {
      const { Versions = [], DeleteMarkers = [] } = await client.call<Listing>('list_object_versions', {
        Bucket: bucket,
      });
      assert.deepEqual(
        [...Versions, ...DeleteMarkers].filter(({ Key }) => Key.startsWith('.s3eg/')),
        [],
      );
      const [first] = old;
      assert.ok(first !== undefined);
      await assert.rejects(client.get(bucket, recordKey(first)), { code: 'AccessDenied' });
    });

    test('an envelope that is missing, another object’s or altered opens nothing, and gives no byte', async () => {
      const [one, two] = old.filter(({ Key }) => Key === 'deep/er');
      assert.ok(one !== undefined && two !== undefined);
      // The next version of the key, so that the gateway holds none of these envelopes as known.
      const version = await operator.rotate();
      const report = await operator.rewrap(bucket, '--rewrap-versions');
      assert.deepEqual([report.failures, countsOf(report)['2']], [[], [0, 0]]);
      assert.equal(countsOf(report)[version]?.[0], 4);
      await operator.retire('2');
      await sleep(1500);
      await isWhole(two);
      const file = join(await workspace.folder('records'), 'record');
      const read = async (kept: Kept): Promise<string> => {
        await raw.get(bucket, recordKey(kept), {}, file);
        return await readFile(file, 'utf8');
      };
      const write = async (text: string): Promise<void> => {
        await raw.put(bucket, recordKey(one), Buffer.from(text));
      };
      const genuine = await read(one);
      await write(await read(two));
      await isRefused(one, 'KeyVersionNotReadable', 403);
      await write('{"format":');
      await isRefused(one, 'ObjectCorrupted', 500);
      for (const place of ['wrapped', 'sealed'] as const) {
        await write(altered(genuine, place));
        await isRefused(one, 'ObjectCorrupted', 500);
      }
      await raw.call('delete_object', { Bucket: bucket, Key: recordKey(one) });
      await isRefused(one, 'KeyVersionNotReadable', 403);
      await write(genuine);
      await isWhole(one);
    });

    test('a version is decrypted without the gateway by the envelope beside it', async () => {
      const folder = await workspace.folder('offline');
      const kept = old.find(({ Key }) => Key === 'parts');
      assert.ok(kept !== undefined);
      const { Key, VersionId, body } = kept;
      const [stored, output, besides] = [join(folder, 'stored'), join(folder, 'plain'), join(folder, 'envelopes')];
      const { Metadata, ContentType } = await raw.get(bucket, Key, { VersionId }, stored);
      await writeFile(`${stored}.metadata.json`, JSON.stringify({ Metadata, ContentType }));
      await mkdir(besides);
      for (const [index, each] of old.entries()) {
        await raw.get(bucket, recordKey(each), {}, join(besides, String(index)));
      }
      const command = ['decrypt', stored, '--bucket', bucket, '--key', Key, '--output', output, '--json'];
      const without = await operator.s3eg(...command);
      assert.deepEqual([without.code, /"code": "(\w+)"/.exec(without.stdout)?.[1]], [1, 'not_found']);
      const decrypted = await operator.s3eg(...command, '--envelope', besides);
      assert.equal(decrypted.code, 0, decrypted.stderr);
      assert.match(decrypted.stdout, /"metadataNotChecked": 0/);
      assert.equal(digest(await readFile(output)), digest(body));
    });

    test('a version that comes to the front again is read, and copied under the current version', async () => {
      const listed = await raw.call<Listing>('list_object_versions', { Bucket: bucket, Prefix: 'thrice' });
      const oldest = old.find(({ Key }) => Key === 'thrice');
      assert.ok(oldest !== undefined);
      for (const { Key, VersionId } of listed.Versions ?? []) {
        if (VersionId !== oldest.VersionId) await client.call('delete_object', { Bucket: bucket, Key, VersionId });
      }
      assert.equal((await client.get(bucket, 'thrice')).Body.sha256, digest(oldest.body));
      const report = await operator.rewrap(bucket, '--rewrap-versions');
      // Two old versions, what was current at the beginning, and the copies of both rewraps but the last.
      assert.deepEqual([report.failures, report.outcomes['rewrapped'], report.recordsRemoved], [[], 1, 3]);
      const head = await raw.head(bucket, 'thrice');
      assert.equal(head.Metadata['s3eg-key'], 'local:3');
      assert.equal((await client.get(bucket, 'thrice')).Body.sha256, digest(oldest.body));
      await isWhole(oldest);
    });

    test('nothing stays behind envelopes that were replaced or removed, and one that expired comes back', async () => {
      const lost = old.find(({ Key }) => Key === 'deep/er');
      assert.ok(lost !== undefined);
      // As a lifecycle rule that expires objects would: it is a marker, behind which the record still is.
      await raw.call('delete_object', { Bucket: bucket, Key: recordKey(lost) });
      const report = await operator.rewrap(bucket, '--rewrap-versions');
      assert.deepEqual(
        report.failures.map(({ key, versionId, code }) => [key, versionId, code]),
        [['deep/er', lost.VersionId, 'not_found']],
      );
      const again = await operator.rewrap(bucket, '--rewrap-versions');
      assert.deepEqual([again.failures, countsOf(again)['2']], [[], undefined]);
      const { Versions = [], DeleteMarkers = [] } = await records();
      assert.deepEqual(DeleteMarkers, []);
      assert.equal(new Set(Versions.map(({ Key }) => Key)).size, Versions.length);
    });
  });
}

/** The record with a bit of its envelope changed: of the wrapped key, or of what is sealed. */
function altered(record: string, place: 'wrapped' | 'sealed'): string {
  const parsed: { envelope: string } = JSON.parse(record);
  const bytes = Buffer.from(parsed.envelope, 'base64url');
  const at = place === 'sealed' ? bytes.length - 1 : bytes.indexOf('local') + 'local'.length + 2 + 2 + 30;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return JSON.stringify({ ...parsed, envelope: bytes.toString('base64url') });
}
