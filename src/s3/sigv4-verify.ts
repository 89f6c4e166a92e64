import type { ChunkSigning } from './aws-chunked.ts';
import { declarePayload, type PayloadDeclaration } from './payload.ts';
import { s3Error, type S3Error } from './s3-error.ts';
import {
  parseAuthorizationHeader,
  parsePresignedQuery,
  type ClaimedSignature,
  type VerifyOptions,
} from './sigv4-claims.ts';
import {
  canonicalHeaderValue,
  canonicalRequest,
  equalSignatures,
  scopeText,
  signatureOf,
  signingKey,
  stringToSign,
} from './sigv4-key.ts';
import { canonicalPath, canonicalQuery, parseRawQuery } from './uri-encoding.ts';

/** The secret of an access key id, or undefined. */
export interface CredentialLookup {
  (accessKeyId: string): string | undefined;
}

/** A request as it came. */
export interface SignedRequest {
  readonly method: string;
  /** Before `?`, exactly as in the request line. */
  readonly rawPath: string;
  /** Behind `?`, exactly as in the request line; empty where there is none. */
  readonly rawQuery: string;
  /** Lower-case names; values Latin-1, as HTTP stacks have them. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Names and values by turns, as node:http gives them: tells repeated headers that `headers` may have dropped. */
  readonly rawHeaders?: readonly string[];
}

/** Who sent a request, and what the signature says of its body. */
export interface AuthenticatedRequest {
  readonly accessKeyId: string;
  readonly style: 'header' | 'presigned';
  /** Of the credential's scope. */
  readonly region: string;
  /**
   * The host that the signature covers: the Host header or one of `hosts`. Whatever a host decides, such as the bucket in
   * virtual-hosted style, is to follow from this one, else a presigned URL could be turned to another bucket.
   */
  readonly host: string;
  readonly payload: PayloadDeclaration;
  readonly signing: ChunkSigning;
}

/** Stands in for the secret of an unknown access key, so that it takes the same path. */
const noSecret = 'the secret of nobody';

/**
 * Verifies a request's SigV4 signature, in the Authorization header or in the query (presigned URL).
 * Every `x-amz-*` header has to be signed, and `host`. The body is not touched: see `decodePayload`.
 * @throws S3Error AccessDenied (no signature, unsigned headers, an expired URL), InvalidAccessKeyId,
 * SignatureDoesNotMatch, RequestTimeTooSkewed, AuthorizationHeaderMalformed, AuthorizationQueryParametersError,
 * InvalidRequest, InvalidArgument, InvalidToken, InvalidURI.
 */
export function authenticate(
  request: SignedRequest,
  lookup: CredentialLookup,
  options: VerifyOptions,
): AuthenticatedRequest {
  const headers = joinedHeaders(request);
  const claim = claimedSignature(request, headers, options);
  checkSignedHeaders(claim, headers);
  const contentSha256 = declaredContentHash(claim, headers);
  const payload = declarePayload(contentSha256);
  const secret = lookup(claim.accessKeyId);
  const key = signingKey(secret ?? noSecret, claim.scope);
  const verifier = { request, claim, headers, contentSha256, key };
  const host = signedHost(verifier, options.hosts ?? []);
  if (secret === undefined) {
    throw s3Error('InvalidAccessKeyId', undefined, { details: { AWSAccessKeyId: claim.accessKeyId } });
  }
  if (host === undefined) throw mismatch(verifier);
  return {
    accessKeyId: claim.accessKeyId,
    style: claim.style,
    region: claim.scope.region,
    host,
    payload,
    signing: {
      key,
      scope: scopeText(claim.scope),
      timestamp: claim.timestamp,
      seedSignature: claim.signature,
    },
  };
}

/** Every header by its lower-case name, repeated ones joined by a comma, values in canonical form. */
function joinedHeaders({ headers, rawHeaders }: SignedRequest): ReadonlyMap<string, string> {
  const joined = new Map<string, string>();
  if (rawHeaders === undefined) {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) joined.set(name, canonicalHeaderValue(value));
    }
    return joined;
  }
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = canonicalHeaderValue(rawHeaders[index + 1] ?? '');
    const previous = joined.get(name);
    joined.set(name, previous === undefined ? value : `${previous},${value}`);
  }
  return joined;
}

function claimedSignature(
  request: SignedRequest,
  headers: ReadonlyMap<string, string>,
  options: VerifyOptions,
): ClaimedSignature {
  const authorization = headers.get('authorization');
  const query = parseRawQuery(request.rawQuery);
  const has = (name: string): boolean => query.some((parameter) => parameter.name === name);
  const isPresigned = has('X-Amz-Algorithm') || has('X-Amz-Credential') || has('X-Amz-Signature');
  const isVersion2 = has('AWSAccessKeyId') && has('Signature');
  if (authorization !== undefined && (isPresigned || isVersion2)) {
    throw s3Error(
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      { details: { ArgumentName: 'Authorization' } },
    );
  }
  if (headers.has('x-amz-security-token') || has('X-Amz-Security-Token')) throw s3Error('InvalidToken');
  if (isPresigned) return parsePresignedQuery(query, options);
  if (isVersion2) throw unsupportedMechanism();
  if (authorization === undefined) throw s3Error('AccessDenied');
  if (!authorization.includes(' ')) {
    throw s3Error('InvalidArgument', "Authorization header is invalid -- one and only one ' ' (space) required.", {
      details: { ArgumentName: 'Authorization' },
    });
  }
  if (!authorization.startsWith('AWS')) {
    throw s3Error('InvalidArgument', 'Unsupported Authorization Type', { details: { ArgumentName: 'Authorization' } });
  }
  if (!authorization.startsWith('AWS4-HMAC-SHA256 ')) throw unsupportedMechanism();
  return parseAuthorizationHeader(authorization, headers, options);
}

/** SigV2 and SigV4A. */
function unsupportedMechanism(): S3Error {
  return s3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}

/** An unsigned `x-amz-*` header could turn a request into another one, such as a presigned PUT into a copy. */
function checkSignedHeaders(claim: ClaimedSignature, headers: ReadonlyMap<string, string>): void {
  const signed = claim.signedHeaders;
  const unsigned: string[] = [];
  for (const name of headers.keys()) if (name.startsWith('x-amz-') && !signed.includes(name)) unsigned.push(name);
  if (!signed.includes('host')) unsigned.push('host');
  if (unsigned.length > 0) {
    throw s3Error('AccessDenied', 'There were headers present in the request which were not signed', {
      details: { HeadersNotSigned: unsigned.join(', ') },
    });
  }
  const missing = claim.signedHeaders.filter((name) => !headers.has(name) && name !== 'expect');
  if (missing.length > 0) {
    throw s3Error('SignatureDoesNotMatch', 'Signed headers are missing from the request.', {
      details: { HeadersMissing: missing.join(', ') },
    });
  }
}

/** The last line of the canonical request. Signatures in the query cover no body unless they say so. */
function declaredContentHash(claim: ClaimedSignature, headers: ReadonlyMap<string, string>): string {
  const header = headers.get('x-amz-content-sha256');
  if (header !== undefined) return header;
  if (claim.style === 'presigned') return claim.contentSha256 ?? 'UNSIGNED-PAYLOAD';
  throw s3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
}

interface Verifier {
  readonly request: SignedRequest;
  readonly claim: ClaimedSignature;
  readonly headers: ReadonlyMap<string, string>;
  readonly contentSha256: string;
  readonly key: Buffer;
}

/**
 * The first host for which the signature holds. Each is tried with the path in canonical form and as it came: some clients
 * sign what they send.
 */
function signedHost(verifier: Verifier, alternativeHosts: readonly string[]): string | undefined {
  const { rawPath } = verifier.request;
  const path = canonicalPath(rawPath);
  const paths = path === rawPath || !isPrintableAscii(rawPath) ? [path] : [path, rawPath];
  const ownHost = verifier.headers.get('host') ?? '';
  const hosts = [ownHost, ...alternativeHosts.filter((host) => host !== ownHost)];
  return hosts.find((host) => paths.some((path) => isSignatureOf(verifier, path, host)));
}

function isPrintableAscii(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

function isSignatureOf(verifier: Verifier, path: string, host: string): boolean {
  const { claim, key } = verifier;
  const canonical = canonicalOf(verifier, path, host);
  const expected = signatureOf(key, stringToSign(canonical, claim.timestamp, scopeText(claim.scope)));
  return equalSignatures(expected, claim.signature);
}

function canonicalOf({ request, claim, headers, contentSha256 }: Verifier, path: string, host: string): string {
  const valueOf = (name: string): string => {
    if (name === 'host') return canonicalHeaderValue(host);
    // Proxies answer and drop `Expect`; it has this one value.
    return headers.get(name) ?? '100-continue';
  };
  return canonicalRequest({
    method: request.method,
    path,
    query: canonicalQuery(request.rawQuery, claim.style === 'presigned' ? 'X-Amz-Signature' : undefined),
    headerLines: claim.signedHeaders.map((name) => `${name}:${valueOf(name)}\n`).join(''),
    signedHeaders: claim.signedHeaders.join(';'),
    payloadHash: contentSha256,
  });
}

/** As S3 does, shows what was signed here, so that a client's author can compare. Keys of customers are left out. */
function mismatch(verifier: Verifier): S3Error {
  const { claim, headers, request } = verifier;
  const canonicalWith = (values: ReadonlyMap<string, string>): string =>
    canonicalOf({ ...verifier, headers: values }, canonicalPath(request.rawPath), headers.get('host') ?? '');
  const shown = new Map(
    [...headers].map(([name, value]) => [name, name.includes('customer-key') ? '(hidden)' : value]),
  );
  return s3Error('SignatureDoesNotMatch', undefined, {
    details: {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: stringToSign(canonicalWith(headers), claim.timestamp, scopeText(claim.scope)),
      SignatureProvided: claim.signature,
      CanonicalRequest: canonicalWith(shown),
    },
  });
}
