import type { RequestAddress } from './address.ts';
import { checksumHeaders } from './checksum.ts';
import {
  operationTable,
  overrideParameters,
  type ForwardedOperation,
  type OperationLevel,
  type RefusedOperation,
  type ServedOperation,
} from './operation-rows.ts';
import { s3Error, type S3Error } from './s3-error.ts';

export * from './operation-rows.ts';

/** A query parameter, decoded. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}

/** What the operation of a request follows from; header names in lower case. */
export interface OperationRequest {
  readonly method: string;
  readonly address: RequestAddress;
  readonly query: readonly QueryParameter[];
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** An operation that is answered, by the gateway or by the backend. */
export type AnsweredOperation = ServedOperation | ForwardedOperation;

type Row = AnsweredOperation | RefusedOperation;

/** Parameters of presigned URLs, and what SDKs add for their own use. Their values are the verifier's affair. */
const ignoredParameters = new Set([
  'x-amz-algorithm',
  'x-amz-checksum-mode',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
  'x-id',
  ...checksumHeaders.keys(),
]);

/** Whether a query parameter means nothing to operations. */
export function isIgnoredParameter(name: string): boolean {
  return ignoredParameters.has(name.toLowerCase());
}

/** Headers that give a request another meaning, which would be lost if the gateway passed over them: all begin with `x-amz-`. */
const refusedHeader = new RegExp(
  [
    /^x-amz-server-side-encryption-customer-/,
    /^x-amz-copy-source-server-side-encryption-customer-/,
    /^x-amz-write-offset-bytes$/,
    /^x-amz-if-match-/,
    /^x-amz-rename-source/,
    /^x-amz-fwd-/,
    // MinIO would unpack the body, which is ciphertext to it.
    /^x-amz-meta-snowball-auto-extract$/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

/**
 * The operation that a request asks for. Nothing falls through: every query parameter belongs to the operation found or
 * is one that means nothing to S3.
 * @throws S3Error NotImplemented (501, operations and parameters not served), MethodNotAllowed (405), InvalidArgument
 * (400, parameters given twice or that do not go together).
 */
export function matchOperation(request: OperationRequest): AnsweredOperation {
  const level = levelOf(request.address);
  const query = significantQuery(request.query);
  checkParametersKnown(query);
  const rows = rowsByLevel[level];
  const row = candidatesByLevel[level].find((candidate) => isCandidate(candidate, request, query))?.row;
  if (row === undefined) throw unmatched(rows, request, query);
  if (row.handling === 'refused') throw notServed(row);
  const stray = strayParameter(row, query);
  if (stray !== undefined) throw misplaced(stray, row, rows);
  checkHeaders(request, row);
  return row;
}

const rowsByLevel: Readonly<Record<OperationLevel, readonly Row[]>> = {
  service: operationTable.filter((row) => row.level === 'service'),
  bucket: operationTable.filter((row) => row.level === 'bucket'),
  object: operationTable.filter((row) => row.level === 'object'),
};

/** A row, and what its query has to have, taken apart once. */
interface Candidate {
  readonly row: Row;
  readonly query: readonly (readonly [name: string, wanted: string | true])[];
}

/** The most specific first. */
const candidatesByLevel: Readonly<Record<OperationLevel, readonly Candidate[]>> = {
  service: candidatesOf(rowsByLevel.service),
  bucket: candidatesOf(rowsByLevel.bucket),
  object: candidatesOf(rowsByLevel.object),
};

function candidatesOf(rows: readonly Row[]): readonly Candidate[] {
  const weight = ({ row, query }: Candidate): number => query.length + (row.header === undefined ? 0 : 1);
  return rows.map((row) => ({ row, query: Object.entries(row.query) })).toSorted((a, b) => weight(b) - weight(a));
}

function levelOf(address: RequestAddress): OperationLevel {
  if (address.bucket === undefined) return 'service';
  return address.key === undefined ? 'bucket' : 'object';
}

/** Name to value, without what is ignored. */
function significantQuery(parameters: readonly QueryParameter[]): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const { name, value } of parameters) {
    const isEmpty = name === '' && value === ''; // as `?a&&b` leaves one
    if (isEmpty || isIgnoredParameter(name)) continue;
    if (query.has(name)) throw invalidParameter(`The query parameter ${shown(name)} is given twice.`, name);
    query.set(name, value);
  }
  return query;
}

const knownParameters = new Set<string>(
  operationTable.flatMap((row) => [
    ...Object.keys(row.query),
    ...(row.handling === 'refused' ? [] : row.optionalQuery),
  ]),
);

/** S3 itself passes over many names; here a name that is not known may be one that S3 learnt since. */
function checkParametersKnown(query: ReadonlyMap<string, string>): void {
  for (const name of query.keys()) {
    if (knownParameters.has(name)) continue;
    throw s3Error('NotImplemented', `The query parameter ${shown(name)} is not implemented.`, {
      details: { Parameter: shown(name) },
    });
  }
}

function isCandidate(
  { row, query: wantedQuery }: Candidate,
  request: OperationRequest,
  query: ReadonlyMap<string, string>,
): boolean {
  if (row.method !== request.method) return false;
  if (row.header !== undefined && request.headers[row.header] === undefined) return false;
  return wantedQuery.every(([name, wanted]) => {
    const value = query.get(name);
    return wanted === true ? value !== undefined : value === wanted;
  });
}

function strayParameter(row: AnsweredOperation, query: ReadonlyMap<string, string>): string | undefined {
  return [...query.keys()].find((name) => !Object.hasOwn(row.query, name) && !row.optionalQuery.includes(name));
}

/** No row: the method is not known here, or not with these sub-resources. */
function unmatched(rows: readonly Row[], request: OperationRequest, query: ReadonlyMap<string, string>): S3Error {
  const isNamed = (row: Row): boolean => Object.keys(row.query).some((name) => query.has(name));
  const named = rows.filter(isNamed);
  const plain = rows.filter((row) => Object.keys(row.query).length === 0);
  const methods = new Set((named.length === 0 ? plain : named).map((row) => row.method));
  return methodNotAllowed(request.method, methods);
}

function misplaced(name: string, row: AnsweredOperation, rows: readonly Row[]): S3Error {
  const users = rows.filter((other) => Object.hasOwn(other.query, name));
  const methods = new Set(users.map((other) => other.method));
  if (users.length > 0 && !methods.has(row.method)) return methodNotAllowed(row.method, methods);
  return invalidParameter(`The query parameter ${shown(name)} does not go with ${row.operation}.`, name);
}

function methodNotAllowed(method: string, allowed: ReadonlySet<string>): S3Error {
  return s3Error('MethodNotAllowed', undefined, {
    details: { Method: shown(method) },
    headers: { allow: [...allowed].toSorted().join(', ') },
  });
}

function notServed(row: RefusedOperation): S3Error {
  const [subResource] = Object.keys(row.query);
  const by = row.header ?? (subResource === undefined ? undefined : `?${subResource}`);
  const what = by === undefined ? row.operation : `${row.operation} (${by})`;
  return s3Error('NotImplemented', `${what} is not implemented: ${row.reason}.`, {
    details: { Operation: row.operation },
  });
}

function checkHeaders(request: OperationRequest, row: AnsweredOperation): void {
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith('x-amz-')) continue;
    if (refusedHeader.test(name)) {
      throw s3Error('NotImplemented', undefined, { details: { Header: name } });
    }
    if (name.startsWith('x-amz-copy-source') && row.header !== 'x-amz-copy-source') {
      throw s3Error('InvalidArgument', `The header ${name} does not go with ${row.operation}.`, {
        details: { ArgumentName: name },
      });
    }
  }
}

function invalidParameter(message: string, name: string): S3Error {
  return s3Error('InvalidArgument', message, { details: { ArgumentName: shown(name) } });
}

function shown(text: string): string {
  return text.slice(0, 64);
}

/**
 * Headers that a GET or HEAD asks to have in its answer (`response-content-type` and its like), by lower-case name.
 * @throws S3Error InvalidArgument where a value cannot be sent as a header.
 */
export function responseOverrides(query: ReadonlyMap<string, string>): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const name of overrideParameters) {
    const value = query.get(name);
    if (value === undefined) continue;
    // oxlint-disable-next-line no-control-regex
    if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) {
      throw s3Error('InvalidArgument', `Header value cannot be represented using ISO-8859-1.${name}`, {
        details: { ArgumentName: name },
      });
    }
    overrides[name.slice('response-'.length)] = value;
  }
  return overrides;
}
