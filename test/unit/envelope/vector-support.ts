/** The vectors of format 1 (test/vectors/format-1), and a reader of them out of the code under test. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openAead, type AeadSuite } from '../../../src/crypto/aead.ts';
import type { SegmentPool } from '../../../src/crypto/pool/segment-pool.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import {
  decodeEnvelope,
  envelopeHeader,
  openEnvelope,
  payloadSize,
  verifyMetadataDigest,
  type Envelope,
  type SealedMetadata,
} from '../../../src/envelope/envelope.ts';
import { EnvelopeError, authenticated, authenticationFailed } from '../../../src/envelope/envelope-error.ts';
import { indexTailBytes, type ObjectIndex } from '../../../src/envelope/object-index.ts';
import { openIndex } from '../../../src/envelope/object-index.ts';
import { ObjectLayout } from '../../../src/envelope/layout.ts';
import { decryptWholeMultipart, decryptWholeSingle } from '../../../src/envelope/object-reader.ts';
import { ObjectSecrets, dekAad } from '../../../src/envelope/object-secrets.ts';
import { DataKeys } from '../../../src/keys/data-keys.ts';
import { KeyError } from '../../../src/keys/key-provider.ts';
import { LocalKeyring } from '../../../src/keys/local/local-keyring.ts';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { collect } from '../crypto/floe-support.ts';

/** One file. */
export interface Vector {
  readonly comment: string;
  readonly requirements: readonly string[];
  readonly bucket: string;
  readonly key: string;
  /** Without one, `bucketKey` is taken as it is. */
  readonly keyring?: unknown;
  readonly bucketKey: string;
  /** PEM text of the private key that the recovery field is for. */
  readonly recoveryKey?: string;
  /** One character for each byte, as node:http gives them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hexadecimal digits, and numbers of zero bytes. */
  readonly stored: readonly (string | number)[];
  readonly opens?: {
    readonly payload: { readonly bytes: number; readonly sha256: string; readonly hex?: string };
    readonly sealedChecksums: readonly ListedChecksum[];
    readonly indexChecksums: readonly ListedChecksum[];
    readonly compression: { readonly algorithm: string; readonly bytes: number } | null;
    readonly parts: readonly { readonly number: number; readonly bytes: number; readonly attemptTag: string }[];
  };
  /** Kinds of failure, of which a reader gives one. */
  readonly fails?: readonly string[];
}

interface ListedChecksum {
  readonly algorithm: string;
  readonly type: string;
  readonly value: string;
}

const folder = new URL('../../vectors/format-1/', import.meta.url);

/** All vectors by the names of their files. */
export function readVectors(): ReadonlyMap<string, Vector> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return new Map(
    names.map((name) => {
      const vector: Vector = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
      return [name.slice(0, -'.json'.length), vector];
    }),
  );
}

/** The stored bytes of a vector. */
export function storedBytes({ stored }: Vector): Buffer {
  return Buffer.concat(
    stored.map((piece) => (typeof piece === 'number' ? Buffer.alloc(piece) : Buffer.from(piece, 'hex'))),
  );
}

/** The suite of a vector that has an envelope which can be decoded. */
export function suiteOf({ headers }: Vector): AeadSuite {
  return decodeEnvelope(headers[envelopeHeader] ?? '').suite;
}

/** What a vector opens to. */
export interface OpenedVector {
  readonly metadata: SealedMetadata;
  readonly index: ObjectIndex;
  readonly payload: Buffer;
}

/** Reads vectors through the real keyring, which all of them share. */
export class VectorReader implements AsyncDisposable {
  readonly #folder: string;
  readonly #keyring: string;
  readonly #provider: LocalKeyring;
  readonly #dataKeys: DataKeys;

  private constructor(own: { folder: string; keyring: string; provider: LocalKeyring }) {
    this.#folder = own.folder;
    this.#keyring = own.keyring;
    this.#provider = own.provider;
    const life = { ttlMs: 60_000, offlineTtlMs: 60_000, maxObjects: 1, maxBytes: 1 };
    // One vector names the key otherwise; it has to fail by its seal, not by the name.
    const providers = new Map(['local', 'lokal'].map((name) => [name, own.provider] as const));
    this.#dataKeys = new DataKeys(providers, life);
  }

  /** Opens the keyring that stands in `vectors`. */
  static async open(vectors: Iterable<Vector>): Promise<VectorReader> {
    const keyrings = new Set(
      [...vectors].flatMap(({ keyring }) => (keyring === undefined ? [] : [JSON.stringify(keyring)])),
    );
    const [keyring] = keyrings;
    assert.ok(keyring !== undefined && keyrings.size === 1);
    const own = await mkdtemp(join(tmpdir(), 's3eg-vectors-'));
    const file = join(own, 'keyring.json');
    await writeFile(file, keyring, { mode: 0o600 });
    const provider = await LocalKeyring.open({ name: 'local', file, create: false });
    return new VectorReader({ folder: own, keyring, provider });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dataKeys.close();
    await this.#provider.close();
    await rm(this.#folder, { recursive: true });
  }

  /**
   * Opens a vector as a gateway does, its bytes given in the chunks that `cut` makes of them.
   * @throws EnvelopeError of the kinds of the document.
   */
  async read(vector: Vector, cut: (stored: Buffer) => ByteStream, pool?: SegmentPool): Promise<OpenedVector> {
    const stored = storedBytes(vector);
    const text = vector.headers[envelopeHeader];
    if (text === undefined) throw new EnvelopeError('not_format_1', 'no envelope');
    const envelope = decodeEnvelope(text);
    using secrets = ObjectSecrets.of(await this.#dek(vector, envelope), envelope.salt);
    const metadata = openEnvelope(envelope, secrets);
    verifyMetadataDigest(metadata, vector.headers);
    const announced = Number(vector.headers['content-length'] ?? stored.length);
    const plaintextBytes = payloadSize(announced, metadata);
    const found: ObjectIndex[] = [];
    const input = {
      secrets,
      envelope,
      storedBytes: announced,
      ciphertext: cut(stored),
      pool,
      onIndex: (index: ObjectIndex) => found.push(index),
    };
    const stream =
      envelope.layout === 'single'
        ? decryptWholeSingle(input)
        : decryptWholeMultipart({ ...input, layout: multipartLayout({ secrets, envelope, stored, announced }) });
    const payload = await collect(stream);
    const [index] = found;
    assert.ok(index !== undefined && found.length === 1);
    assert.equal(payload.length, plaintextBytes);
    return { metadata, index, payload };
  }

  async #dek({ bucket, key, keyring, bucketKey }: Vector, envelope: Envelope): Promise<SecretBytes> {
    const aad = dekAad(bucket, key, envelope.commitment);
    if (keyring === undefined) {
      using secret = new SecretBytes(Buffer.from(bucketKey, 'hex'));
      return new SecretBytes(authenticated(() => openAead({ key: secret, sealed: envelope.wrappedDek, aad })));
    }
    assert.equal(JSON.stringify(keyring), this.#keyring);
    try {
      return await this.#dataKeys.unwrap(envelope, { context: { policy: envelope.policy, bucket }, aad });
    } catch (error) {
      if (error instanceof KeyError && error.code === 'wrong_key') throw authenticationFailed(error);
      throw error;
    }
  }
}

interface IndexPlace {
  readonly secrets: ObjectSecrets;
  readonly envelope: Envelope;
  readonly stored: Buffer;
  readonly announced: number;
}

/** The layout by the index, which is read from the end as far as there is one. */
function multipartLayout({ secrets, envelope, stored, announced }: IndexPlace): ObjectLayout {
  const { layout, segmentSizeBytes } = envelope;
  const tailBytes = Math.min(indexTailBytes, announced);
  const tail = stored.subarray(announced - tailBytes, announced);
  if (tail.length < tailBytes) throw new EnvelopeError('truncated', 'the object ends early');
  const index = openIndex({ secrets, layout, segmentSizeBytes, tail, storedBytes: announced });
  assert.ok('parts' in index, 'no vector has so many parts');
  return ObjectLayout.multipart(index, segmentSizeBytes);
}
