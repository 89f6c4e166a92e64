import { streamOf } from '../../base/streams.ts';
import type { CompletedPart, UploadAddress } from '../../store/object-store.ts';
import { expect, type ProbeClient } from './probe.ts';

/** S3's smallest part, the last one apart. */
const minPartBytes = 5 * 1024 ** 2;

/** An open upload. */
interface ProbeUpload {
  readonly upload: UploadAddress;
  /** Uploads a part of bytes that have the value of its number. */
  readonly part: (partNumber: number, lengthBytes: number) => Promise<CompletedPart>;
}

/** Begins an upload; whoever cleans up aborts it where nobody completed it. */
export async function startProbeUpload(client: ProbeClient, name: string): Promise<ProbeUpload> {
  const at = client.at(name);
  const { uploadId } = await client.store.createUpload({ ...at, headers: {} }, client.options);
  const upload = { ...at, uploadId };
  client.begun.push(upload);
  const part = async (partNumber: number, lengthBytes: number): Promise<CompletedPart> => {
    const body = streamOf(Buffer.alloc(lengthBytes, partNumber));
    const { etag } = await client.store.uploadPart({ ...upload, partNumber, body, lengthBytes }, client.options);
    return { partNumber, etag };
  };
  return { upload, part };
}

/** An upload of two parts and a small one, listed, completed and read across a border; and one that is aborted. */
export async function probeMultipart(client: ProbeClient): Promise<void> {
  const { upload, part } = await startProbeUpload(client, 'multipart');
  const parts = [await part(1, minPartBytes), await part(2, minPartBytes), await part(3, 10)];
  const listed = await client.store.listParts(upload, client.options);
  const sizes = listed.parts.map(({ sizeBytes }) => sizeBytes);
  expect(sizes.join() === [minPartBytes, minPartBytes, 10].join(), 'ListParts gives other sizes');
  await client.store.completeUpload({ ...upload, parts }, client.options);
  const range = { first: 2 * minPartBytes - 2, last: 2 * minPartBytes + 1 };
  const { bytes } = await client.get('multipart', { range });
  expect(bytes.equals(Buffer.from([2, 2, 3, 3])), 'a range across parts gives other bytes');
  const aborted = await startProbeUpload(client, 'aborted');
  await aborted.part(1, 10);
  await client.store.abortUpload(aborted.upload, client.options);
}

/** An upload whose second part is larger than its first. */
export async function probePartsOfAnySize(client: ProbeClient): Promise<void> {
  const { upload, part } = await startProbeUpload(client, 'odd-parts');
  const parts = [await part(1, minPartBytes + 1), await part(2, minPartBytes + 17), await part(3, 10)];
  await client.store.completeUpload({ ...upload, parts }, client.options);
  const { sizeBytes } = await client.store.headObject(client.at('odd-parts'), client.options);
  expect(sizeBytes === 2 * minPartBytes + 28, 'the object has another size');
}

/** Reads the second part by its number. */
export async function probePartNumberReads(client: ProbeClient): Promise<void> {
  const { upload, part } = await startProbeUpload(client, 'numbered');
  const parts = [await part(1, minPartBytes), await part(2, 10)];
  await client.store.completeUpload({ ...upload, parts }, client.options);
  const found = await client.get('numbered', { partNumber: 2 });
  expect(found.bytes.equals(Buffer.alloc(10, 2)), 'partNumber gives other bytes');
  expect(found.headers['x-amz-mp-parts-count'] === '2', 'the answer does not count the parts');
}

/** Copies a range of an object into a part. */
export async function probePartCopies(client: ProbeClient): Promise<void> {
  await client.put('part-source', '0123456789');
  const { upload } = await startProbeUpload(client, 'part-copy');
  const { etag } = await client.store.copyPart(
    { ...upload, partNumber: 1, source: client.at('part-source'), range: { first: 2, last: 5 } },
    client.options,
  );
  await client.store.completeUpload({ ...upload, parts: [{ partNumber: 1, etag }] }, client.options);
  expect((await client.get('part-copy')).bytes.toString() === '2345', 'the part has other bytes');
}
