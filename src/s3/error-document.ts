import type { S3Error } from './s3-error.ts';
import { element, xmlDocument } from './xml.ts';

/** `HostId` of error documents: there is one gateway as far as clients can tell. */
export const hostId = 's3eg';

/** An answer ready to be written; leave the body out for HEAD and for status 304. */
export interface RenderedError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The error document of the S3 API ("REST error responses"), without namespace, as S3 writes it.
 * @param context `resource`: the path as requested; the ids as they stand in `x-amz-request-id` and `x-amz-id-2`.
 */
export function renderError(
  error: S3Error,
  context: { readonly resource: string; readonly requestId: string; readonly hostId: string },
): RenderedError {
  // Details may come from a backend's document: only what is surely a name becomes an element.
  const details = Object.entries(error.details).filter(([name]) => /^[A-Za-z][A-Za-z0-9]*$/.test(name));
  const body = xmlDocument('Error', undefined, [
    element('Code', error.code),
    element('Message', error.message),
    ...details.map(([name, value]) => element(name, value)),
    element('Resource', context.resource),
    element('RequestId', context.requestId),
    element('HostId', context.hostId),
  ]);
  return { status: error.status, headers: { ...error.headers, 'content-type': 'application/xml' }, body };
}
