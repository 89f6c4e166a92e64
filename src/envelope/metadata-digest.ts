/** Digest of user metadata and Content-Type in a form that survives what providers do to header fields. */
import { hash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';

import { u32 } from './field-reader.ts';

/** The metadata field that holds the envelope. */
export const envelopeHeader = 'x-amz-meta-s3eg';
/** The metadata field that names the KEK in clear. */
export const keyLabelHeader = 'x-amz-meta-s3eg-key';

const purpose = Buffer.from('s3eg1 metadata');
const metadataPrefix = 'x-amz-meta-';
const defaultContentType = 'binary/octet-stream';
const betweenWords = /\?=[\t\n\v\f\r ]+(?==\?)/g;
const encodedWord = /=\?(utf-8|us-ascii)\?([bq])\?([^?\t\n\v\f\r ]*)\?=/gi;
const base64 = /^(?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?$/i;
const quotedPrintable = /^(?:[^=]|=[0-9a-f]{2})*$/i;
/** What is in its canonical form already: visible ASCII with no encoded word in it. */
const plain = /^(?:[!-<>-~]|=(?!\?))*$/;
const whiteSpace = /[\t\n\v\f\r ]+/g;

/**
 * SHA-256 over all `x-amz-meta-*` but the gateway's own two, and Content-Type (F1-DIG-1, F1-DIG-3). Names may have any
 * case; other fields are ignored. Values are as node:http and undici give them: one character per byte.
 */
export function metadataDigest(headers: Readonly<Record<string, string>>): Uint8Array {
  const fields = new Map<string, string>([['content-type', defaultContentType]]);
  for (const name of Object.keys(headers)) {
    const lower = asciiLower(name);
    if (isDigested(lower)) fields.set(lower, headers[name] ?? '');
  }
  const pieces: Uint8Array[] = [purpose];
  for (const name of [...fields.keys()].toSorted()) {
    for (const field of [Buffer.from(name, 'latin1'), canonicalValue(fields.get(name) ?? '')]) {
      pieces.push(u32(field.length), field);
    }
  }
  // A Buffer made by `hash` costs more than the hash.
  return Buffer.from(hash('sha256', Buffer.concat(pieces), 'latin1'), 'latin1');
}

/** Only A to Z, unlike `toLowerCase`. */
function asciiLower(name: string): string {
  return /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
}

function isDigested(name: string): boolean {
  if (name === 'content-type') return true;
  return name.startsWith(metadataPrefix) && name !== envelopeHeader && name !== keyLabelHeader;
}

/** The three steps of F1-DIG-2. In the meantime the UTF-8 bytes are held one per character. */
function canonicalValue(value: string): Buffer {
  if (plain.test(value)) return Buffer.from(value, 'latin1');
  const text = utf8Bytes(value)
    .toString('latin1')
    .replace(betweenWords, '?=')
    .replace(encodedWord, (word: string, _charset: string, encoding: string, content: string) => {
      return decodeWord(encoding.toLowerCase() === 'b', content)?.toString('latin1') ?? word;
    })
    .replace(whiteSpace, ' ')
    .replace(/^ | $/g, '');
  return Buffer.from(text, 'latin1');
}

function utf8Bytes(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  // A character beyond one byte: the text was decoded already.
  return bytes.toString('latin1') === value && isUtf8(bytes) ? bytes : Buffer.from(value, 'utf8');
}

function decodeWord(isBase64: boolean, content: string): Buffer | undefined {
  if (!(isBase64 ? base64 : quotedPrintable).test(content)) return undefined;
  const bytes = isBase64 ? Buffer.from(content, 'base64') : unquote(content);
  return isUtf8(bytes) ? bytes : undefined;
}

function unquote(content: string): Buffer {
  const text = content
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_match: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}
