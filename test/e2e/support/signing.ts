import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';

import { SignatureV4 } from '@smithy/signature-v4';

import type { Credentials } from './gateway.ts';
import { rememberSecret } from './secrets.ts';

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

/** Parameters of a query; a list is a parameter that is given several times. */
export type Query = Readonly<Record<string, string | readonly string[]>>;

/** What is signed. Names of headers in lower case, `host` among them; the path percent-encoded. */
export interface ToSign {
  readonly method: string;
  readonly path: string;
  readonly query: Query;
  readonly headers: Readonly<Record<string, string>>;
}

/** With which key, when and for which region; default now, us-east-1. */
export interface SigningOptions {
  readonly credentials: Credentials;
  readonly at?: Date;
  readonly region?: string;
}

function signerOf({ credentials, region = 'us-east-1' }: SigningOptions): SignatureV4 {
  rememberSecret(credentials.secretAccessKey);
  return new SignatureV4({
    credentials,
    region,
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
}

/** Signs in the Authorization header, with the signer of the AWS SDK; `x-amz-content-sha256` is the caller's. */
export async function signHeaders(request: ToSign, options: SigningOptions): Promise<Record<string, string>> {
  const signed = await signerOf(options).sign(
    {
      ...request,
      protocol: 'http:',
      hostname: 'unused',
      query: smithyQuery(request.query),
      headers: { ...request.headers },
    },
    { signingDate: options.at ?? new Date() },
  );
  rememberSecret(signatureIn(signed.headers['authorization'] ?? ''));
  return signed.headers;
}

/** Signature in an Authorization header. */
export function signatureIn(authorization: string): string {
  const [, signature] = /Signature=([0-9a-f]{64})$/.exec(authorization) ?? [];
  if (signature === undefined) throw new Error('no signature');
  return signature;
}

/**
 * Signs in the query, as for a body that is not known. Every header stays one and is signed, unless `hoists`: then those of
 * `x-amz-*` go into the query, as SDKs do it. Answers path and query.
 */
export async function presign(
  request: ToSign,
  options: SigningOptions & { readonly expiresSeconds: number; readonly hoists?: boolean },
): Promise<string> {
  // The presigner of the AWS SDK says it in the same way; this one header moves to the query.
  const headers = { ...request.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const { query } = await signerOf(options).presign(
    { ...request, protocol: 'http:', hostname: 'unused', query: smithyQuery(request.query), headers },
    {
      signingDate: options.at ?? new Date(),
      expiresIn: options.expiresSeconds,
      unhoistableHeaders: new Set(options.hoists === true ? [] : Object.keys(request.headers)),
    },
  );
  rememberSecret(String(query?.['X-Amz-Signature']));
  return `${request.path}?${queryText(givenQuery(query ?? {}))}`;
}

function givenQuery(query: Readonly<Record<string, string | readonly string[] | null>>): Query {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, value ?? '']));
}

/** `YYYYMMDDTHHMMSSZ` */
export function amzDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** The key that signatures of a day are made with (AWS Signature Version 4, "Derive a signing key"). */
export function signingKey({ credentials, at = new Date(), region = 'us-east-1' }: SigningOptions): Buffer {
  const steps = [amzDate(at).slice(0, 8), region, 's3', 'aws4_request'];
  return steps.reduce<Buffer>((key, step) => hmac(key, step), Buffer.from(`AWS4${credentials.secretAccessKey}`));
}

/** HMAC-SHA-256. */
export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** All but `A-Z a-z 0-9 - . _ ~` as UTF-8 percent escapes. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A path whose slashes stay. */
export function encodePath(path: string): string {
  return path.split('/').map(uriEncode).join('/');
}

/** A query string; parameters without a value get an empty one. */
export function queryText(query: Query): string {
  return Object.entries(query)
    .flatMap(([name, value]) => (typeof value === 'string' ? [value] : value).map((one) => [name, one] as const))
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .join('&');
}

function smithyQuery(query: Query): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}
