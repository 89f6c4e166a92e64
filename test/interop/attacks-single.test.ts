import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { Target, type Range } from './support/attack.ts';
import { plaintext, randomBytesOf, SeededNumbers } from './support/plaintext.ts';
import type { S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite, type Site } from './support/site.ts';
import {
  flipped,
  indexPlaces,
  messagePlaces,
  messageSize,
  readStored,
  replaced,
  segmentBytes,
  segmentPlace,
  storedSize,
  swapped,
  type StoredObject,
} from './support/stored-object.ts';

const bucket = 'attacked';
const headers = { ContentType: 'text/x-attacked', Metadata: { colour: 'blue', owner: 'me' } };
const bytes = plaintext('attacked', 300_000);
const indexStart = messageSize(bytes.length);
const everything: Range = [0, bytes.length - 1];

/** The plaintext of a segment. */
function segmentRange(k: number): Range {
  return [k * segmentBytes, Math.min(bytes.length, (k + 1) * segmentBytes) - 1];
}

describe('attacks on a stored object of one message', () => {
  const workspace = ownWorkspace();
  const numbers = new SeededNumbers('attacks-single');
  let site: Site;
  let raw: S3Client;
  let target: Target;
  let other: StoredObject;

  before(async () => {
    site = await startSite('minio', workspace);
    const { access } = site.gateway.backend;
    assert.ok(access !== undefined);
    raw = site.agent.client(access);
    await site.client.createBucket(bucket);
    target = await attack('target', bytes);
    await site.client.put(bucket, 'other', plaintext('other', bytes.length), headers);
    other = await readStored({ raw, bucket, key: 'other', file: `${await workspace.folder('other')}/object` });
    assert.equal(target.original.bytes.length, storedSize(bytes.length));
    assert.equal(other.bytes.length, target.original.bytes.length);
  });

  async function attack(key: string, content: Buffer): Promise<Target> {
    await site.client.put(bucket, key, content, headers);
    const { gateway, client } = site;
    const folder = await workspace.folder(key);
    return await Target.take({ bucket, key, plaintext: content, gateway, client, raw, folder });
  }

  /** The attacked object with other bytes. */
  function withBytes(changed: Buffer): StoredObject {
    return { ...target.original, bytes: changed };
  }

  test('a changed byte anywhere in a segment is refused', async () => {
    const { bytes: stored } = target.original;
    const places = messagePlaces(0, bytes.length).filter(({ name }) => name !== 'header');
    assert.equal(places.length, 5 * 4);
    for (const { name, start, end } of places) {
      const offset = numbers.between(start, end - 1);
      const k = Number(name.split(' ')[1]);
      await target.resist({
        name: `${name}, byte ${offset}`,
        stored: withBytes(flipped(stored, offset, numbers.between(1, 255))),
        damaged: [segmentRange(k), [segmentRange(k)[1], segmentRange(k)[1]]],
        head: 'true',
      });
    }
    await target.restore();
  });

  test('a changed byte of the header or the index region is refused by whoever reads it', async () => {
    const { bytes: stored } = target.original;
    const [header] = messagePlaces(0, bytes.length);
    assert.ok(header !== undefined);
    const index = indexPlaces(stored, indexStart);
    for (const { name, start, end } of [header, header, header, ...index, ...index]) {
      const offset = numbers.between(start, end - 1);
      const changed = withBytes(flipped(stored, offset, numbers.between(1, 255)));
      await target.resist({ name: `${name}, byte ${offset}`, stored: changed, damaged: [], head: 'true' });
    }
    await target.restore();
  });

  test('each byte of a small object is guarded', async () => {
    const small = await attack('small', Buffer.from('0123456789'));
    const { original } = small;
    for (let offset = 0; offset < original.bytes.length; offset += numbers.between(1, 7)) {
      const changed = flipped(original.bytes, offset, 1 << numbers.between(0, 7));
      await small.resist({
        name: `byte ${offset}`,
        stored: { ...original, bytes: changed },
        damaged: [],
        head: 'true',
      });
    }
    await small.restore();
  });

  test('an object cut short or made longer is refused', async () => {
    const { bytes: stored } = target.original;
    const sealedIndex = indexPlaces(stored, indexStart)[2];
    assert.ok(sealedIndex !== undefined);
    const cuts = [
      ...[0, 1, 3, 4].map((k) => segmentPlace(0, bytes.length, k).end),
      ...[1, 2, 4].map((k) => storedSize(k * segmentBytes)),
      0,
      1,
      10,
      74,
      indexStart + 1,
      sealedIndex.start + 5,
      storedSize(bytes.length - 1),
      stored.length - 8,
      stored.length - 1,
    ];
    for (const cut of cuts) {
      await target.resist({
        name: `cut to ${cut} bytes`,
        stored: withBytes(stored.subarray(0, cut)),
        damaged: [everything, [bytes.length - 1, bytes.length - 1]],
        head: 'refused',
      });
    }
    for (const extra of [1, storedSize(bytes.length + 1) - stored.length, 70_000]) {
      const longer = Buffer.concat([stored, randomBytesOf('extra', extra)]);
      await target.resist({
        name: `${extra} bytes more`,
        stored: withBytes(longer),
        damaged: [],
        head: 'refused',
      });
    }
    await target.restore();
  });

  test('an object shortened with its own end put back is refused', async () => {
    const { bytes: stored } = target.original;
    for (const k of [1, 3]) {
      const size = storedSize(k * segmentBytes);
      const front = stored.subarray(0, segmentPlace(0, bytes.length, k - 1).end);
      const end = stored.subarray(stored.length - (size - front.length));
      await target.resist({
        name: `${k} segments and the index`,
        stored: withBytes(Buffer.concat([front, end])),
        damaged: [everything],
        head: 'refused',
      });
    }
    await target.restore();
  });

  test('segments in another place, twice, or of another object are refused', async () => {
    const { bytes: stored } = target.original;
    const [zero, one, two] = [0, 1, 2].map((k) => segmentPlace(0, bytes.length, k));
    assert.ok(zero !== undefined && one !== undefined && two !== undefined);
    const changes = {
      'segments 1 and 2 swapped': swapped(stored, one, two),
      'segments 0 and 1 swapped': swapped(stored, zero, one),
      'segment 1 instead of 2': replaced(stored, two, stored.subarray(one.start, one.end)),
      'segment 1 of another object': replaced(stored, one, other.bytes.subarray(one.start, one.end)),
    };
    for (const [name, changed] of Object.entries(changes)) {
      const k = name.endsWith('instead of 2') ? 2 : 1;
      await target.resist({ name, stored: withBytes(changed), damaged: [segmentRange(k)], head: 'true' });
    }
    await target.restore();
  });

  test('another object in its place is refused, with and without its metadata', async () => {
    const all: readonly Range[] = [everything, segmentRange(2)];
    await target.resist({ name: 'another object', stored: other, damaged: all, head: 'refused' });
    await target.resist({
      name: 'bytes of another object',
      stored: withBytes(other.bytes),
      damaged: all,
      head: 'true',
    });
    const envelope = { ...target.original, metadata: other.metadata };
    await target.resist({ name: 'metadata of another object', stored: envelope, damaged: all, head: 'refused' });
    await target.restore();
  });

  test('plaintext in its place is refused, with and without its metadata', async () => {
    const fake = plaintext('forged', bytes.length);
    const padded = Buffer.concat([fake, Buffer.alloc(storedSize(bytes.length) - fake.length)]);
    const signed = replaced(
      padded,
      { name: 'magic', start: padded.length - 4, end: padded.length },
      Buffer.from('S3E1'),
    );
    const [header] = messagePlaces(0, bytes.length);
    assert.ok(header !== undefined);
    const behindHeader = replaced(signed, header, target.original.bytes.subarray(0, header.end));
    const all: readonly Range[] = [everything, segmentRange(1), [0, 0]];
    const plain: StoredObject = { bytes: fake, metadata: headers.Metadata, contentType: headers.ContentType };
    await target.resist({ name: 'plaintext', stored: plain, damaged: all, head: 'refused' });
    await target.resist({ name: 'plaintext, envelope kept', stored: withBytes(fake), damaged: all, head: 'refused' });
    for (const forged of [padded, signed, behindHeader]) {
      await target.resist({
        name: 'plaintext of the right size',
        stored: withBytes(forged),
        damaged: all,
        head: 'true',
      });
    }
    await target.restore();
  });

  test('changed metadata is refused', async () => {
    const { original } = target;
    const { metadata } = original;
    const { owner: _owner, ...withoutOwner } = metadata;
    const { s3eg: envelope = '', ...withoutEnvelope } = metadata;
    const changes: Readonly<Record<string, Partial<StoredObject>>> = {
      'another value': { metadata: { ...metadata, owner: 'you' } },
      'a field more': { metadata: { ...metadata, added: 'x' } },
      'a field less': { metadata: withoutOwner },
      'another type': { contentType: 'text/html' },
      'no envelope': { metadata: withoutEnvelope },
      'half an envelope': { metadata: { ...metadata, s3eg: envelope.slice(0, envelope.length >> 1) } },
      'an envelope that is none': { metadata: { ...metadata, s3eg: 'AQ' } },
    };
    for (const [name, change] of Object.entries(changes)) {
      await target.resist({ name, stored: { ...original, ...change }, damaged: [everything], head: 'refused' });
    }
    for (let round = 0; round < 24; round++) {
      const place = numbers.between(0, envelope.length - 1);
      const letter = envelope[place] === 'A' ? 'B' : 'A';
      const s3eg = `${envelope.slice(0, place)}${letter}${envelope.slice(place + 1)}`;
      const stored = { ...original, metadata: { ...metadata, s3eg } };
      await target.resist({
        name: `character ${place} of the envelope`,
        stored,
        damaged: [everything],
        head: 'refused',
      });
    }
    await target.restore();
  });
});
