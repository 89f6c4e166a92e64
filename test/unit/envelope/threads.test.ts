/** Reading and writing format 1 with crypto threads: the same bytes, the same refusals. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import * as fc from 'fast-check';

import type { SegmentPool } from '../../../src/crypto/pool/segment-pool.ts';
import { EnvelopeError } from '../../../src/envelope/envelope-error.ts';
import { decryptRange } from '../../../src/envelope/object-reader.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { encryptObject } from '../../../src/envelope/object-writer.ts';
import { suitesHere } from '../../support/gaps.ts';
import { collect, streamOf } from '../crypto/floe-support.ts';
import { readyPool, testThread, until } from '../crypto/pool/pool-support.ts';
import { layoutOf, multipart, part, payload, seededRandom, single, unit } from './envelope-support.ts';
import { VectorReader, readVectors, suiteOf } from './vector-support.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

const vectors = readVectors();
let reader: VectorReader;
let pool: SegmentPool;

before(async () => {
  reader = await VectorReader.open(vectors.values());
  pool = await readyPool({ script: testThread('slow-thread'), jobBytes: 2 * unit });
});

after(async () => {
  await pool.close();
  await reader[Symbol.asyncDispose]();
});

describe('vectors of format 1, by threads', () => {
  it('are all opened or refused as they are by the event loop', async () => {
    const suites = suitesHere();
    for (const [name, vector] of vectors) {
      if (vector.opens !== undefined && !suites.includes(suiteOf(vector))) continue;
      const reading = reader.read(vector, (stored) => streamOf(stored, 50_000), pool);
      if (vector.opens === undefined) {
        await assert.rejects(
          reading,
          (error) => error instanceof EnvelopeError && vector.fails?.includes(error.code),
          name,
        );
      } else {
        const { payload } = await reading;
        assert.equal(createHash('sha256').update(payload).digest('hex'), vector.opens.payload.sha256, name);
      }
    }
    assert.ok(pool.stats.poolSegments > 0, 'threads did a part');
    assert.equal(pool.stats.lanes, 0);
    await until(() => pool.stats.busySlots === 0, 'the slots are free');
  });
});

describe('an object written by threads', () => {
  it('is stored byte for byte as the event loop stores it', async () => {
    const plaintext = payload(9 * unit + 100);
    const write = async (by?: SegmentPool) => {
      using secrets = ObjectSecrets.generate(seededRandom('secrets'));
      const { body, storedBytes } = encryptObject({
        secrets,
        suite: 'aes-256-gcm',
        segmentSizeBytes: unit,
        plaintext: streamOf(plaintext, 30_000),
        plaintextBytes: plaintext.length,
        checksums: () => [],
        random: seededRandom('nonces'),
        pool: by,
      });
      const stored = await collect(body);
      assert.equal(stored.length, storedBytes);
      return stored;
    };
    const { poolSegments } = pool.stats;
    assert.deepEqual(await write(pool), await write());
    assert.ok(pool.stats.poolSegments > poolSegments);
  });
});

describe('an object read by threads', () => {
  const large = single(20 * unit + 5);
  const inParts = multipart([part, part + 7, 3]);

  it('gives every range of a single and of a multipart object', async () => {
    for (const object of [large, inParts]) {
      const layout = layoutOf(object);
      const range = fc
        .tuple(fc.nat(layout.plaintextBytes - 1), fc.nat(layout.plaintextBytes - 1))
        .map(([one, other]) => ({ first: Math.min(one, other), last: Math.max(one, other) }));
      await fc.assert(
        fc.asyncProperty(range, async ({ first, last }) => {
          const plan = layout.locate({ first, last });
          const { secrets, envelope, stored, plaintext } = object;
          const needed = plan.headerNeeded?.storedOffset;
          const firstHeader = needed === undefined ? undefined : stored.subarray(needed, needed + 74);
          const ciphertext = streamOf(stored.subarray(plan.storedFirst, plan.storedLast + 1), 33_333);
          const opened = await collect(
            decryptRange({ secrets, envelope, layout, plan, ciphertext, pool, ...(firstHeader && { firstHeader }) }),
          );
          assert.ok(opened.equals(plaintext.subarray(first, last + 1)));
        }),
        { numRuns: 15 },
      );
    }
  });

  it('gives all segments before one that was changed, and nothing of it or behind it', async () => {
    const { secrets, envelope, stored, plaintext } = large;
    const layout = layoutOf(large);
    const plan = layout.locate({ first: 0, last: plaintext.length - 1 });
    const body = stored.subarray(plan.storedFirst, plan.storedLast + 1);
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), async (at) => {
        const changed = Buffer.from(body);
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
        const got: Uint8Array[] = [];
        await assert.rejects(
          async () => {
            const ciphertext = streamOf(changed, 33_333);
            for await (const chunk of mixedReads(decryptRange({ secrets, envelope, layout, plan, ciphertext, pool }))) {
              got.push(Uint8Array.from(chunk));
            }
          },
          { name: 'EnvelopeError', code: 'authentication_failed' },
        );
        const inBody = at - (body.length - (plaintext.length + 21 * 32));
        const whole = Math.max(0, Math.floor(inBody / (unit + 32)));
        assert.ok(Buffer.concat(got).equals(plaintext.subarray(0, whole * unit)));
      }),
      { numRuns: 20 },
    );
    assert.equal(pool.stats.lanes, 0);
    await until(() => pool.stats.busySlots === 0, 'the slots are free');
  });

  it('is told as cut short, after all whole segments there are', async () => {
    const { secrets, envelope, stored, plaintext } = large;
    const layout = layoutOf(large);
    const plan = layout.locate({ first: 0, last: plaintext.length - 1 });
    const body = stored.subarray(plan.storedFirst, plan.storedLast + 1);
    const before = body.length - (plaintext.length + 21 * 32);
    for (const length of [before + 1, before + 5 * (unit + 32), before + 6 * (unit + 32) - 1, body.length - 1]) {
      const got: Uint8Array[] = [];
      await assert.rejects(
        async () => {
          const ciphertext = streamOf(body.subarray(0, length), 33_333);
          for await (const chunk of mixedReads(decryptRange({ secrets, envelope, layout, plan, ciphertext, pool })))
            got.push(chunk);
        },
        { name: 'EnvelopeError', code: 'truncated' },
      );
      const whole = Math.floor((length - before) / (unit + 32));
      assert.ok(Buffer.concat(got).equals(plaintext.subarray(0, whole * unit)), `cut at ${length}`);
    }
  });
});
