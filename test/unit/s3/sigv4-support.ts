import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

/** Credentials of AWS's published examples. */
export const exampleCredentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

/** 24 May 2013 00:00:00 GMT, the time of AWS's published examples. */
export const exampleTime = Date.UTC(2013, 4, 24);

/** The credential store of the examples. */
export function lookupExample(accessKeyId: string): string | undefined {
  return accessKeyId === exampleCredentials.accessKeyId ? exampleCredentials.secretAccessKey : undefined;
}

export const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

type HashInput = string | ArrayBuffer | ArrayBufferView;

/** SHA-256 in the form that @smithy/signature-v4 takes. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: HashInput) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: HashInput): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('not used by the signer');
  }
}

function bytesOf(input: HashInput): Uint8Array {
  if (typeof input === 'string') return Buffer.from(input);
  if (ArrayBuffer.isView(input)) return Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  return Buffer.from(input);
}

/** The oracle: signs as the AWS SDK for JavaScript does for S3. */
export function smithySigner(region = 'us-east-1'): SignatureV4 {
  return new SignatureV4({
    credentials: exampleCredentials,
    region,
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
}
