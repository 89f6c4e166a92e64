import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames, startBackend, type Backend } from './support/backends.ts';
import { awsCli } from './support/commands.ts';
import { Needle, xor } from './support/find-run.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext, randomBytesOf, writePlaintext } from './support/plaintext.ts';
import { RecordingProxy } from './support/recording-proxy.ts';
import { S3Agent, S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { messageSize } from './support/stored-object.ts';
import { digest, fileDigest, filesUnder, until } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'parts-bucket';

async function isWhole(client: S3Client, key: string, expected: Buffer): Promise<void> {
  const got = await client.get(bucket, key);
  assert.deepEqual([got.ContentLength, got.Body.sha256], [expected.length, digest(expected)]);
  const head = await client.head(bucket, key);
  const [listed] = await client.list(bucket, { Prefix: key });
  assert.deepEqual([head.ContentLength, listed?.Size], [expected.length, expected.length]);
  assert.deepEqual([head.ETag, listed?.ETag], [got.ETag, got.ETag]);
}

for (const name of backendNames) {
  describe(`multipart, ${name}`, () => {
    const workspace = ownWorkspace();
    let backend: Backend;
    let gateway: Gateway;
    let agent: S3Agent;
    let client: S3Client;

    before(async () => {
      backend = await startBackend(name, workspace);
      gateway = await Gateway.start({ workspace, backend });
      agent = await S3Agent.start(workspace);
      client = agent.client(gateway.access);
      await client.createBucket(bucket);
    });

    test('takes odd part sizes, sent last first', async () => {
      const sizes = [5 * mebibyte + 1, 5 * mebibyte + 65_535, 7_000_001, 123];
      const parts = sizes.map((size, index) => plaintext(`odd ${index}`, size));
      const upload = await client.createUpload(bucket, 'odd', { Metadata: { colour: 'blue' } });
      const named = [];
      for (const [index, part] of [...parts.entries()].toReversed()) {
        named.push(await client.uploadPart(upload, index + 1, part));
      }
      const listed = await client.listParts(upload);
      assert.deepEqual(
        listed.map(({ Size }) => Size),
        sizes,
      );
      await client.complete(upload, named);
      const whole = Buffer.concat(parts);
      await isWhole(client, 'odd', whole);
      assert.deepEqual((await client.head(bucket, 'odd')).Metadata, { colour: 'blue' });
      const border = sizes[0] ?? 0;
      for (const [first, last] of [
        [0, 0],
        [border - 1, border],
        [border, border + 65_536],
        [65_536, whole.length - 1],
        [whole.length - 124, whole.length - 1],
      ] as const) {
        const part = await client.get(bucket, 'odd', { Range: `bytes=${first}-${last}` });
        assert.equal(part.Body.sha256, digest(whole.subarray(first, last + 1)), `${first}-${last}`);
      }
    });

    test('never uses a keystream twice for a part that is sent again', async () => {
      const { send, attempts } = await watchedUploads('again');
      const first = randomBytesOf('first attempt', 5 * mebibyte + 77);
      const second = randomBytesOf('second attempt', first.length);
      await send(first);
      const last = await send(second);
      const [one, two] = await attempts(messageSize(first.length), 2);
      assert.ok(one !== undefined && two !== undefined);
      const keystream = new Needle(xor(first, second));
      assert.equal(keystream.findIn(xor(one, two)), undefined, 'the stored parts share a keystream');
      await client.complete(last.upload, [last.part]);
      await isWhole(client, 'again', second);
    });

    test('encrypts the same bytes differently each time', async () => {
      const { send, attempts } = await watchedUploads('same');
      const bytes = randomBytesOf('same bytes', 5 * mebibyte + 78);
      await send(bytes);
      await send(bytes);
      const [one, two] = await attempts(messageSize(bytes.length), 2);
      assert.ok(one !== undefined && two !== undefined);
      assert.equal(new Needle(one).findIn(two), undefined);
    });

    test('completes again by the bare ETags that another replica lists', async () => {
      const bodies = [plaintext('bare 1', 5 * mebibyte + 5), plaintext('bare 2', 6 * mebibyte)];
      for (const [key, contents] of [
        ['bare', bodies],
        ['bare with a short end', [...bodies, plaintext('bare 3', 99)]],
      ] as const) {
        const upload = await client.createUpload(bucket, key);
        const named = [];
        for (const [index, body] of contents.entries()) named.push(await client.uploadPart(upload, index + 1, body));
        // It remembers no part's attempt then, as another replica does not.
        await gateway.stop();
        await gateway.restart();
        const listed = (await client.listParts(upload)).map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
        assert.notEqual(listed[0]?.ETag, named[0]?.ETag);
        const { ETag } = await client.complete(upload, listed);
        const wrong = listed.map((part, index) => ({ ...part, ETag: index === 1 ? `"${'0'.repeat(32)}"` : part.ETag }));
        // The embedded store's ETags say nothing of parts.
        const refused = name === 'embedded' ? [listed, wrong] : [wrong, listed.slice(0, -1)];
        for (const parts of refused) {
          await assert.rejects(client.complete(upload, parts), (error: unknown) => {
            return error instanceof S3CallError && error.code === 'NoSuchUpload';
          });
        }
        if (name !== 'embedded') assert.equal((await client.complete(upload, listed)).ETag, ETag);
        await isWhole(client, key, Buffer.concat(contents));
      }
    });

    test('refuses to complete with an attempt that was replaced', async () => {
      const upload = await client.createUpload(bucket, 'replaced');
      const first = await client.uploadPart(upload, 1, plaintext('replaced 1', 6 * mebibyte));
      const second = await client.uploadPart(upload, 1, plaintext('replaced 2', 6 * mebibyte));
      assert.notEqual(first.ETag, second.ETag);
      await assert.rejects(client.complete(upload, [first]), (error: unknown) => {
        return error instanceof S3CallError && error.code === 'InvalidPart' && error.status === 400;
      });
      await client.complete(upload, [second]);
      await isWhole(client, 'replaced', plaintext('replaced 2', 6 * mebibyte));
    });

    test('goes on after the gateway was killed in the middle of a part', async () => {
      const parts = [6 * mebibyte, 5 * mebibyte + 1, 12 * mebibyte, 100].map((size, index) =>
        plaintext(`killed ${index}`, size),
      );
      const [one, two, three, four] = parts;
      assert.ok(one !== undefined && two !== undefined && three !== undefined && four !== undefined);
      const folder = await workspace.folder('killed');
      const [slow, never] = [join(folder, 'slow'), join(folder, 'never')];
      await writeFile(slow, three);
      const upload = await client.createUpload(bucket, 'killed');
      const named = [await client.uploadPart(upload, 1, one), await client.uploadPart(upload, 4, four)];
      const cutOff = client.uploadPart(upload, 3, { $slow: slow, until: never });
      const refused = assert.rejects(cutOff, S3CallError);
      await untilInFlight(gateway);
      await gateway.kill();
      await writeFile(never, '');
      await refused;
      await gateway.restart();
      named.push(await client.uploadPart(upload, 3, three), await client.uploadPart(upload, 2, two));
      await client.complete(upload, named);
      await isWhole(client, 'killed', Buffer.concat(parts));
    });

    test('lets the AWS CLI finish a copy during which the gateway was killed and started again', async () => {
      const file = join(await workspace.folder('cli'), 'file');
      await writePlaintext(file, 'cli killed', 100 * mebibyte);
      const aws = await awsCli(workspace, gateway.access);
      const copy = aws.ok('s3', 'cp', '--no-progress', file, `s3://${bucket}/cli-killed`);
      await untilUploading(client, 'cli-killed');
      await gateway.kill();
      await gateway.restart();
      await copy;
      const got = await client.get(bucket, 'cli-killed');
      assert.equal(got.Body.sha256, await fileDigest(file));
    });

    test('is shared by two gateways', async () => {
      const replica = await Gateway.start({ workspace, backend, replicaOf: gateway });
      const other = agent.client(replica.access);
      const parts = [5 * mebibyte, 7_000_001, 5 * mebibyte + 5, 4321].map((size, index) =>
        plaintext(`shared ${index}`, size),
      );
      const upload = await client.createUpload(bucket, 'shared');
      const turns = [other, client, other, client];
      const named = await Promise.all(
        parts.map(async (part, index) => await (turns[index] ?? client).uploadPart(upload, index + 1, part)),
      );
      assert.deepEqual(
        (await client.listParts(upload)).map(({ Size }) => Size),
        (await other.listParts(upload)).map(({ Size }) => Size),
      );
      await other.complete(upload, named);
      await isWhole(client, 'shared', Buffer.concat(parts));
      await isWhole(other, 'shared', Buffer.concat(parts));
    });

    /** Uploads of part 1, with a look at what reached the backend: over the wire, or in its files. */
    async function watchedUploads(key: string) {
      const { access } = backend;
      const proxy = access === undefined ? undefined : await RecordingProxy.start(access.endpoint, workspace);
      const watched =
        proxy === undefined
          ? gateway
          : await Gateway.start({ workspace, backend, proxiedBy: proxy.endpoint, keyring: gateway.keyring });
      const sender = agent.client(watched.access);
      const upload = await sender.createUpload(bucket, key);
      const files: Buffer[] = [];
      const send = async (bytes: Buffer) => {
        const part = await sender.uploadPart(upload, 1, bytes);
        if (proxy === undefined) files.push(...(await newFiles(backend.root, messageSize(bytes.length), files)));
        return { upload, part };
      };
      const attempts = async (lengthBytes: number, count: number): Promise<readonly Buffer[]> => {
        const seen =
          proxy === undefined ? files : proxy.parts.filter((part) => part.key === key).map(({ body }) => body);
        assert.deepEqual(
          seen.map(({ length }) => length),
          Array.from({ length: count }, () => lengthBytes),
        );
        return await Promise.resolve(seen);
      };
      return { send, attempts };
    }
  });
}

/** Files of exactly this length that hold something new. */
async function newFiles(root: string, lengthBytes: number, known: readonly Buffer[]): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  for (const path of await filesUnder(root)) {
    if ((await stat(path)).size !== lengthBytes) continue;
    const content = await readFile(path);
    if (!known.some((other) => other.equals(content))) found.push(content);
  }
  return found;
}

/** Waits until the gateway has been receiving a request for a while. */
async function untilInFlight(gateway: Gateway): Promise<void> {
  let seen = 0;
  await until('a request in flight', async () => {
    seen = (await gateway.metric('s3eg_requests_in_flight')) > 0 ? seen + 1 : 0;
    return seen >= 5;
  });
}

/** Waits until an upload of the key has a part. */
async function untilUploading(client: S3Client, key: string): Promise<void> {
  await until(`a part of ${key}`, async () => {
    const { Uploads = [] }: { Uploads?: readonly { Key: string; UploadId: string }[] } = await client.call(
      'list_multipart_uploads',
      { Bucket: bucket },
    );
    const upload = Uploads.find(({ Key }) => Key === key);
    if (upload === undefined) return false;
    const { Key, UploadId } = upload;
    try {
      return (await client.listParts({ Bucket: bucket, Key, UploadId })).length > 0;
    } catch (error) {
      // Listed before the gateway has all that it needs: its creator has not been answered yet.
      if (error instanceof S3CallError && error.code === 'NoSuchUpload') return false;
      throw error;
    }
  });
}
