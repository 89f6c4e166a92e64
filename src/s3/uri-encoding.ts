import { s3Error } from './s3-error.ts';

/** Longest query string, in characters as they came, and most parameters that are looked at. */
const maxQueryLength = 16 * 1024;
const maxQueryParameters = 100;

/** A parameter of a query string, percent-decoded; `hasValue` tells `?acl=` from `?acl`. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
  readonly hasValue: boolean;
}

const unreserved = /^[A-Za-z0-9\-._~]*$/;
const unreservedOrSlash = /^[A-Za-z0-9\-._~/]*$/;

/**
 * Percent-encodes the UTF-8 bytes of `text` as SigV4 wants it: all but `A-Z a-z 0-9 - . _ ~`, upper-case hex, a space is
 * `%20` (AWS Signature Version 4, "UriEncode"). A lone surrogate is encoded as U+FFFD.
 */
export function uriEncode(text: string, encodeSlash: boolean): string {
  if ((encodeSlash ? unreserved : unreservedOrSlash).test(text)) return text;
  const encoded = encodeURIComponent(text.toWellFormed()).replaceAll(/[!'()*]/g, percentEncodeUnit);
  return encodeSlash ? encoded : encoded.replaceAll('%2F', '/');
}

/** Splits a request target at its first `?`; neither half is decoded or normalised. */
export function splitTarget(rawTarget: string): { readonly rawPath: string; readonly rawQuery: string } {
  const mark = rawTarget.indexOf('?');
  if (mark === -1) return { rawPath: rawTarget, rawQuery: '' };
  return { rawPath: rawTarget.slice(0, mark), rawQuery: rawTarget.slice(mark + 1) };
}

/**
 * The parameters of a raw query string in their order. `+` is a space, as S3 reads it (clients that mean a plus send
 * `%2B`); empty pieces, as in `a&&b`, are left out.
 * @throws S3Error InvalidURI: a broken percent escape, bytes that are not UTF-8, more than 16 KiB or 100 parameters.
 */
export function parseRawQuery(rawQuery: string): readonly QueryParameter[] {
  return queryPieces(rawQuery).map((piece) => {
    const { name, value } = splitPiece(piece);
    return { name: decodeQueryText(name), value: decodeQueryText(value ?? ''), hasValue: value !== undefined };
  });
}

/**
 * The canonical path of a SigV4 request to S3: decoded once and encoded again, `/` kept, so that every spelling of the
 * same bytes gives one form. `//` and `..` stay: S3 does not normalise paths.
 * @throws S3Error InvalidURI for a broken percent escape.
 */
export function canonicalPath(rawPath: string): string {
  return unreservedOrSlash.test(rawPath) ? rawPath : recode(rawPath).replaceAll('%2F', '/');
}

/**
 * The canonical query string of a SigV4 request: every name and value decoded and encoded again, sorted by the bytes of
 * the encoded name, then of the encoded value. `omit` is a decoded name to leave out (`X-Amz-Signature`).
 * @throws S3Error InvalidURI as `parseRawQuery`.
 */
export function canonicalQuery(rawQuery: string, omit?: string): string {
  if (rawQuery === '') return '';
  const pairs = queryPieces(rawQuery).map((piece) => {
    const { name, value } = splitPiece(piece);
    return { name: recodeQueryText(name), value: recodeQueryText(value ?? '') };
  });
  const kept = omit === undefined ? pairs : pairs.filter(({ name }) => name !== omit);
  // By name first: a sort of the joined `name=value` would put `a-b` before `a`, as `-` is below `=`.
  kept.sort((a, b) => compareAscii(a.name, b.name) || compareAscii(a.value, b.value));
  return kept.map(({ name, value }) => `${name}=${value}`).join('&');
}

function compareAscii(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function queryPieces(rawQuery: string): string[] {
  if (rawQuery === '') return [];
  if (rawQuery.length > maxQueryLength) throw s3Error('InvalidURI', 'The query string is too long.');
  const pieces = rawQuery.split('&', maxQueryParameters + 1);
  if (pieces.length > maxQueryParameters) throw s3Error('InvalidURI', 'The query string has too many parameters.');
  return pieces.filter((piece) => piece !== '');
}

function splitPiece(piece: string): { readonly name: string; readonly value: string | undefined } {
  const equals = piece.indexOf('=');
  if (equals === -1) return { name: piece, value: undefined };
  return { name: piece.slice(0, equals), value: piece.slice(equals + 1) };
}

function decodeQueryText(raw: string): string {
  if (unreserved.test(raw)) return raw;
  const spaced = raw.replaceAll('+', ' ').replaceAll(/[^\0-\x7f]/g, percentEncodeUnit);
  try {
    return decodeURIComponent(spaced);
  } catch (error) {
    throw s3Error('InvalidURI', undefined, { cause: error });
  }
}

function recodeQueryText(raw: string): string {
  return unreserved.test(raw) ? raw : recode(raw.replaceAll('+', ' '));
}

/** Decodes and encodes in one pass over the bytes, whether or not they are UTF-8. */
function recode(raw: string): string {
  return raw.replaceAll(/%([0-9A-Fa-f]{2})?|[^A-Za-z0-9\-._~]/g, (matched: string, hex: string | undefined) => {
    if (hex === undefined) {
      if (matched === '%') throw s3Error('InvalidURI');
      return percentEncodeUnit(matched);
    }
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return unreserved.test(character) ? character : `%${hex.toUpperCase()}`;
  });
}

/** One byte: what comes unencoded stands in a request target as Latin-1, as node:http gives it. */
function percentEncodeUnit(character: string): string {
  const byte = character.charCodeAt(0);
  if (byte > 0xff) throw s3Error('InvalidURI');
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
