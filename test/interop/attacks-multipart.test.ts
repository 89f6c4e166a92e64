import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import type { ServerName } from './support/backends.ts';
import { startServer } from './support/backends.ts';
import { Target, type Range } from './support/attack.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext, SeededNumbers } from './support/plaintext.ts';
import { RecordingProxy } from './support/recording-proxy.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import {
  flipped,
  indexPlaces,
  messagePlaces,
  messageSize,
  replaced,
  segmentPlace,
  storedSize,
  swapped,
  type Place,
  type StoredObject,
} from './support/stored-object.ts';
import type { Workspace } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'attacked-parts';
const partBytes = 5 * mebibyte + 1;
/** Two parts of the same length, and a short last one. */
const parts = [plaintext('part 1', partBytes), plaintext('part 2', partBytes), plaintext('part 3', 70_001)] as const;
const bytes = Buffer.concat(parts);
const everything: Range = [0, bytes.length - 1];
const partRanges: readonly Range[] = [
  [0, partBytes - 1],
  [partBytes, 2 * partBytes - 1],
  [2 * partBytes, bytes.length - 1],
];
/** Where the stored parts are: one after the other, then the index region. */
const messages: readonly Place[] = [0, 1, 2].map((part) => {
  const start = part * messageSize(partBytes);
  return { name: `part ${part + 1}`, start, end: start + messageSize(parts[part]?.length ?? 0) };
});
const indexStart = messages.at(-1)?.end ?? 0;

function message(part: number): Place {
  const place = messages[part];
  assert.ok(place !== undefined);
  return place;
}

function range(part: number): Range {
  const found = partRanges[part];
  assert.ok(found !== undefined);
  return found;
}

interface MultipartSite {
  readonly raw: S3Client;
  readonly target: Target;
  readonly gateway: Gateway;
  readonly client: S3Client;
  /** Root of the backend's files. */
  readonly root: string;
  /** The stored bytes of the first attempt of part 1, which the client replaced. */
  readonly oldAttempt: Buffer;
}

/** Uploads the object, part 1 twice, and takes it under attack. */
async function multipartSite(name: ServerName, workspace: Workspace): Promise<MultipartSite> {
  const backend = await startServer(name, workspace);
  const proxy = await RecordingProxy.start(backend.access.endpoint, workspace);
  const gateway = await Gateway.start({ workspace, backend, proxiedBy: proxy.endpoint });
  const agent = await S3Agent.start(workspace);
  const [client, raw] = [agent.client(gateway.access), agent.client(backend.access)];
  await client.createBucket(bucket);
  const key = 'target';
  const upload = await client.createUpload(bucket, key, { Metadata: { colour: 'blue' } });
  await client.uploadPart(upload, 1, plaintext('old part 1', partBytes));
  const named = [];
  for (const [index, part] of parts.entries()) named.push(await client.uploadPart(upload, index + 1, part));
  await client.complete(upload, named);
  const [old] = proxy.parts;
  assert.ok(old !== undefined && old.partNumber === 1 && old.body.length === messageSize(partBytes));
  const folder = await workspace.folder('target');
  const target = await Target.take({ bucket, key, plaintext: bytes, gateway, client, raw, folder });
  assert.equal(target.original.bytes.length, storedSize(bytes.length));
  return { raw, target, gateway, client, root: backend.root, oldAttempt: old.body };
}

describe('attacks on a stored multipart object', () => {
  const workspace = ownWorkspace();
  const numbers = new SeededNumbers('attacks-multipart');
  let site: MultipartSite;
  let target: Target;

  before(async () => {
    site = await multipartSite('minio', workspace);
    ({ target } = site);
  });

  function withBytes(changed: Buffer): StoredObject {
    return { ...target.original, bytes: changed };
  }

  test('a changed byte anywhere in a part is refused', async () => {
    for (const [part, { start }] of messages.entries()) {
      const { length } = parts[part] ?? bytes;
      const places = messagePlaces(start, length);
      const segment = numbers.between(1, (places.length - 1) / 4 - 1);
      const looked = places.filter(({ name }) => name === 'header' || name.startsWith(`segment ${segment} `));
      assert.equal(looked.length, 5);
      const first = range(part)[0] + segment * 65_536;
      const last = Math.min(range(part)[1], first + 65_535);
      for (const place of looked) {
        const offset = numbers.between(place.start, place.end - 1);
        await target.resist({
          name: `part ${part + 1}, ${place.name}, byte ${offset}`,
          stored: withBytes(flipped(target.original.bytes, offset, numbers.between(1, 255))),
          damaged: [[first, last]],
          head: 'true',
        });
      }
    }
    await target.restore();
  });

  test('a changed byte of the index region is refused', async () => {
    for (const { name, start, end } of indexPlaces(target.original.bytes, indexStart)) {
      const offset = numbers.between(start, end - 1);
      const changed = withBytes(flipped(target.original.bytes, offset, numbers.between(1, 255)));
      // A range needs the index but not its padding.
      const damaged: readonly Range[] = name === 'padding' ? [] : [[partBytes - 5, partBytes + 5]];
      await target.resist({ name: `${name}, byte ${offset}`, stored: changed, damaged, head: 'true' });
    }
    await target.restore();
  });

  test('an object cut at a part, in a segment or in the index is refused', async () => {
    const { bytes: stored } = target.original;
    const cuts = [
      message(0).end,
      message(1).end,
      message(2).end,
      segmentPlace(message(1).start, partBytes, 3).end,
      storedSize(partBytes),
      storedSize(2 * partBytes),
      storedSize(bytes.length - 1),
      stored.length - 20,
      stored.length - 1,
    ];
    for (const cut of cuts) {
      await target.resist({
        name: `cut to ${cut} bytes`,
        stored: withBytes(stored.subarray(0, cut)),
        damaged: [everything, range(0), range(2)],
        // The envelope is made before the length is known: only the index can tell.
        head: 'unchecked',
      });
    }
    await target.restore();
  });

  test('a part left out is refused, also where the size is right and the index is there', async () => {
    const { bytes: stored } = target.original;
    for (const left of [0, 1]) {
      const kept = messages.filter((_, part) => part !== left).map(({ start, end }) => stored.subarray(start, end));
      const size = storedSize(bytes.length - partBytes);
      const front = Buffer.concat(kept);
      const end = stored.subarray(stored.length - (size - front.length));
      await target.resist({
        name: `part ${left + 1} left out`,
        stored: withBytes(Buffer.concat([front, end])),
        damaged: [everything, range(1)],
        head: 'unchecked',
      });
    }
    await target.restore();
  });

  test('parts and segments in another place are refused', async () => {
    const { bytes: stored } = target.original;
    const [one, two] = [message(0), message(1)];
    const [here, next] = [3, 4].map((k) => segmentPlace(one.start, partBytes, k));
    const there = segmentPlace(two.start, partBytes, 3);
    assert.ok(here !== undefined && next !== undefined);
    const changes: readonly (readonly [string, Buffer, readonly Range[]])[] = [
      ['parts 1 and 2 swapped', swapped(stored, one, two), [range(0), range(1), [100_000, 100_001]]],
      ['part 1 in the place of part 2', replaced(stored, two, stored.subarray(one.start, one.end)), [range(1)]],
      ['segments of one part swapped', swapped(stored, here, next), [[3 * 65_536, 4 * 65_536 - 1]]],
      ['segments of two parts swapped', swapped(stored, here, there), [[3 * 65_536, 3 * 65_536]]],
    ];
    for (const [name, changed, damaged] of changes) {
      await target.resist({ name, stored: withBytes(changed), damaged, head: 'true' });
    }
    await target.restore();
  });

  test('an old attempt of a part in the place of the one that was completed is refused', async () => {
    const mixed = replaced(target.original.bytes, message(0), site.oldAttempt);
    const damaged: readonly Range[] = [range(0), [0, 0], [1_000_000, 1_000_010], [partBytes - 1, partBytes]];
    await target.resist({ name: 'old attempt of part 1', stored: withBytes(mixed), damaged, head: 'true' });
    const segment = segmentPlace(0, partBytes, 7);
    const one = replaced(target.original.bytes, segment, site.oldAttempt.subarray(segment.start, segment.end));
    const hurt: readonly Range[] = [[7 * 65_536, 8 * 65_536 - 1]];
    await target.resist({ name: 'a segment of the old attempt', stored: withBytes(one), damaged: hurt, head: 'true' });
    await target.restore();
  });

  test('a part of another upload to the same key is refused', async () => {
    const { client, raw } = site;
    const upload = await client.createUpload(bucket, 'target', { Metadata: { colour: 'blue' } });
    const part = await client.uploadPart(upload, 1, parts[0]);
    await client.complete(upload, [part]);
    const file = join(await workspace.folder('second'), 'object');
    await raw.get(bucket, 'target', {}, file);
    const second = await readFile(file);
    const mixed = replaced(target.original.bytes, message(0), second.subarray(0, message(0).end));
    await target.resist({
      name: 'part of another upload',
      stored: withBytes(mixed),
      damaged: [range(0)],
      head: 'true',
    });
    await target.restore();
  });
});

describe('changes on the disk of a backend that does not notice', () => {
  const workspace = ownWorkspace();
  const numbers = new SeededNumbers('attacks-disk');

  test('are refused though the ETag is the same and the layout of the object is known', async () => {
    const { target, client, root } = await multipartSite('versitygw', workspace);
    const path = join(root, bucket, 'target');
    const stored = await readFile(path);
    assert.ok(stored.equals(target.original.bytes));
    const middle: Range = [partBytes + 3 * 65_536 + 10, partBytes + 3 * 65_536 + 20];
    const { ETag } = await client.head(bucket, 'target');
    const segment = segmentPlace(message(1).start, partBytes, 3);
    const index = indexPlaces(stored, indexStart)[2];
    assert.ok(index !== undefined);
    const changes: readonly (readonly [string, Buffer, readonly Range[]])[] = [
      ['a segment', flipped(stored, numbers.between(segment.start, segment.end - 1), 1), [middle]],
      ['the index', flipped(stored, numbers.between(index.start, index.end - 1), 1), []],
      ['two parts', swapped(stored, message(0), message(1)), [range(0), range(1)]],
    ];
    for (const [name, changed, damaged] of changes) {
      await client.get(bucket, 'target', { Range: `bytes=${middle[0]}-${middle[1]}` });
      await writeFile(path, changed);
      assert.equal((await client.head(bucket, 'target')).ETag, ETag);
      await target.refuses(name, damaged);
      await writeFile(path, stored);
    }
    await target.opens();
  });
});
