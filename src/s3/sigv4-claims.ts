import { s3Error, type S3Error } from './s3-error.ts';
import { sigv4Algorithm, timestampOf, type CredentialScope } from './sigv4-key.ts';
import type { QueryParameter } from './uri-encoding.ts';

/** When and where a request is verified. */
export interface VerifyOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The only region that credentials may be scoped to; any, where it is not given. */
  readonly region?: string;
  /** How far a request's time may be from `now`; 15 minutes. */
  readonly skewMs?: number;
  /** Hosts that a client may have signed instead of the one that arrived: what a trusted proxy says was asked for. */
  readonly hosts?: readonly string[];
}

/** What a request says of its signature, well-formed and in time, not verified yet. */
export interface ClaimedSignature {
  readonly style: 'header' | 'presigned';
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** `YYYYMMDDTHHMMSSZ` */
  readonly timestamp: string;
  /** Lower-case names in the client's order. */
  readonly signedHeaders: readonly string[];
  /** 64 lower-case hex digits. */
  readonly signature: string;
  /** `X-Amz-Content-Sha256` of a presigned URL. */
  readonly contentSha256?: string;
}

const defaultSkewMs = 15 * 60_000;
const maxExpiresSeconds = 7 * 24 * 3600;
const maxSignedHeaders = 100;
const signaturePattern = /^[0-9a-f]{64}$/;
const headerNamePattern = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

/**
 * Reads an Authorization header that begins with `AWS4-HMAC-SHA256`.
 * @throws S3Error AuthorizationHeaderMalformed, AccessDenied (no date), RequestTimeTooSkewed.
 */
export function parseAuthorizationHeader(
  authorization: string,
  headers: ReadonlyMap<string, string>,
  options: VerifyOptions,
): ClaimedSignature {
  const { accessKeyId, scope, signedHeaders, signature } = parseAuthorization(authorization);
  checkScope(scope, options, malformedHeader);
  const time = requestTime(headers);
  const timestamp = timestampOf(time);
  if (timestamp.slice(0, 8) !== scope.date) {
    throw malformedHeader(`Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date.`);
  }
  const skewMs = options.skewMs ?? defaultSkewMs;
  if (Math.abs(options.now - time) > skewMs) {
    throw s3Error('RequestTimeTooSkewed', undefined, {
      details: {
        RequestTime: timestamp,
        ServerTime: isoSeconds(options.now),
        MaxAllowedSkewMilliseconds: String(skewMs),
      },
    });
  }
  return { style: 'header', accessKeyId, scope, timestamp, signedHeaders, signature };
}

type Authorization = Pick<ClaimedSignature, 'accessKeyId' | 'scope' | 'signedHeaders' | 'signature'>;

/** What stood in front of signatures lately: the same for a client, a day and a kind of request. */
const knownBeginnings = new Map<string, Omit<Authorization, 'signature'>>();
const maxKnownBeginnings = 256;
const maxKnownLength = 1024;
const lastField = 'Signature=';

function parseAuthorization(authorization: string): Authorization {
  const end = authorization.lastIndexOf(lastField) + lastField.length;
  const [beginning, rest] = [authorization.slice(0, end), authorization.slice(end)];
  const known = knownBeginnings.get(beginning);
  if (known !== undefined && signaturePattern.test(rest)) return { ...known, signature: rest };
  const fields = authorizationFields(authorization.slice(sigv4Algorithm.length));
  const credential = parseCredential(fields.get('Credential') ?? '', malformedHeader);
  const signedHeaders = parseSignedHeaders(fields.get('SignedHeaders') ?? '', malformedHeader);
  const signature = fields.get('Signature') ?? '';
  if (!signaturePattern.test(signature)) throw malformedHeader('the Signature is mal-formed.');
  const parsed = { ...credential, signedHeaders };
  if (signature === rest && beginning.length <= maxKnownLength) {
    if (knownBeginnings.size >= maxKnownBeginnings) knownBeginnings.clear();
    knownBeginnings.set(beginning, parsed);
  }
  return { ...parsed, signature };
}

/** `Credential=…, SignedHeaders=…, Signature=…`, in any order, with or without spaces. */
function authorizationFields(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const parts = text.split(',', 4);
  if (parts.length !== 3) {
    throw malformedHeader(
      'the authorization header requires three components: Credential, SignedHeaders, and Signature.',
    );
  }
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals < 0) throw malformedHeader(`the authorization component ${quoted(part.trim())} is malformed.`);
    fields.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  for (const name of ['Credential', 'SignedHeaders', 'Signature']) {
    if (!fields.has(name)) throw malformedHeader(`missing ${name}.`);
  }
  return fields;
}

/** The time in `x-amz-date`, or else in `Date`, in milliseconds since the epoch. */
function requestTime(headers: ReadonlyMap<string, string>): number {
  const amzDate = headers.get('x-amz-date');
  const time = amzDate === undefined ? parseHttpDate(headers.get('date')) : parseTimestamp(amzDate);
  if (time !== undefined) return time;
  throw s3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
}

function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) {
    return undefined;
  }
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

const requiredParameters = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-Date',
  'X-Amz-SignedHeaders',
  'X-Amz-Expires',
] as const;

type PresignedParameters = Readonly<Record<(typeof requiredParameters)[number], string>> & {
  readonly contentSha256: string | undefined;
};

/**
 * Reads the parameters of a presigned URL. It holds from its date for `X-Amz-Expires` seconds; the skew allowed counts
 * only for a date in the future.
 * @throws S3Error AuthorizationQueryParametersError, AccessDenied (expired, not yet valid).
 */
export function parsePresignedQuery(query: readonly QueryParameter[], options: VerifyOptions): ClaimedSignature {
  const parameters = presignedParameters(query);
  if (parameters['X-Amz-Algorithm'] !== sigv4Algorithm) {
    throw malformedQuery(`X-Amz-Algorithm only supports "${sigv4Algorithm}"`);
  }
  const { accessKeyId, scope } = parseCredential(parameters['X-Amz-Credential'], malformedCredentialParameter);
  checkScope(scope, options, malformedCredentialParameter);
  const signedHeaders = parseSignedHeaders(parameters['X-Amz-SignedHeaders'], malformedQuery);
  const signature = parameters['X-Amz-Signature'];
  // As for any other wrong signature: a link whose end was cut off is no malformed one.
  if (!signaturePattern.test(signature)) throw s3Error('SignatureDoesNotMatch');
  const time = parseTimestamp(parameters['X-Amz-Date']);
  if (time === undefined) {
    throw malformedQuery(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`);
  }
  const timestamp = parameters['X-Amz-Date'];
  if (timestamp.slice(0, 8) !== scope.date) {
    throw malformedQuery(
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  }
  checkExpiry(time, parseExpires(parameters['X-Amz-Expires']), options);
  const { contentSha256 } = parameters;
  const claim = { style: 'presigned', accessKeyId, scope, timestamp, signedHeaders, signature } as const;
  return contentSha256 === undefined ? claim : { ...claim, contentSha256 };
}

function presignedParameters(query: readonly QueryParameter[]): PresignedParameters {
  const valueOf = (name: string): string | undefined => {
    const given = query.filter((parameter) => parameter.name === name);
    if (given.length > 1) throw malformedQuery(`The parameter ${name} is given twice.`);
    return given[0]?.value;
  };
  const required = (name: string): string => {
    const value = valueOf(name);
    if (value !== undefined) return value;
    throw malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  };
  return {
    'X-Amz-Algorithm': required('X-Amz-Algorithm'),
    'X-Amz-Credential': required('X-Amz-Credential'),
    'X-Amz-Signature': required('X-Amz-Signature'),
    'X-Amz-Date': required('X-Amz-Date'),
    'X-Amz-SignedHeaders': required('X-Amz-SignedHeaders'),
    'X-Amz-Expires': required('X-Amz-Expires'),
    contentSha256: valueOf('X-Amz-Content-Sha256'),
  };
}

/** Seconds. */
function parseExpires(text: string): number {
  if (!/^-?\d{1,12}$/.test(text)) throw malformedQuery('X-Amz-Expires should be a number');
  const seconds = Number(text);
  if (seconds < 1) throw malformedQuery('X-Amz-Expires must be non-negative');
  if (seconds > maxExpiresSeconds) {
    throw malformedQuery(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${maxExpiresSeconds} seconds`,
    );
  }
  return seconds;
}

function checkExpiry(time: number, expiresSeconds: number, options: VerifyOptions): void {
  if (time - options.now > (options.skewMs ?? defaultSkewMs)) {
    throw s3Error('AccessDenied', 'Request is not yet valid', { details: { ServerTime: isoSeconds(options.now) } });
  }
  const expiry = time + expiresSeconds * 1000;
  if (options.now <= expiry) return;
  throw s3Error('AccessDenied', 'Request has expired', {
    details: {
      'X-Amz-Expires': String(expiresSeconds),
      Expires: isoSeconds(expiry),
      ServerTime: isoSeconds(options.now),
    },
  });
}

interface Malformed {
  (message: string): S3Error;
}

function malformedHeader(message: string): S3Error {
  return s3Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${message}`);
}

function malformedQuery(message: string): S3Error {
  return s3Error('AuthorizationQueryParametersError', message);
}

function malformedCredentialParameter(message: string): S3Error {
  return malformedQuery(`Error parsing the X-Amz-Credential parameter; ${message}`);
}

/**
 * `<access key id>/<YYYYMMDD>/<region>/s3/aws4_request`; the id may contain slashes.
 * @throws S3Error what `malformed` makes of the message.
 */
export function parseCredential(
  text: string,
  malformed: Malformed,
): { readonly accessKeyId: string; readonly scope: CredentialScope } {
  const match = /^([\x21-\x7e]{1,256})\/(\d{8})\/([A-Za-z0-9_-]{1,64})\/s3\/aws4_request$/.exec(text);
  if (match === null) throw malformed(credentialProblem(text));
  const [, accessKeyId = '', date = '', region = ''] = match;
  return { accessKeyId, scope: { date, region, service: 's3' } };
}

/** S3's words for a credential that is not well-formed. */
function credentialProblem(text: string): string {
  const [, date = '', , service = '', terminal = '', more] = text.split('/', 6);
  if (terminal !== '' && more === undefined) {
    if (service !== 's3') return `incorrect service ${quoted(service)}. This endpoint belongs to "s3".`;
    if (terminal !== 'aws4_request')
      return `incorrect terminal ${quoted(terminal)}. This endpoint uses "aws4_request".`;
    if (!/^\d{8}$/.test(date)) {
      return `incorrect date format ${quoted(date)}. This date in the credential must be in the format "yyyyMMdd".`;
    }
  }
  return 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".';
}

/** What a client sent, short and printable, for a message. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

function checkScope({ region }: CredentialScope, options: VerifyOptions, malformed: Malformed): void {
  if (options.region !== undefined && region !== options.region) {
    throw malformed(`the region '${region}' is wrong; expecting '${options.region}'`);
  }
}

function parseSignedHeaders(text: string, malformed: Malformed): readonly string[] {
  const names = text.split(';', maxSignedHeaders + 1);
  const isValid = names.length <= maxSignedHeaders && names.every((name) => headerNamePattern.test(name));
  if (!isValid || new Set(names).size !== names.length) throw malformed('the SignedHeaders are mal-formed.');
  return names;
}

let lastTime: { readonly text: string; readonly time: number | undefined } = { text: '', time: undefined };

/** Milliseconds since the epoch of `YYYYMMDDTHHMMSSZ`, or undefined where it is no real time. */
function parseTimestamp(text: string): number | undefined {
  // Many requests of a second have the same one.
  if (lastTime.text !== text) lastTime = { text, time: timeOf(text) };
  return lastTime.time;
}

function timeOf(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) || timestampOf(time) !== text ? undefined : time;
}

/** `2013-05-24T00:00:00Z` */
function isoSeconds(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
