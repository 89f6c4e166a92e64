import { listenerErrors } from '../src/http/error-document.ts';
import { errorCatalogue, type S3ErrorCode } from '../src/s3/error-catalogue.ts';

interface CatalogueEntry {
  readonly status: number;
  readonly message: string;
}

/** Codes that S3 does not have, with what an operator does about them. */
const ownCodes: readonly (readonly [code: S3ErrorCode, meaning: string])[] = [
  [
    'KeyUnavailable',
    'The key service does not answer and no cached key is left. `Retry-After` says when to try again; `/ready` says which key.',
  ],
  [
    'KeyVersionNotReadable',
    'The object is under a version of the key that is older than `rotation.readPrevious` allows, or that the provider does not have. Raise `readPrevious`, or bring the version back.',
  ],
  [
    'ObjectCorrupted',
    'The stored bytes or metadata are not what was stored. All such failures look alike to clients; the log line `decryption failed` has the reason.',
  ],
  [
    'ObjectNotEncrypted',
    'The object was stored by something else. `encryption.unencryptedReads: allow` in its policy lets it be read.',
  ],
];

function table(entries: Readonly<Record<string, CatalogueEntry>>): string {
  const rows = Object.entries(entries)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, { status, message }]) => `| \`${code}\` | ${status} | ${message} |`);
  return `| Code | Status | Message |\n| --- | --- | --- |\n${rows.join('\n')}`;
}

/** The reference page of the errors that clients see, made from the catalogues. */
export function renderErrorsReference(): string {
  const own = ownCodes.map(([code, meaning]) => `| \`${code}\` | ${errorCatalogue[code].status} | ${meaning} |`);
  return `# Errors

<!-- Made by \`npm run docs\` from src/s3/error-catalogue.ts and src/http/error-document.ts: do not edit. -->

An error is answered in S3's own form: status, and an XML document with \`Code\`, \`Message\`, details, \`Resource\`, \`RequestId\`
and \`HostId\`. HEAD and status 304 have no body. The request id is in the header \`x-amz-request-id\` of every answer and in the
log. A message may say more than the table. Codes of a provider that are not listed are passed on with its status.

After the first byte of a body no error can be answered any more: the connection is broken, so that no client takes part of an
object for the whole.

## The gateway's own codes

| Code | Status | What it means, and what to do |
| --- | --- | --- |
${own.join('\n')}

## All codes

${table(errorCatalogue)}

## Of the listener

Answered where a request cannot be read, so without signature, \`Resource\` and \`HostId\`.

${table(listenerErrors)}
`;
}
