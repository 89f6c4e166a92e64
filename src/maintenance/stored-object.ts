/** Opens stored objects of format 1 wherever their bytes are: all that a gateway does for a GET, without a gateway. */
import type { ByteStream } from '../base/byte-stream.ts';
import {
  decodeEnvelope,
  envelopeHeader,
  openEnvelope,
  payloadSize,
  type Envelope,
  type SealedChecksum,
  type SealedMetadata,
} from '../envelope/envelope.ts';
import { EnvelopeError } from '../envelope/envelope-error.ts';
import { ObjectLayout } from '../envelope/layout.ts';
import { indexTailBytes, openIndex, type ObjectIndex } from '../envelope/object-index.ts';
import { decryptWholeMultipart, decryptWholeSingle } from '../envelope/object-reader.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { verifyingChecksums } from './checksum-verification.ts';
import { decompressed } from './decompression.ts';

/** Random access to the bytes of one stored object. */
export interface StoredBytes {
  readonly sizeBytes: number;
  /** Bytes from `offsetBytes` on; fewer only where the source ends. */
  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array>;
  /** All bytes in order. */
  stream(): ByteStream;
}

/** What an object is opened with. */
export interface StoredObjectInput {
  /** Object metadata as header fields with lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: StoredBytes;
  /** Unwraps the DEK of an envelope that is not authenticated yet; the secrets become the opened object's. */
  readonly unwrap: (envelope: Envelope) => Promise<ObjectSecrets>;
}

/** An object whose envelope and index were authenticated. */
export class StoredObject implements Disposable {
  readonly envelope: Envelope;
  readonly metadata: SealedMetadata;
  readonly index: ObjectIndex;
  readonly layout: ObjectLayout;
  readonly #bytes: StoredBytes;
  readonly #secrets: ObjectSecrets;

  private constructor(
    opened: Pick<StoredObject, 'envelope' | 'metadata' | 'index' | 'layout'>,
    bytes: StoredBytes,
    secrets: ObjectSecrets,
  ) {
    this.envelope = opened.envelope;
    this.metadata = opened.metadata;
    this.index = opened.index;
    this.layout = opened.layout;
    this.#bytes = bytes;
    this.#secrets = secrets;
  }

  /**
   * Opens envelope and index; the payload is verified as it is read.
   * @throws EnvelopeError of any code (`not_format_1` where there is no envelope); what `unwrap` throws.
   */
  static async open({ headers, bytes, unwrap }: StoredObjectInput): Promise<StoredObject> {
    const envelope = envelopeOf(headers);
    const secrets = await unwrap(envelope);
    try {
      const metadata = openEnvelope(envelope, secrets);
      payloadSize(bytes.sizeBytes, metadata);
      const index = await readIndex(envelope, secrets, bytes);
      const { segmentSizeBytes } = envelope;
      const layout =
        envelope.layout === 'multipart'
          ? ObjectLayout.multipart(index, segmentSizeBytes)
          : ObjectLayout.single({ plaintextBytes: index.totalPlaintextBytes, segmentSizeBytes });
      return new StoredObject({ envelope, metadata, index, layout }, bytes, secrets);
    } catch (error) {
      secrets.dispose();
      throw error;
    }
  }

  /** Length of the client's bytes. */
  get plaintextBytes(): number {
    return this.metadata.compression?.originalBytes ?? this.layout.plaintextBytes;
  }

  /** Checksums of the client's bytes that are sealed with the object. */
  get checksums(): readonly SealedChecksum[] {
    return [...this.metadata.checksums, ...this.index.checksums];
  }

  /**
   * The client's bytes: decrypted, decompressed, and compared with every checksum of the whole object at the end. Only
   * a stream that ended without an error gave the object.
   * @throws EnvelopeError, ChecksumMismatchError, while it is iterated; errors of the source pass unchanged.
   */
  plaintext(): ByteStream {
    const { compression } = this.metadata;
    const payload = this.#payload();
    const plaintext = compression === undefined ? payload : decompressed(payload, compression);
    return verifyingChecksums(plaintext, this.checksums);
  }

  dispose(): void {
    this.#secrets.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #payload(): ByteStream {
    const { envelope, layout } = this;
    const input = {
      secrets: this.#secrets,
      envelope,
      storedBytes: this.#bytes.sizeBytes,
      ciphertext: this.#bytes.stream(),
    };
    return envelope.layout === 'single' ? decryptWholeSingle(input) : decryptWholeMultipart({ ...input, layout });
  }
}

/**
 * The envelope in an object's metadata; nothing of it is authenticated yet.
 * @throws EnvelopeError `not_format_1` where there is none, `malformed`, `unsupported`.
 */
export function envelopeOf(headers: Readonly<Record<string, string>>): Envelope {
  const text = headers[envelopeHeader];
  if (text === undefined) {
    throw new EnvelopeError('not_format_1', `the metadata has no ${envelopeHeader}: the gateway did not encrypt this`);
  }
  return decodeEnvelope(text);
}

/** Reads and opens the index at the end of the object: in one reading, two where the part table is very long. */
async function readIndex(envelope: Envelope, secrets: ObjectSecrets, bytes: StoredBytes): Promise<ObjectIndex> {
  const { sizeBytes: storedBytes } = bytes;
  const { layout, segmentSizeBytes } = envelope;
  let tailBytes = Math.min(indexTailBytes, storedBytes);
  for (;;) {
    const tail = await bytes.read(storedBytes - tailBytes, tailBytes);
    if (tail.length < tailBytes) throw new EnvelopeError('truncated', 'the stored object became shorter');
    const index = openIndex({ secrets, tail, storedBytes, layout, segmentSizeBytes });
    if (!('needBytes' in index)) return index;
    // The need is bounded by the format, and only the first reading may fall short of it.
    if (index.needBytes <= tailBytes) throw new EnvelopeError('malformed', 'the index has an impossible length');
    tailBytes = index.needBytes;
  }
}
