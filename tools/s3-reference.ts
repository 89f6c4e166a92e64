import {
  forwardedOperations,
  refusedOperations,
  servedOperations,
  type ForwardedOperation,
  type OperationHandling,
  type RefusedOperation,
  type ServedOperation,
} from '../src/s3/operation-rows.ts';
import { maxUserMetadataBytes } from '../src/s3/object-headers.ts';

const handlings: Readonly<Record<OperationHandling, string>> = {
  encrypted: 'encrypted',
  gateway: 'answered by the gateway',
  forwarded: 'forwarded',
};

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

type Row = Pick<ServedOperation | ForwardedOperation | RefusedOperation, 'method' | 'level' | 'query' | 'header'>;

const paths = { service: '/', bucket: '/bucket', object: '/bucket/key' } as const;

/** The request as it would be written: method, path, the query that makes it this operation, and the header. */
function requestOf({ method, level, query, header }: Row): string {
  const parameters = Object.entries(query).map(([name, value]) => (value === true ? name : `${name}=${value}`));
  const target = `${paths[level]}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
  return `${code(`${method} ${target}`)}${header === undefined ? '' : ` with ${code(header)}`}`;
}

function byName(left: { readonly operation: string }, right: { readonly operation: string }): number {
  return left.operation < right.operation ? -1 : Number(left.operation > right.operation);
}

function servedRow(row: ServedOperation | ForwardedOperation): string {
  const optional = row.optionalQuery.map(code).join(', ');
  return `| ${row.operation} | ${requestOf(row)} | ${handlings[row.handling]} | ${row.action} | ${optional} |`;
}

function refusedRow(row: RefusedOperation): string {
  return `| ${row.operation} | ${requestOf(row)} | ${row.reason} |`;
}

/** The page of what the gateway serves of the S3 API, made from the operation table. */
export function renderS3Reference(): string {
  const served = [...servedOperations, ...forwardedOperations].toSorted(byName).map(servedRow);
  const refused = [...refusedOperations].toSorted(byName).map(refusedRow);
  return `# S3 compatibility

<!-- Made by \`npm run docs\` from src/s3/operation-rows.ts: do not edit. -->

Path style and virtual-hosted style (\`listen.publicHosts\`). Signature version 4 in the header, in the query (presigned URLs), and
over streamed bodies (\`STREAMING-AWS4-HMAC-SHA256-PAYLOAD\`, with and without trailer, \`STREAMING-UNSIGNED-PAYLOAD-TRAILER\`,
\`UNSIGNED-PAYLOAD\`), and in the policy of a form upload. Anonymous requests, signature version 2 and 4A, and session tokens of
clients are refused.

## Served

*Encrypted*: data, size or ETag are translated. *Answered by the gateway*: put together by it from what the backend says.
*Forwarded*: passed to the backend, which answers; nothing of it carries object bytes. The action is what a credential's \`allow\` list must have.

| Operation | Request | Handling | Action | Further parameters |
| --- | --- | --- | --- | --- |
${served.join('\n')}

## Refused

Known, and answered 501 NotImplemented. A sub-resource or parameter in neither table is 501 too, and one that does not go with the
operation is 400: a request is never served as another one.

| Operation | Request | Reason |
| --- | --- | --- |
${refused.join('\n')}

The same holds for headers that would change what a request means: customer-provided keys (\`x-amz-server-side-encryption-customer-*\`),
appending writes (\`x-amz-write-offset-bytes\`), conditions on metadata (\`x-amz-if-match-*\`), renaming (\`x-amz-rename-source*\`),
unpacking an archive where it is stored (MinIO's \`x-amz-meta-snowball-auto-extract\`).

## What differs from S3

- **ETags** are opaque: \`"<32 hex>-0"\` for objects of one upload, the provider's own form with a part count for multipart objects.
  They change with each write, are the same in listings, HEAD and GET, and work in conditions; they are never the MD5 of the
  content. Parts have \`"<provider's>-<16 hex>"\`, and a longer end where the upload has a checksum.
- **ETags under \`encryption.etag: md5\`** are S3's own: the MD5 of the content, and for multipart objects that of the parts' MD5s
  with their number. PUT, form uploads, copies, CompleteMultipartUpload, HEAD, GET and GetObjectAttributes show them; listings keep
  the opaque form, for there is no room in them for a look at every object. Conditions take either. It costs the MD5 (about 2 CPU
  seconds per GB); for objects above 128 KiB that came without Content-MD5, and for multipart objects, the index is read before the
  first answer, once a replica; and a condition that names an MD5 takes a HEAD, so that the provider can still evaluate it
  atomically by its own ETag; whoever sends one needs the action \`read\`. Opaque as before are objects that were written without
  the option (a copy onto themselves gives them an MD5), and multipart objects of which a part was completed by another ETag than
  UploadPart answered. rclone with \`provider = Minio\`, \`Ceph\` or \`AWS\` holds multipart ETags against its own and needs this
  option, or \`use_multipart_etag = false\`. Whatever the option, no answer claims \`x-amz-server-side-encryption\` that the provider
  did not say.
- **Multipart uploads** have part numbers 1 to 9 999; part 10 000 is taken only where it is the last one and below 5 MiB, because the
  object's index goes behind the last part. Completing an upload again answers as the first time; where parts are named as another
  replica lists them, without the end that UploadPart gave their ETags, only where the provider's ETags are made of MD5s, and
  NoSuchUpload elsewhere (the embedded store, some kinds of server-side encryption).
- **User metadata** may have ${maxUserMetadataBytes} bytes (S3: 2 048); the rest is for the envelope. \`x-amz-meta-s3eg\` and
  \`x-amz-meta-s3eg-key\` belong to the gateway. A changed Content-Type or user metadata in the backend makes an object unreadable.
- **Keys under \`.s3eg/\`** (\`multipart.prefix\`) are the gateway's: clients neither see nor reach them. A page of a listing can have
  fewer keys than asked for because of them; a bucket that holds nothing else is empty, and can be deleted.
- **Checksums** (CRC32, CRC32C, CRC64NVME, MD5, SHA-1, SHA-256, SHA-512, XXHASH64, XXHASH3, XXHASH128) are verified on plaintext, sealed with the object, and given back with
  \`x-amz-checksum-mode: ENABLED\`; Content-MD5 and \`x-amz-content-sha256\` are verified. S3 computes a CRC64NVME of what comes without a checksum; the gateway
  does not, but shows the MD5 behind an ETag under \`encryption.etag: md5\` as such an object's checksum. Of a multipart object the checksum is kept as a whole, composite or full object, not those of its parts, and only where
  every part is named by the ETag that UploadPart answered. In buckets with \`mode: off\` checksums are verified and not kept.
- **Parts** of an object, read by \`partNumber\` or listed by GetObjectAttributes, count from 1 in their order, whatever numbers they
  were uploaded under, and have no checksums of their own. Those of objects that are not encrypted are the
  provider's.
- **Copies** between encrypted buckets of one backend are made by the provider: only the object's key is wrapped anew. To or from
  buckets that are not encrypted, across backends, and where \`x-amz-checksum-algorithm\` asks for a checksum that the source has not,
  the bytes stream through the gateway; so do those of UploadPartCopy. \`If-Match\` and \`If-None-Match\` on the destination are
  atomic only where the provider evaluates them (MinIO does not): the gateway looks before it copies.
- **Sizes** are those of the plaintext everywhere. At the provider an object is larger by about 0.05 % and some hundred bytes.
- **Forwarded sub-resources** mean at the provider what they say there: bucket policies, ACLs and websites give access to
  ciphertext; sizes in notifications, inventories and lifecycle filters are those of ciphertext; a lifecycle rule over a whole
  bucket also reaches the gateway's keys under \`.s3eg/\`, among them the envelopes of [old versions](rotation.md#old-versions). Tags are
  held to S3's limits before anything is sent.
- **CORS** is answered by the gateway from the bucket's own rules, read from the provider at most every 30 seconds.
- **Presigned URLs** of SDKs that put \`x-amz-*\` headers into the query (AWS SDK for JavaScript v3) mean the same as with
  the headers. Values of checksums in the query are passed over: they are those of an empty body.
- **\`x-amz-expected-bucket-owner\`** and \`x-amz-source-expected-bucket-owner\` of every operation are the provider's to compare, with
  its own account; the embedded store has no accounts and does not look at them.
- **Ranges**: one range a request; several in one header are answered with the whole object, as S3 does.
- **Locked objects**: S3 wants a checksum of the stored bytes with what is to be locked. Objects with object-lock headers get one
  (Content-MD5 up to 64 KiB, else a CRC-32 in a trailer), and so do all uploads to a bucket that has refused one without, as those
  with a default retention do, for 12 hours each time; backends that refuse the trailer (Ceph 16) get none for as long. The upload
  that shows either is sent again, or answered 503 \`SlowDown\` where more than 256 KiB are gone; one in parts that was begun
  before has to be begun again. The first upload in parts with object-lock headers in a bucket costs a trial of three requests.
- Server-side encryption, storage classes, tags, object-lock headers and canned ACLs of a write go to the provider. The embedded
  store has one storage class, no key service, no versions, no object lock, and of the ACLs \`private\` and
  \`bucket-owner-full-control\`; of sub-resources it keeps tags and CORS rules, says of all others that they are not
  configured, and refuses to configure them.

Errors: [errors.md](errors.md).
`;
}
