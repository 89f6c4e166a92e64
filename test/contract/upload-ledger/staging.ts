import assert from 'node:assert/strict';

import { chunksOf, collect, content, names, readBack, stage, tagOf, type ContractTest } from './harness.ts';

export const stagingTests: readonly ContractTest[] = [
  {
    name: 'lists what was staged by part number, here, on another replica and after a restart',
    async run({ ledger, replica, restarted, upload }) {
      const order = [3, 10_000, 1, 20, 2];
      for (const partNumber of order) await ledger.stagePart(upload, stage(partNumber, 1, content(200, partNumber)));
      for (const other of [ledger, replica, await restarted()]) {
        const parts = await other.stagedParts(upload);
        assert.deepEqual(
          parts.map(({ partNumber }) => partNumber),
          [1, 2, 3, 20, 10_000],
        );
        for (const part of parts) assert.deepEqual(await readBack(other, upload, part), content(200, part.partNumber));
      }
    },
  },
  {
    name: 'says of a staged part what it was told, and the ETag that staging gave',
    async run({ ledger, upload }) {
      const beforeMs = Date.now();
      const request = { ...stage(7, 0xfe_dc, content(5000, 1)), plaintextBytes: 4894 };
      const { etag } = await ledger.stagePart(upload, request);
      assert.match(etag, /^".+"$/);
      const [part, ...others] = await ledger.stagedParts(upload);
      assert.ok(part !== undefined && others.length === 0);
      const { lastModified, ...told } = part;
      assert.deepEqual(told, {
        partNumber: 7,
        attemptTag: '000000000000fedc',
        plaintextBytes: 4894,
        sizeBytes: 5000,
        etag,
      });
      assert.match(lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      // Servers count in seconds, and have clocks of their own.
      assert.ok(Math.abs(Date.parse(lastModified) - beforeMs) < 120_000, lastModified);
    },
  },
  {
    name: 'keeps the attempts of a part apart',
    async run({ ledger, replica, upload }) {
      const lengths = [300, 20, 300, 0, 4000];
      for (const [attempt, length] of lengths.entries()) {
        const staging = attempt % 2 === 0 ? ledger : replica;
        await staging.stagePart(upload, stage(1, attempt, content(length, attempt)));
      }
      const parts = await replica.stagedParts(upload);
      assert.deepEqual(
        names(parts).toSorted(),
        lengths.map((_, attempt) => `1 ${tagOf(attempt)}`),
      );
      for (const part of parts) {
        const attempt = Number.parseInt(part.attemptTag, 16);
        assert.deepEqual(await readBack(ledger, upload, part), content(lengths[attempt] ?? -1, attempt));
      }
    },
  },
  {
    name: 'keeps the parts of different uploads apart',
    async run({ ledger, upload }) {
      const other = { ...upload, uploadId: `${upload.uploadId}-2` };
      await ledger.stagePart(upload, stage(1, 1, content(50, 1)));
      await ledger.stagePart(other, stage(2, 2, content(60, 2)));
      assert.deepEqual(names(await ledger.stagedParts(upload)), [`1 ${tagOf(1)}`]);
      assert.deepEqual(names(await ledger.stagedParts(other)), [`2 ${tagOf(2)}`]);
    },
  },
  {
    name: 'takes a part of the largest size that is staged',
    async run({ ledger, upload }) {
      const lengthBytes = 5 * 1024 ** 2 - 1 + 74 + 80 * 32;
      const body = content(lengthBytes, 9);
      await ledger.stagePart(upload, { ...stage(1, 1, body), plaintextBytes: 5 * 1024 ** 2 - 1 });
      const [part] = await ledger.stagedParts(upload);
      assert.ok(part !== undefined);
      assert.equal(part.plaintextBytes, 5 * 1024 ** 2 - 1);
      const read = await readBack(ledger, upload, part);
      assert.ok(read.equals(body));
    },
  },
  {
    name: 'stages nothing when the body is cut short, too long, or fails',
    async run({ ledger, restarted, upload }) {
      const bytes = content(30_000, 1);
      const failure = new Error('the checksum does not match');
      const broken = (async function* broken() {
        yield* chunksOf(bytes);
        throw failure;
      })();
      const request = stage(1, 1, bytes);
      await assert.rejects(ledger.stagePart(upload, { ...request, body: chunksOf(bytes.subarray(1)) }));
      await assert.rejects(ledger.stagePart(upload, { ...request, body: chunksOf(Buffer.concat([bytes, bytes])) }));
      await assert.rejects(ledger.stagePart(upload, { ...request, body: broken }), (error) => error === failure);
      const reason = new Error('the client has left');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(ledger.stagePart(upload, stage(1, 1, bytes), { signal }), (error) => error === reason);
      assert.deepEqual(await (await restarted()).stagedParts(upload), []);
    },
  },
  {
    name: 'goes on after a reader that stops early',
    async run({ ledger, upload }) {
      const bytes = content(200_000, 1);
      await ledger.stagePart(upload, stage(1, 1, bytes));
      const [part] = await ledger.stagedParts(upload);
      assert.ok(part !== undefined);
      for (let count = 0; count < 20; count++) {
        for await (const chunk of await ledger.readStagedPart(upload, part)) {
          assert.ok(chunk.length > 0);
          break;
        }
      }
      assert.deepEqual(await collect(await ledger.readStagedPart(upload, part)), bytes);
    },
  },
  {
    name: 'does not give the bytes of a part that is not the one that was listed',
    async run({ ledger, upload }) {
      await ledger.stagePart(upload, stage(1, 1, content(500, 1)));
      const [part] = await ledger.stagedParts(upload);
      assert.ok(part !== undefined);
      await ledger.stagePart(upload, stage(1, 1, content(500, 2)));
      await assert.rejects(readBack(ledger, upload, part));
      await assert.rejects(readBack(ledger, upload, { ...part, attemptTag: tagOf(5) }));
    },
  },
];
