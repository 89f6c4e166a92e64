import { LRUCache } from 'lru-cache';

import { seesBucket } from '../policy/grants.ts';
import { corsHeaders, corsMethods, parseCorsConfiguration, type CorsRequest, type CorsRule } from '../s3/cors.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import { readAll } from '../base/streams.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Backend, Gateway, OperationResult } from './gateway.ts';

const maxBuckets = 1000;
/** How long another replica may go on with rules that were changed through this one. */
const rulesTtlMs = 30_000;
const maxDocumentBytes = 256 * 1024;

/** None where the bucket has no CORS configuration. A missing bucket is remembered too: anybody may ask for it. */
type BucketRules = readonly CorsRule[] | 'NoSuchBucket';

/** The CORS rules of buckets, asked of the backend once in a while: preflights come before any signature. */
export class CorsConfigurations {
  readonly #rules = new LRUCache<string, Promise<BucketRules>>({ max: maxBuckets, ttl: rulesTtlMs });

  /** @throws S3Error the backend's own, where it cannot be asked. */
  async rulesOf(backend: Backend, bucket: string): Promise<BucketRules> {
    const id = cacheKey(backend, bucket);
    const known = this.#rules.get(id);
    if (known !== undefined) return await known;
    const asked = readRules(backend.store, bucket);
    this.#rules.set(id, asked);
    try {
      return await asked;
    } catch (error) {
      this.#rules.delete(id);
      throw error;
    }
  }

  /** To be called when a bucket's configuration was changed, or the bucket is another one. */
  forget(backend: Backend, bucket: string): void {
    this.#rules.delete(cacheKey(backend, bucket));
  }
}

function cacheKey(backend: Backend, bucket: string): string {
  return `${backend.name}/${bucket}`;
}

function tooLong(): Error {
  return s3Error('InternalError', 'The CORS configuration of the bucket is too long.');
}

async function readRules(store: ObjectStore, bucket: string): Promise<BucketRules> {
  try {
    const answer = await store.subResource({
      operation: 'GetBucketCors',
      method: 'GET',
      bucket,
      query: { cors: '' },
      headers: {},
      document: new Uint8Array(0),
    });
    if (answer.body === undefined) return [];
    return parseCorsConfiguration(await readAll(answer.body, maxDocumentBytes, tooLong));
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchBucket') return 'NoSuchBucket';
    if (error instanceof S3Error && (error.status === 404 || error.status === 501)) return [];
    throw error;
  }
}

/** A preflight as the listener and the address give it. */
export interface Preflight {
  readonly bucket: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/**
 * Answers a preflight (OPTIONS) from the bucket's own CORS rules. It comes without a signature, so nothing is asked of the
 * backend for buckets that no credential of this gateway may use.
 * @throws S3Error BadRequest, NoSuchBucket, AccessForbidden (no rules, none that allows the request).
 */
export async function preflight(gateway: Gateway, { bucket, key, headers }: Preflight): Promise<OperationResult> {
  const request = preflightRequest(headers);
  const isKnown = [...gateway.accessKeys.values()].some(({ allow }) => seesBucket(allow, bucket));
  const backend = isKnown ? backendOf(gateway, bucket, key) : undefined;
  const rules = backend === undefined ? [] : await gateway.cors.rulesOf(backend, bucket);
  if (rules === 'NoSuchBucket') throw s3Error('NoSuchBucket', undefined, { details: { BucketName: bucket } });
  if (rules.length === 0) throw forbidden('CORSResponse: CORS is not enabled for this bucket.');
  const answer = corsHeaders(rules, request);
  if (answer === undefined) {
    throw forbidden(
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    );
  }
  return { status: 200, headers: answer };
}

/** RFC 9110, "field-name". */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/;

function forbidden(message: string): Error {
  return new S3Error('AccessForbidden', message, { status: 403 });
}

/** @throws S3Error BadRequest. */
function preflightRequest(headers: Preflight['headers']): CorsRequest {
  const origin = headers['origin'] ?? '';
  const method = headers['access-control-request-method'] ?? 'null';
  if (origin === '') throw s3Error('BadRequest', 'Insufficient information. Origin request header needed.');
  if (!corsMethods.has(method)) {
    throw s3Error('BadRequest', `Invalid Access-Control-Request-Method: ${method.slice(0, 64)}`);
  }
  const names = (headers['access-control-request-headers'] ?? '').split(',').filter((name) => name.trim() !== '');
  const wrong = names.find((name) => !headerName.test(name.trim()));
  if (wrong !== undefined) {
    const shown = Buffer.from(wrong.slice(0, 64), 'latin1').toString('utf8');
    throw s3Error('BadRequest', `Access-Control-Request-Headers "${shown}" contains invalid character.`);
  }
  return { origin, method, requestHeaders: names.map((name) => name.trim().toLowerCase()) };
}

function backendOf(gateway: Gateway, bucket: string, key: string | undefined): Backend | undefined {
  if (bucket === gateway.ledgerBucket) return undefined;
  for (const accessKeyId of gateway.accessKeys.keys()) {
    const policy = gateway.policies.decide({ bucket, key: key ?? '', accessKeyId });
    const backend = policy === undefined ? undefined : gateway.backends.get(policy.backend);
    if (backend !== undefined) return backend;
  }
  return undefined;
}

/** CORS headers for the answer to any other request of a browser; none where the rules cannot be had. */
export async function corsHeadersFor(
  gateway: Gateway,
  target: { readonly bucket: string; readonly key: string | undefined },
  request: CorsRequest,
): Promise<Readonly<Record<string, string>>> {
  const backend = backendOf(gateway, target.bucket, target.key);
  if (backend === undefined) return {};
  try {
    const rules = await gateway.cors.rulesOf(backend, target.bucket);
    return rules === 'NoSuchBucket' ? {} : (corsHeaders(rules, request) ?? {});
  } catch {
    // The request itself says what is wrong with the backend.
    return {};
  }
}
