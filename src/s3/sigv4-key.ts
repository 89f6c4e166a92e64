import { hash, timingSafeEqual } from 'node:crypto';

import { hmac, hmacHex } from '../base/hmac.ts';

/** The only algorithm served; also the first line of a string to sign. */
export const sigv4Algorithm = 'AWS4-HMAC-SHA256';

/** What a signature's key follows from besides the secret. `date` is `YYYYMMDD`. */
export interface CredentialScope {
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** `20130524/us-east-1/s3/aws4_request`. */
export function scopeText(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
}

/** A key takes four HMACs to derive and lives a day; clients and backends are few, so a small cache catches all. */
const maxCachedKeys = 256;
/** By the secret: the key that it gave last. */
const cachedKeys = new Map<string, { readonly scope: CredentialScope; readonly key: Buffer }>();

/** The signing key (32 bytes, not to be changed) of a secret for a day, region and service; each secret's last is kept. */
export function signingKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  const cached = cachedKeys.get(secretAccessKey);
  if (cached !== undefined && isSameScope(cached.scope, scope)) return cached.key;
  const key = deriveSigningKey(secretAccessKey, scope);
  if (cached === undefined && cachedKeys.size >= maxCachedKeys) cachedKeys.clear();
  cachedKeys.set(secretAccessKey, { scope, key });
  return key;
}

function isSameScope(a: CredentialScope, b: CredentialScope): boolean {
  return a.date === b.date && a.region === b.region && a.service === b.service;
}

function deriveSigningKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  const steps = [scope.date, scope.region, scope.service, 'aws4_request'];
  const secret: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
  return steps.reduce((key, text) => hmac('sha256', key, [Buffer.from(text)]), secret);
}

/** HMAC-SHA-256 of a string to sign, as lower-case hex. */
export function signatureOf(key: Buffer, stringToSign: string): string {
  return hmacHex('sha256', key, stringToSign);
}

/** The parts of a canonical request, each in its canonical form. `headerLines` ends with a line feed. */
export interface CanonicalRequestParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headerLines: string;
  readonly signedHeaders: string;
  readonly payloadHash: string;
}

/** The canonical request (AWS Signature Version 4, "Task 1"). */
export function canonicalRequest(parts: CanonicalRequestParts): string {
  const { method, path, query, headerLines, signedHeaders, payloadHash } = parts;
  return `${method}\n${path}\n${query}\n${headerLines}\n${signedHeaders}\n${payloadHash}`;
}

/** The string to sign of a canonical request. `timestamp` is `YYYYMMDDTHHMMSSZ`. */
export function stringToSign(canonical: string, timestamp: string, scope: string): string {
  return `${sigv4Algorithm}\n${timestamp}\n${scope}\n${hashHeaderText(canonical)}`;
}

/**
 * A header's value as it is signed: without spaces around it, runs of spaces inside made one. Only ASCII blanks count:
 * in a Latin-1 string U+00A0 may be the second byte of a letter.
 */
export function canonicalHeaderValue(value: string): string {
  if (!/^[ \t]|[ \t]$|[ \t]{2}|\t/.test(value)) return value;
  return value.replaceAll(/[ \t]+/g, ' ').replaceAll(/^ | $/g, '');
}

/** SHA-256 over the bytes on the wire: header values are Latin-1 strings, one character a byte, as HTTP stacks have them. */
function hashHeaderText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the range is that of ASCII
  return /^[\0-\x7f]*$/.test(text) ? hash('sha256', text) : hash('sha256', Buffer.from(text, 'latin1'));
}

/** By the second. A client's clock and that of the gateway take turns, and several clients differ. */
const knownTimestamps = new Map<number, string>();
const maxKnownTimestamps = 64;

/** `YYYYMMDDTHHMMSSZ` of a time in milliseconds since the epoch. */
export function timestampOf(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  const known = knownTimestamps.get(second);
  if (known !== undefined) return known;
  const timestamp = `${new Date(second * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  if (knownTimestamps.size >= maxKnownTimestamps) knownTimestamps.clear();
  knownTimestamps.set(second, timestamp);
  return timestamp;
}

/** Compares signatures in a time that does not tell where they differ. */
export function equalSignatures(a: string, b: string): boolean {
  const [bytesA, bytesB] = [Buffer.from(a), Buffer.from(b)];
  return bytesA.length === bytesB.length && timingSafeEqual(bytesA, bytesB);
}
