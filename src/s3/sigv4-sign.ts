import {
  canonicalHeaderValue,
  canonicalRequest,
  scopeText,
  signatureOf,
  signingKey,
  sigv4Algorithm,
  stringToSign,
  timestampOf,
} from './sigv4-key.ts';
import { canonicalQuery } from './uri-encoding.ts';

/** Credentials that a request is signed with. */
export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A request to sign, exactly as it will be sent. */
export interface RequestToSign {
  readonly method: string;
  /** Percent-encoded once with `uriEncode(key, false)`; signed as it stands. */
  readonly rawPath: string;
  /** The query string as sent, without `?`. */
  readonly query: string;
  /** Lower-case names, with `host`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body, `UNSIGNED-PAYLOAD`, or a `STREAMING-…` value. */
  readonly payloadHash: string;
  readonly credentials: SigningCredentials;
  readonly region: string;
  readonly service?: 's3';
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Headers that HTTP stacks and proxies on the way add or change. */
const unsignedHeaders = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'expect',
  'keep-alive',
  'te',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/**
 * Signs a request with SigV4 in the Authorization header.
 * @returns The headers to send: those given, with `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` (where the
 * credentials have a session token) and `authorization`.
 * @throws S3Error InvalidURI when the query string has a broken percent escape.
 */
export function signRequest(request: RequestToSign): Record<string, string> {
  const { credentials, payloadHash } = request;
  const timestamp = timestampOf(request.now);
  const scope = { date: timestamp.slice(0, 8), region: request.region, service: request.service ?? 's3' };
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': payloadHash,
    'x-amz-date': timestamp,
  };
  if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken;
  const names = Object.keys(headers)
    .filter((name) => !unsignedHeaders.has(name))
    .toSorted();
  const signedHeaders = names.join(';');
  const canonical = canonicalRequest({
    method: request.method,
    path: request.rawPath,
    query: canonicalQuery(request.query),
    headerLines: names.map((name) => `${name}:${canonicalHeaderValue(headers[name] ?? '')}\n`).join(''),
    signedHeaders,
    payloadHash,
  });
  const scopeLine = scopeText(scope);
  const key = signingKey(credentials.secretAccessKey, scope);
  const signature = signatureOf(key, stringToSign(canonical, timestamp, scopeLine));
  headers['authorization'] =
    `${sigv4Algorithm} Credential=${credentials.accessKeyId}/${scopeLine}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return headers;
}
