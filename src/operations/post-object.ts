import type { ByteStream } from '../base/byte-stream.ts';
import { checkKeyLength } from '../s3/address.ts';
import { maxBytesBehindFile, readForm, type UploadForm } from '../s3/form-data.ts';
import { verifyForm, type FormFields, type VerifiedForm } from '../s3/post-policy.ts';
import { renderPostResponse } from '../s3/response-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import { parseTaggingDocument, renderTaggingHeader } from '../s3/tagging.ts';
import { uriEncode } from '../s3/uri-encoding.ts';
import type { Headers } from '../store/object-store.ts';
import type { Gateway, ObjectRequest, OperationResult, ServiceRequest } from './gateway.ts';
import { maxPutBytes } from './put-object.ts';
import { putUnsized } from './put-unsized.ts';

/** Most that a form may have around the largest file. */
const maxFormBytes = maxPutBytes + 1024 * 1024;

/** A form as the pipeline hands it over: nothing of it is verified yet. */
export interface PostedForm {
  readonly bucket: string;
  readonly contentType: string;
  readonly contentLength: number | undefined;
  readonly body: ByteStream;
  readonly request: Pick<ServiceRequest, 'requestId' | 'bucketUrl' | 'signal'>;
  /** Authorises the write and finds its policy; tells the log who it is. */
  readonly admit: (request: ServiceRequest, key: string) => ObjectRequest;
}

/**
 * PostObject: a browser's form upload, signed by a policy in the form. The file streams; its length is not announced, so a
 * large one is stored in two parts (see `putUnsized`).
 */
export async function postObject(posted: PostedForm, gateway: Gateway): Promise<OperationResult> {
  const { bucket, contentLength } = posted;
  if (contentLength === undefined) throw s3Error('MissingContentLength');
  if (contentLength > maxFormBytes) throw s3Error('EntityTooLarge');
  const form = await readForm(posted.body, posted.contentType);
  try {
    const fields = withFileName(form);
    const lookup = (accessKeyId: string): string | undefined => gateway.accessKeys.get(accessKeyId)?.secretAccessKey;
    const verified = verifyForm(fields, { bucket, lookup, now: Date.now() });
    const request = objectRequest(posted, gateway, verified, fields);
    const leastBytes = contentLength - form.bytesRead - maxBytesBehindFile;
    const told = await putUnsized(request, gateway, { body: bounded(form, verified), leastBytes });
    return answer(request, fields, told);
  } catch (error) {
    await form.discard();
    throw error;
  }
}

/** "The variable ${filename} … is recognized by all form fields." */
function withFileName({ fields, fileName }: UploadForm): FormFields {
  return new Map(Array.from(fields, ([name, value]) => [name, value.replaceAll('${filename}', () => fileName)]));
}

function objectRequest(
  posted: PostedForm,
  gateway: Gateway,
  { accessKeyId }: VerifiedForm,
  fields: FormFields,
): ObjectRequest {
  const key = fields.get('key') ?? '';
  checkKeyLength(key);
  const service: ServiceRequest = {
    ...posted.request,
    accessKeyId,
    grants: gateway.accessKeys.get(accessKeyId)?.allow ?? [],
    headers: headersOf(fields),
    query: new Map(),
    payload: noBody,
    document: noBody,
  };
  return posted.admit(service, key);
}

function noBody(): never {
  throw new TypeError('a form has one body, which is its file');
}

/** Fields that are headers of a PutObject; values as the bytes that a header carries. */
function headersOf(fields: FormFields): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of fields) {
    if (/^(?:cache-control|content-.*|expires|x-amz-.*)$/.test(name)) headers[name] = asHeader(value);
  }
  const acl = fields.get('acl');
  if (acl !== undefined) headers['x-amz-acl'] = asHeader(acl);
  const tagging = fields.get('tagging');
  if (tagging !== undefined) {
    headers['x-amz-tagging'] = renderTaggingHeader(parseTaggingDocument(Buffer.from(tagging), 'Object'));
  }
  return headers;
}

function asHeader(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1');
}

/** The file, held to the lengths that the policy allows. */
async function* bounded(form: UploadForm, verified: VerifiedForm): AsyncGenerator<Uint8Array, void, undefined> {
  const maxBytes = Math.min(verified.maxBytes, maxPutBytes);
  let length = 0;
  for await (const chunk of form.file) {
    length += chunk.length;
    if (length > maxBytes) {
      throw s3Error('EntityTooLarge', undefined, {
        details: { ProposedSize: String(length), MaxSizeAllowed: String(maxBytes) },
      });
    }
    yield chunk;
  }
  if (length < verified.minBytes) {
    throw s3Error('EntityTooSmall', undefined, {
      details: { ProposedSize: String(length), MinSizeAllowed: String(verified.minBytes) },
    });
  }
}

function answer(request: ObjectRequest, fields: FormFields, told: Headers): OperationResult {
  const etag = told['etag'] ?? '';
  const { bucket, key, bucketUrl } = request;
  const location = `${bucketUrl}/${uriEncode(key, false)}`;
  const redirect = redirectTarget(fields.get('success_action_redirect') ?? fields.get('redirect'));
  if (redirect !== undefined) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) redirect.searchParams.set(name, value);
    return { status: 303, headers: { location: redirect.href, etag } };
  }
  const headers = { ...told, location };
  switch (fields.get('success_action_status')) {
    case '200':
      return { status: 200, headers };
    case '201':
      return {
        status: 201,
        headers: { ...headers, 'content-type': 'application/xml' },
        body: renderPostResponse({ location, bucket, key, etag }),
      };
    default:
      return { status: 204, headers };
  }
}

/** "If Amazon S3 cannot interpret the URL, it acts as if the field is not present." */
function redirectTarget(text: string | undefined): URL | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') ? url : undefined;
}
