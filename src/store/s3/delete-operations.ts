import { parseDeleteResultAnswer } from '../../s3/documents.ts';
import { S3Error } from '../../s3/s3-error.ts';
import { element, s3Namespace, xmlDocument } from '../../s3/xml.ts';
import type { CallOptions, DeletedObject, DeleteObjectsRequest } from '../object-store.ts';
import type { S3Client } from './client.ts';
import { deleteObject } from './object-operations.ts';
import { collectDocument } from './xml-answers.ts';

type Entry = DeleteObjectsRequest['objects'][number];

/** Single requests at once for keys that do not fit into XML. */
const parallelDeletes = 8;

/**
 * DeleteObjects. Keys with characters that XML 1.0 does not allow or that parsers change are deleted one by one.
 */
export async function deleteObjects(
  client: S3Client,
  request: DeleteObjectsRequest,
  options: CallOptions,
): Promise<readonly DeletedObject[]> {
  const inXml = request.objects.filter(({ key }) => survivesXml(key));
  const others = request.objects.filter(({ key }) => !survivesXml(key));
  const deleted = inXml.length === 0 ? [] : await deleteInOneRequest(client, { ...request, objects: inXml }, options);
  return [...deleted, ...(await deleteOneByOne(client, { ...request, objects: others }, options))];
}

// oxlint-disable-next-line no-control-regex
const changedByXml = /[\u0000-\u001f\u007f-\u009f\u2028\ufffe\uffff]/;

function survivesXml(key: string): boolean {
  return key.isWellFormed() && !changedByXml.test(key);
}

async function deleteInOneRequest(
  client: S3Client,
  request: DeleteObjectsRequest,
  { signal }: CallOptions,
): Promise<readonly DeletedObject[]> {
  const entries = request.objects.map(({ key, versionId }) =>
    element('Object', [element('Key', key), element('VersionId', versionId)]),
  );
  return await client.call(
    {
      operation: 'DeleteObjects',
      method: 'POST',
      bucket: request.bucket,
      query: { delete: '' },
      headers: { ...request.headers, 'content-type': 'application/xml' },
      body: Buffer.from(xmlDocument('Delete', s3Namespace, entries)),
      contentMd5: true,
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ body }) => parseDeleteResultAnswer(await collectDocument(body)),
  );
}

async function deleteOneByOne(
  client: S3Client,
  request: DeleteObjectsRequest,
  options: CallOptions,
): Promise<readonly DeletedObject[]> {
  const deleted: DeletedObject[] = [];
  for (let start = 0; start < request.objects.length; start += parallelDeletes) {
    const entries = request.objects.slice(start, start + parallelDeletes);
    deleted.push(
      ...(await Promise.all(entries.map(async (entry) => await deleteEntry(client, request, entry, options)))),
    );
  }
  return deleted;
}

async function deleteEntry(
  client: S3Client,
  { bucket, headers }: DeleteObjectsRequest,
  entry: Entry,
  options: CallOptions,
): Promise<DeletedObject> {
  try {
    const answer = await deleteObject(
      client,
      { bucket, ...entry, ...(headers === undefined ? {} : { headers }) },
      options,
    );
    const marked = answer.headers['x-amz-delete-marker'] === 'true';
    const version = answer.headers['x-amz-version-id'];
    return {
      ...entry,
      ...(marked ? { deleteMarker: true } : {}),
      ...(marked && version !== undefined ? { deleteMarkerVersionId: version } : {}),
    };
  } catch (error) {
    // A missing bucket and an unreachable backend fail the request, as they do for all keys at once.
    if (!(error instanceof S3Error) || error.code === 'NoSuchBucket' || error.status >= 500) throw error;
    return { ...entry, errorCode: error.code, errorMessage: error.message };
  }
}
