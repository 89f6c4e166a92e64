import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { runSeed, SeededRandom, seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { listObjects } from './support/listing.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  type Upload,
  uploadPart,
} from './support/multipart.ts';

const minPartBytes = 5 * 1024 * 1024;
const bucket = 'model';
const keys = ['a', 'a/b', 'a/b/c', 'a//', 'b', 'ü', '🎉', 'z z'];
const steps = 160;

interface ModelObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly note: string;
}

interface ModelUpload {
  readonly upload: Upload;
  readonly note: string;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

function ids(uploads: readonly Upload[]): string[] {
  return uploads.map(({ key, uploadId }) => `${key} ${uploadId}`);
}

/** What an S3 bucket is, in memory: what the gateways are held against. */
class Model {
  readonly objects = new Map<string, ModelObject>();
  readonly uploads: ModelUpload[] = [];
}

describe('many requests in a random order, to two gateways that are killed now and then', () => {
  const random = new SeededRandom(`model ${runSeed}`);
  const model = new Model();
  const gateways: Gateway[] = [];
  const clients: S3Client[] = [];
  const history: string[] = [];
  let directory = '';
  let bodies = 0;

  before(async () => {
    directory = await temporaryDirectory();
    for (const index of [0, 1]) await start(index);
    await any().createBucket(bucket);
  });
  after(async () => {
    for (const client of clients) client[Symbol.dispose]();
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function start(index: number): Promise<void> {
    const gateway = await Gateway.start({ directory });
    gateways[index] = gateway;
    clients[index] = new S3Client(gateway);
  }

  const any = (): S3Client => random.pick(clients);
  const newBody = (): Buffer =>
    seededBytes(`body ${bodies++} ${runSeed}`, random.pick([0, 1, 100, 65_535, 65_536, 65_537, 200_000]));

  const actions: Readonly<Record<string, (key: string) => Promise<void>>> = {
    async put(key) {
      const [body, note] = [newBody(), `note ${random.below(1000)}`];
      const { outcome, etag } = await any().put(bucket, key, body, { 'x-amz-meta-note': note });
      assert.equal(outcome, '200');
      model.objects.set(key, { body, etag, note });
    },
    async putIfNew(key) {
      const [body, note] = [newBody(), 'new'];
      const headers = { 'if-none-match': '*', 'x-amz-meta-note': note };
      const { outcome, etag } = await any().put(bucket, key, body, headers);
      assert.equal(outcome, model.objects.has(key) ? '412 PreconditionFailed' : '200');
      if (outcome === '200') model.objects.set(key, { body, etag, note });
    },
    async putIfSame(key) {
      const known = model.objects.get(key);
      const [body, note] = [newBody(), 'same'];
      const headers = { 'if-match': known?.etag ?? '"none"', 'x-amz-meta-note': note };
      const { outcome, etag } = await any().put(bucket, key, body, headers);
      assert.equal(outcome, known === undefined ? '404 NoSuchKey' : '200');
      if (outcome === '200') model.objects.set(key, { body, etag, note });
    },
    async get(key) {
      const known = model.objects.get(key);
      const got = await any().get(bucket, key);
      if (known === undefined) return assert.equal(got.outcome, '404 NoSuchKey');
      assert.deepEqual([got.status, got.etag, got.headers['x-amz-meta-note']], [200, known.etag, known.note]);
      assert.ok(got.body.equals(known.body));
    },
    async range(key) {
      const known = model.objects.get(key);
      const first = random.below(random.pick([10, 70_000, 6_000_000]));
      const last = first + random.below(100_000);
      const got = await any().get(bucket, key, { range: `bytes=${first}-${last}` });
      if (known === undefined) return assert.equal(got.outcome, '404 NoSuchKey');
      if (first >= known.body.length) return assert.equal(got.outcome, '416 InvalidRange');
      assert.equal(got.status, 206);
      assert.ok(got.body.equals(known.body.subarray(first, last + 1)));
    },
    async head(key) {
      const known = model.objects.get(key);
      const { status, headers } = await any().head(bucket, key);
      if (known === undefined) return assert.equal(status, 404);
      assert.deepEqual(
        [status, headers['content-length'], headers['etag']],
        [200, String(known.body.length), known.etag],
      );
    },
    async delete(key) {
      assert.equal((await any().delete(bucket, key)).status, 204);
      model.objects.delete(key);
    },
    async list() {
      const maxKeys = random.pick([1, 3, 1000]);
      const { objects } = await listObjects(any(), bucket, { version: random.pick([1, 2]), maxKeys });
      const expected = [...model.objects]
        .map(([key, { body, etag }]) => ({ key, etag, sizeBytes: body.length }))
        .toSorted((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
      assert.deepEqual(
        objects.map(({ key, etag, sizeBytes }) => ({ key, etag, sizeBytes })),
        expected,
      );
    },
    async create(key) {
      const note = `upload ${random.below(1000)}`;
      const upload = await createUpload(any(), bucket, key, { 'x-amz-meta-note': note });
      model.uploads.push({ upload, note, parts: new Map() });
    },
    async part() {
      if (model.uploads.length === 0) return;
      const { upload, parts } = random.pick(model.uploads);
      const number = 1 + random.below(4);
      const body = random.below(3) === 0 ? newBody() : seededBytes(`part ${bodies++}`, minPartBytes + random.below(3));
      const { etag } = await uploadPart(any(), upload, number, body);
      parts.set(number, { body, etag });
    },
    async listParts() {
      if (model.uploads.length === 0) return;
      const { upload, parts } = random.pick(model.uploads);
      const listed = await listParts(any(), upload);
      const expected = [...parts].toSorted(([left], [right]) => left - right);
      assert.deepEqual(
        listed.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
        expected.map(([number, { body }]) => [number, body.length]),
      );
    },
    async listUploads() {
      const listed = await listUploads(any(), bucket, { 'max-uploads': random.pick(['1', '1000']) });
      assert.deepEqual(ids(listed).toSorted(), ids(model.uploads.map(({ upload }) => upload)).toSorted());
    },
    async complete() {
      const [chosen] = model.uploads;
      if (chosen === undefined) return;
      const { upload, note, parts } = chosen;
      const named = [...parts].toSorted(([left], [right]) => left - right);
      const entries = named.map(([partNumber, { etag }]) => ({ partNumber, etag }));
      const completed = await completeUpload(any(), upload, entries);
      const isTooSmall = named.slice(0, -1).some(([, { body }]) => body.length < minPartBytes);
      if (named.length === 0) return assert.equal(completed.outcome, '400 MalformedXML');
      if (isTooSmall) return assert.equal(completed.outcome, '400 EntityTooSmall');
      assert.equal(completed.outcome, '200', completed.text);
      model.uploads.shift();
      const body = Buffer.concat(named.map(([, part]) => part.body));
      const { etag } = await any().head(bucket, upload.key);
      model.objects.set(upload.key, { body, etag, note });
      if (random.below(2) === 0) assert.equal((await completeUpload(any(), upload, entries)).outcome, '200', 'again');
    },
    async abort() {
      if (model.uploads.length === 0) return;
      const [aborted] = model.uploads.splice(random.below(model.uploads.length), 1);
      assert.ok(aborted !== undefined);
      assert.equal((await abortUpload(any(), aborted.upload)).status, 204);
    },
    async kill() {
      const index = random.below(2);
      await gateways[index]?.kill();
      clients[index]?.[Symbol.dispose]();
      await start(index);
    },
  };

  /** More of what makes states, less of what costs time. */
  const weighted = (
    'put put putIfNew putIfSame get get get range range range head delete list ' +
    'create create part part part listParts listUploads complete complete abort'
  ).split(' ');

  it('give what the model gives', async () => {
    for (let step = 0; step < steps; step++) {
      const name = step % 60 === 59 ? 'kill' : random.pick(weighted);
      const key = random.pick(keys);
      history.push(`${name} ${key}`);
      try {
        await actions[name]?.(key);
      } catch (error) {
        const last = history.slice(-40).join(', ');
        throw new Error(`step ${step}, E2E_SEED=${runSeed}: ${last}`, { cause: error });
      }
    }
    for (const key of keys) await actions['get']?.(key);
    await actions['list']?.('');
    await actions['listUploads']?.('');
  });

  it('leave nothing behind but what the model has', async () => {
    for (const { upload } of model.uploads) assert.equal((await abortUpload(any(), upload)).status, 204);
    for (const key of model.objects.keys()) await any().delete(bucket, key);
    const [gateway] = gateways;
    assert.ok(gateway !== undefined);
    const own = gateway.storedKeys(bucket);
    assert.ok(
      own.every((key) => key.startsWith('.s3eg/canary/')),
      own.join(),
    );
    await gateway.untilStored((await gateway.storedFiles()).slice(0, own.length), 'only the canary');
  });
});
