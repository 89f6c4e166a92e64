import { createCipheriv, createHash } from 'node:crypto';

import type { Credentials } from './sigv4.ts';

/** What one load process does; it is sent to it as a message. */
export interface LoadJob {
  readonly host: string;
  readonly port: number;
  readonly credentials: Credentials;
  readonly bucket: string;
  readonly method: 'GET' | 'PUT';
  readonly objectBytes: number;
  /** Whether a PUT says the SHA-256 of its body; else `UNSIGNED-PAYLOAD`. */
  readonly signedPayload: boolean;
  readonly connections: number;
  readonly requests: number;
  /** Objects that the requests go round. */
  readonly keys: number;
  /** Compare the bytes of each answer, which costs the load process more. */
  readonly verify: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The bytes of every object of a length: the same in each run and nothing that compresses. */
export function objectContent(lengthBytes: number): Buffer {
  const key = createHash('sha256').update(`s3eg bench ${lengthBytes}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
