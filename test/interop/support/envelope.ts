/** The envelope of a stored object, taken apart by the table in docs/format (section 7), and by nothing of the gateway's. */

/** Fields that can be seen without any key, in hex or as text. */
export interface SeenEnvelope {
  readonly suite: number;
  readonly segmentSizeBytes: number;
  readonly isMultipart: boolean;
  readonly salt: string;
  readonly commitment: string;
  readonly policy: string;
  readonly keyName: string;
  readonly keyVersion: string;
  readonly wrappedBucketKey: Buffer;
  readonly wrappedDek: Buffer;
  readonly sealedMetadata: Buffer;
}

/** Takes `x-amz-meta-s3eg` apart. */
export function seenEnvelope(text: string): SeenEnvelope {
  const bytes = Buffer.from(text, 'base64url');
  let offset = 0;
  const take = (length: number): Buffer => bytes.subarray(offset, (offset += length));
  const takeText = (): string => take(take(1).readUInt8()).toString('utf8');
  if (take(1).readUInt8() !== 1) throw new Error('not an envelope of version 1');
  const [suite, segmentSizeBytes, isMultipart] = [
    take(1).readUInt8(),
    2 ** take(1).readUInt8(),
    take(1).readUInt8() === 1,
  ];
  const [salt, commitment] = [take(32).toString('hex'), take(32).toString('hex')];
  const [policy, keyName, keyVersion] = [takeText(), takeText(), takeText()];
  const wrappedBucketKey = take(take(2).readUInt16BE());
  const wrappedDek = take(60);
  take(isMultipart ? 0 : 74);
  const sealedMetadata = bytes.subarray(offset);
  return {
    suite,
    segmentSizeBytes,
    isMultipart,
    salt,
    commitment,
    policy,
    keyName,
    keyVersion,
    wrappedBucketKey,
    wrappedDek,
    sealedMetadata,
  };
}
