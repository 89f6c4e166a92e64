import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import * as fc from 'fast-check';

import { handOver } from '../../../../src/base/chunk-memory.ts';
import type { ByteStream } from '../../../../src/base/byte-stream.ts';
import { encryptMessage } from '../../../../src/crypto/floe-stream.ts';
import { FloeEncryptor, type FloeSuite } from '../../../../src/crypto/floe.ts';
import type { SegmentPool } from '../../../../src/crypto/pool/segment-pool.ts';
import type { RandomSource } from '../../../../src/crypto/random.ts';
import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import { suitesHere } from '../../../support/gaps.ts';
import { collect, patternBytes, pieces, referenceDecrypt, scriptedRandom, streamOf } from '../floe-support.ts';
import { readyPool, testThread, until } from './pool-support.ts';

const keyBytes = Buffer.alloc(32, 3);
const key = SecretBytes.copyOf(keyBytes);
const aad = Buffer.from('pool');

/** The same "random" bytes each time. */
function countingRandom(): RandomSource {
  let next = 0;
  return (length) => Buffer.from(Uint8Array.from({ length }, () => (next = (next * 31 + 7) % 251)));
}

interface Recipe {
  readonly suite?: FloeSuite;
  readonly segmentSizeBytes: number;
  readonly plaintext: () => ByteStream;
  readonly plaintextBytes: number;
}

async function encrypt(recipe: Recipe, pool?: SegmentPool): Promise<Buffer> {
  const { suite = 'aes-256-gcm', segmentSizeBytes, plaintextBytes } = recipe;
  using encryptor = new FloeEncryptor(key, aad, { suite, segmentSizeBytes }, { random: countingRandom() });
  const offload = pool === undefined ? undefined : { pool, plaintextBytes };
  return await collect(encryptMessage(encryptor, recipe.plaintext(), offload));
}

/** Chunks of the given sizes in turn, some handed over as a socket's are, some not. */
async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): ByteStream & AsyncGenerator<Uint8Array> {
  let turn = 0;
  for (let offset = 0; offset < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    const chunk = Uint8Array.from(bytes.subarray(offset, offset + size));
    offset += size;
    if (turn % 5 === 4) await new Promise((resolve) => setImmediate(resolve));
    yield turn % 3 === 2 ? chunk : handOver(chunk);
  }
}

describe('encryption with slow threads', () => {
  let pool: SegmentPool;
  before(async () => {
    pool = await readyPool({ script: testThread('slow-thread') });
  });
  after(() => pool.close());

  it('writes what the event loop alone writes, byte for byte, however the chunks come', async () => {
    const before = pool.stats;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          length: fc.integer({ min: 0, max: 6000 }),
          segmentSizeBytes: fc.integer({ min: 1, max: 200 }),
          sizes: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
          suite: fc.constantFrom<FloeSuite>(...suitesHere()),
        }),
        async ({ length, segmentSizeBytes, sizes, suite }) => {
          const bytes = patternBytes(length);
          const recipe = { suite, segmentSizeBytes, plaintext: () => chunksOf(bytes, sizes), plaintextBytes: length };
          const alone = await encrypt(recipe);
          assert.deepEqual(await encrypt(recipe, pool), alone);
          assert.deepEqual(referenceDecrypt(suite, { key: keyBytes, aad, message: alone }), bytes);
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(pool.stats.poolSegments > before.poolSegments, 'threads did a part');
    assert.equal(pool.stats.busySlots, 0);
    assert.equal(pool.stats.lanes, 0);
  });

  it('gives large chunks to threads as they are, and they come back in order', async () => {
    const bytes = patternBytes(3 * 1024 * 1024 + 17);
    const recipe = {
      segmentSizeBytes: 65_536,
      plaintext: () => chunksOf(bytes, [65_536, 40_000]),
      plaintextBytes: bytes.length,
    };
    assert.deepEqual(await encrypt(recipe, pool), await encrypt(recipe));
  });

  it('passes on a failure of the source after the segments before it, and makes no final one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 4000 }), async (failsAt) => {
        const bytes = patternBytes(5000);
        async function* failing(): ByteStream & AsyncGenerator<Uint8Array> {
          yield* chunksOf(bytes.subarray(0, failsAt), [300]);
          throw new Error('the client is gone');
        }
        const recipe = { segmentSizeBytes: 50, plaintext: () => chunksOf(bytes, [300]), plaintextBytes: bytes.length };
        const whole = await encrypt(recipe);
        using encryptor = new FloeEncryptor(
          key,
          aad,
          { suite: 'aes-256-gcm', segmentSizeBytes: 50 },
          { random: countingRandom() },
        );
        const got: Uint8Array[] = [];
        await assert.rejects(async () => {
          const stream = encryptMessage(encryptor, failing(), { pool, plaintextBytes: bytes.length });
          for await (const chunk of stream) got.push(chunk);
        }, /the client is gone/);
        const written = Buffer.concat(got);
        assert.deepEqual(written, whole.subarray(0, written.length));
        assert.ok(written.length <= 74 + Math.ceil(failsAt / 50) * 82);
      }),
      { numRuns: 25 },
    );
    assert.equal(pool.stats.lanes, 0);
  });
});

describe('known answers of FLOE by threads', () => {
  const folder = new URL('../../../vectors/floe/', import.meta.url);
  const names = readdirSync(folder).filter(
    // Ours never ends a message with a segment of nothing that is not its only one; Java's may.
    (name) => name.endsWith('_ct.txt') && !name.startsWith('java_lastSegEmpty'),
  );
  const read = (file: string): Buffer => Buffer.from(readFileSync(new URL(file, folder), 'ascii').trim(), 'hex');
  let pool: SegmentPool;
  before(async () => {
    // One segment goes to a thread at a time, the first one never.
    pool = await readyPool({ jobBytes: 1 });
  });
  after(() => pool.close());

  for (const name of names) {
    it(name, async () => {
      const message = read(name);
      const plaintext = read(name.replace('_ct', '_pt'));
      const segmentSizeBytes = message.readUInt32BE(2) - 32;
      const ivs = pieces(message.subarray(74), segmentSizeBytes + 32).map((segment) => segment.subarray(4, 16));
      const random = scriptedRandom(Buffer.concat([message.subarray(10, 42), ...ivs]));
      const rotationMaskBits = name.includes('_rotation') ? 2 : 20;
      using secret = SecretBytes.copyOf(Buffer.alloc(32));
      using encryptor = new FloeEncryptor(
        secret,
        Buffer.from('This is AAD'),
        { suite: 'aes-256-gcm', segmentSizeBytes },
        { random, rotationMaskBits },
      );
      const offload = { pool, plaintextBytes: plaintext.length };
      assert.deepEqual(await collect(encryptMessage(encryptor, streamOf(plaintext, 7), offload)), message);
    });
  }

  it('were made by threads where there are two segments or more', async () => {
    await until(() => pool.stats.busySlots === 0, 'all is done');
    assert.ok(pool.stats.poolSegments > 0);
  });
});
