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
  /** A GET asks for this many bytes at a place that changes from request to request; default: for the whole object. */
  readonly rangeBytes?: number;
  /** Whether a PUT says the SHA-256 of its body; else `UNSIGNED-PAYLOAD`. */
  readonly signedPayload: boolean;
  readonly connections: number;
  /** Requests in all. */
  readonly requests: number;
  /** No request starts after this time; default: until all are sent. */
  readonly durationMs?: number;
  /** Objects that the requests go round. */
  readonly keys: number;
  /** Compare the bytes of each answer, which costs the load process more. */
  readonly verify: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly elapsedMs: number;
  /** Requests that were answered. */
  readonly requests: number;
  /** Bytes of bodies, sent or received; also of requests that were cut at the end of the time. */
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
}

/** After this time every load is cut, whatever is still on its way. */
export const longestLoadMs = 170_000;

/** What longer contents repeat. */
const contentBytes = 32 * 2 ** 20;

/**
 * The bytes of every object of a length: the same in each run and nothing that compresses.
 * @returns the beginning, which is repeated where it is shorter than the object
 */
export function objectContent(lengthBytes: number): Buffer {
  if (lengthBytes > contentBytes && lengthBytes % contentBytes !== 0) throw new Error(`${lengthBytes} is no multiple`);
  const length = Math.min(lengthBytes, contentBytes);
  const key = createHash('sha256').update(`s3eg bench ${length}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** SHA-256 of a whole object of a length, in hex. */
export function contentDigest(objectBytes: number): string {
  const content = objectContent(objectBytes);
  const hash = createHash('sha256');
  for (let sent = 0; sent < objectBytes; sent += content.length) hash.update(content);
  return hash.digest('hex');
}
