import { s3Error } from './s3-error.ts';
import { parseXml, type XmlElement } from './xml.ts';

/** One rule of a bucket's CORS configuration (S3 API reference, "CORSRule"). */
export interface CorsRule {
  /** Origins, each with at most one `*`. */
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  /** Names of request headers, each with at most one `*`; any case. */
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** What a browser asks for: in a preflight with the headers that it wants to send, else without. */
export interface CorsRequest {
  readonly origin: string;
  readonly method: string;
  /** Lower-case names. */
  readonly requestHeaders?: readonly string[];
}

const maxRules = 100;
/** Methods that CORS rules may name. */
export const corsMethods: ReadonlySet<string> = new Set(['GET', 'PUT', 'HEAD', 'POST', 'DELETE']);
/** Caches on the way must not give one origin's answer to another. */
const vary = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';

/** @throws S3Error MalformedXML, InvalidRequest (a method that CORS does not know, a pattern with several `*`). */
export function parseCorsConfiguration(document: string | Uint8Array): readonly CorsRule[] {
  const root = parseXml(document, { maxBytes: 256 * 1024, maxDepth: 4 });
  const rules = root.children('CORSRule');
  if (root.name !== 'CORSConfiguration' || rules.length === 0 || rules.length > maxRules) throw s3Error('MalformedXML');
  return rules.map(parseRule);
}

function parseRule(rule: XmlElement): CorsRule {
  const list = (name: string): string[] => rule.children(name).map((child) => child.text().trim());
  const allowedOrigins = list('AllowedOrigin');
  const allowedMethods = list('AllowedMethod');
  const allowedHeaders = list('AllowedHeader');
  if (allowedOrigins.length === 0 || allowedMethods.length === 0) throw s3Error('MalformedXML');
  const wrongMethod = allowedMethods.find((method) => !corsMethods.has(method));
  if (wrongMethod !== undefined) {
    throw s3Error(
      'InvalidRequest',
      `Found unsupported HTTP method in CORS config. Unsupported method is ${wrongMethod}`,
    );
  }
  for (const pattern of [...allowedOrigins, ...allowedHeaders]) {
    if (pattern.split('*').length <= 2) continue;
    throw s3Error('InvalidRequest', `"${pattern}" can not have more than one wildcard.`);
  }
  const maxAge = rule.textOf('MaxAgeSeconds')?.trim();
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) throw s3Error('MalformedXML');
  return {
    allowedOrigins,
    allowedMethods,
    allowedHeaders,
    exposeHeaders: list('ExposeHeader'),
    ...(maxAge === undefined ? {} : { maxAgeSeconds: Number(maxAge) }),
  };
}

/** The headers of an answer to a browser, by the first rule that allows the request; undefined where none does. */
export function corsHeaders(
  rules: readonly CorsRule[],
  request: CorsRequest,
): Readonly<Record<string, string>> | undefined {
  const rule = rules.find((candidate) => allows(candidate, request));
  if (rule === undefined) return undefined;
  const { requestHeaders } = request;
  const forAll = rule.allowedOrigins.find((pattern) => matches(pattern, request.origin)) === '*';
  return {
    'access-control-allow-origin': forAll ? '*' : request.origin,
    ...(forAll ? {} : { 'access-control-allow-credentials': 'true' }),
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    ...(requestHeaders === undefined || requestHeaders.length === 0
      ? {}
      : { 'access-control-allow-headers': requestHeaders.join(', ') }),
    ...(rule.exposeHeaders.length === 0 ? {} : { 'access-control-expose-headers': rule.exposeHeaders.join(', ') }),
    ...(rule.maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(rule.maxAgeSeconds) }),
    vary,
  };
}

function allows(rule: CorsRule, { origin, method, requestHeaders = [] }: CorsRequest): boolean {
  return (
    rule.allowedMethods.includes(method) &&
    rule.allowedOrigins.some((pattern) => matches(pattern, origin)) &&
    requestHeaders.every((name) => rule.allowedHeaders.some((pattern) => matches(pattern.toLowerCase(), name)))
  );
}

function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
}
