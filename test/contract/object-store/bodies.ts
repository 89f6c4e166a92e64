import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import {
  collect,
  get,
  pattern,
  put,
  putPart,
  rejectsWith,
  startUpload,
  streamOf,
  type ContractContext,
  type ContractTest,
} from './harness.ts';

const old = Buffer.from('the old content');

/** Gives `bytes`, then throws. */
async function* failingAfter(bytes: Uint8Array, error: Error): AsyncGenerator<Uint8Array> {
  yield* streamOf(bytes, 10_000);
  throw error;
}

/** Gives `bytes`, then nothing more until it is ended from outside. */
async function* hangingAfter(bytes: Uint8Array, onHang: () => void): AsyncGenerator<Uint8Array> {
  yield* streamOf(bytes, 10_000);
  onHang();
  await new Promise<never>(() => {});
}

/** Every failed put over `k` leaves the old object and nothing else in the bucket. */
async function assertOldObject(context: ContractContext): Promise<void> {
  assert.deepEqual(await get(context, 'k'), old);
  const { objects } = await context.store.listObjects({ bucket: context.bucket, version: 2 });
  assert.deepEqual(
    objects.map(({ key, sizeBytes }) => [key, sizeBytes]),
    [['k', old.length]],
  );
}

/** Bodies that do not keep their promise, and bodies that are read while the object changes. */
export const bodyTests: readonly ContractTest[] = [
  {
    name: 'takes bodies in many small or few large chunks',
    run: async ({ store, bucket }) => {
      const bytes = pattern(200_000, 3);
      for (const chunkBytes of [997, 65_536, 200_000]) {
        const lengthBytes = bytes.length;
        await store.putObject({ bucket, key: 'k', headers: {}, body: streamOf(bytes, chunkBytes), lengthBytes });
        const object = await store.getObject({ bucket, key: 'k' });
        assert.ok(bytes.equals(await collect(object.body)), `chunks of ${chunkBytes}`);
      }
    },
  },
  {
    name: 'rejects with the error of a body that throws, and keeps the old object',
    run: async (context) => {
      await put(context, 'k', old);
      for (const sentBytes of [0, 100, 150_000]) {
        const error = new Error('the body broke');
        const body = failingAfter(pattern(sentBytes), error);
        await assert.rejects(
          context.store.putObject({ bucket: context.bucket, key: 'k', headers: {}, body, lengthBytes: 200_000 }),
          (thrown) => thrown === error,
        );
        await assertOldObject(context);
      }
    },
  },
  {
    name: 'refuses bodies that are shorter or longer than declared, and keeps the old object',
    run: async (context) => {
      await put(context, 'k', old);
      for (const [givenBytes, lengthBytes] of [
        [99_999, 100_000],
        [0, 1],
        [100_001, 100_000],
        [300_000, 100_000],
        [1, 0],
      ] as const) {
        const body = streamOf(pattern(givenBytes), 50_000);
        const promise = context.store.putObject({
          bucket: context.bucket,
          key: 'k',
          headers: {},
          body,
          lengthBytes,
        });
        await rejectsWith(promise, 'IncompleteBody', 400);
        await assertOldObject(context);
      }
    },
  },
  {
    name: 'keeps the old part when a part fails',
    run: async (context) => {
      const { store, bucket } = context;
      const upload = await startUpload(context, 'k');
      const part = await putPart(context, upload, 1, old);
      const error = new Error('the body broke');
      const request = { bucket, ...upload, partNumber: 1, lengthBytes: 200_000 };
      await assert.rejects(
        store.uploadPart({ ...request, body: failingAfter(pattern(150_000), error) }),
        (thrown) => thrown === error,
      );
      await rejectsWith(store.uploadPart({ ...request, body: streamOf(pattern(199_999)) }), 'IncompleteBody', 400);
      await store.completeUpload({ bucket, ...upload, parts: [part] });
      assert.deepEqual(await get(context, 'k'), old);
    },
  },
  {
    name: 'ends a put when its signal is aborted, and keeps the old object',
    run: async (context) => {
      await put(context, 'k', old);
      const controller = new AbortController();
      const body = hangingAfter(pattern(100_000), () => controller.abort());
      await assert.rejects(
        context.store.putObject(
          { bucket: context.bucket, key: 'k', headers: {}, body, lengthBytes: 200_000 },
          { signal: controller.signal },
        ),
      );
      await assertOldObject(context);
    },
  },
  {
    name: 'does nothing when its signal is aborted already',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', old);
      const options = { signal: AbortSignal.abort() };
      await assert.rejects(
        store.putObject({ bucket, key: 'k', headers: {}, body: streamOf(pattern(9)), lengthBytes: 9 }, options),
      );
      await assert.rejects(store.getObject({ bucket, key: 'k' }, options));
      await assert.rejects(store.deleteObject({ bucket, key: 'k' }, options));
      await assert.rejects(store.listObjects({ bucket, version: 2 }, options));
      await assertOldObject(context);
    },
  },
  {
    name: 'breaks a read when its signal is aborted',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', pattern(8_000_000));
      const controller = new AbortController();
      const object = await store.getObject({ bucket, key: 'k' }, { signal: controller.signal });
      let readBytes = 0;
      await assert.rejects(async () => {
        for await (const chunk of object.body) {
          readBytes += chunk.length;
          controller.abort();
        }
      });
      assert.ok(readBytes < 8_000_000);
    },
  },
  {
    name: 'can be left in mid-read or before it, many times over',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', pattern(2_000_000));
      for (let round = 0; round < 100; round++) {
        const object = await store.getObject({ bucket, key: 'k' });
        if (round % 2 === 0) await object.discard();
        else for await (const chunk of object.body) if (chunk.length > 0) break;
      }
      assert.equal((await get(context, 'k')).length, 2_000_000);
    },
  },
  {
    name: 'never reuses the memory of a chunk it gave out',
    run: async (context) => {
      const bytes = pattern(5_000_000, 11);
      await put(context, 'k', bytes);
      const object = await context.store.getObject({ bucket: context.bucket, key: 'k' });
      const chunks: Uint8Array[] = [];
      for await (const chunk of object.body) {
        chunks.push(chunk);
        await delay(0);
      }
      assert.ok(bytes.equals(Buffer.concat(chunks)));
    },
  },
  {
    name: 'lets a reader finish the old bytes while the object is replaced or deleted',
    run: async (context) => {
      const { store, bucket } = context;
      for (const change of ['replace', 'delete'] as const) {
        const before = pattern(6_000_000, 5);
        await put(context, 'k', before);
        const object = await store.getObject({ bucket, key: 'k' });
        const chunks: Uint8Array[] = [];
        for await (const chunk of object.body) {
          if (chunks.length === 0) {
            if (change === 'replace') await put(context, 'k', pattern(6_000_000, 6));
            else await store.deleteObject({ bucket, key: 'k' });
          }
          chunks.push(chunk);
        }
        assert.ok(before.equals(Buffer.concat(chunks)), `${change} changed what a reader got`);
      }
    },
  },
  {
    name: 'shows whole objects only, under many writers and readers',
    run: async (context) => {
      const { store, bucket } = context;
      const contents = [1, 2, 3, 4].map((seed) => pattern(150_000 + seed, seed));
      await put(context, 'k', contents[0] ?? old);
      const write = async (bytes: Uint8Array) => {
        for (let round = 0; round < 5; round++) await put(context, 'k', bytes);
      };
      const read = async () => {
        for (let round = 0; round < 20; round++) {
          const object = await store.getObject({ bucket, key: 'k' });
          const bytes = await collect(object.body);
          assert.equal(bytes.length, object.sizeBytes);
          assert.ok(
            contents.some((content) => content.equals(bytes)),
            'a torn object',
          );
        }
      };
      await Promise.all([...contents.map(write), read(), read()]);
    },
  },
];
