import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import { contentOf, crashBucket, crashKeys, keyOf } from './crash-content.ts';

/**
 * Writes over and over until it is killed. A line on stdout before a write says which version of a key is coming, one
 * after it that the write was acknowledged: the parent knows from that what may be there afterwards.
 */
const [root = '', firstVersion = '0'] = process.argv.slice(2);
const store = await FilesystemStore.open({ root });

function say(word: string, index: number, version: number): void {
  process.stdout.write(`${word} ${index} ${version}\n`);
}

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 20_000) yield bytes.subarray(offset, offset + 20_000);
}

async function putWhole(index: number, content: Uint8Array): Promise<void> {
  await store.putObject({
    bucket: crashBucket,
    key: keyOf(index),
    headers: {},
    body: streamOf(content),
    lengthBytes: content.length,
  });
}

async function putParts(index: number, content: Uint8Array): Promise<void> {
  const address = { bucket: crashBucket, key: keyOf(index) };
  const { uploadId } = await store.createUpload({ ...address, headers: {} });
  const request = { ...address, uploadId, partNumber: 1, lengthBytes: content.length };
  await store.uploadPart({ ...request, body: streamOf(content) }); // Sent again below: the first file is replaced.
  const { etag } = await store.uploadPart({ ...request, body: streamOf(content) });
  await store.completeUpload({ ...address, uploadId, parts: [{ partNumber: 1, etag }] });
}

async function write(index: number): Promise<never> {
  for (let version = Number(firstVersion); ; version++) {
    const content = contentOf(index, version);
    say('begin', index, version);
    if (version % 3 === 2) await putParts(index, content);
    else await putWhole(index, content);
    say('done', index, version);
  }
}

await Promise.all(Array.from({ length: crashKeys }, (_, index) => write(index)));
