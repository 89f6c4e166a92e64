import { setTimeout as sleep } from 'node:timers/promises';

import type { ByteStream } from '../base/byte-stream.ts';
import { hostId, renderError } from '../s3/error-document.ts';
import type { S3Error } from '../s3/s3-error.ts';
import { uriEncode } from '../s3/uri-encoding.ts';
import { toS3Error } from './failure.ts';
import type { ObjectRequest, OperationResult } from './gateway.ts';

/** So long a client is left without an answer; clients give up a silent connection after 60 seconds and less. */
const patienceMs = 10_000;

const xmlDeclaration = /^<\?xml[^>]*\?>\s*/;

/**
 * An XML answer that may take long. As S3 does it for copies and for Complete: where the outcome is not known after a
 * while, the answer begins with status 200, white space keeps the connection alive, and the document at the end says how
 * it went, also where it is an Error.
 * @param waitMs changed by tests only.
 */
export async function patiently(
  request: ObjectRequest,
  work: Promise<OperationResult>,
  waitMs: number = patienceMs,
): Promise<OperationResult> {
  const settled = await settledWithin(work, waitMs);
  if (settled !== undefined) return await work;
  let failure: S3Error | undefined;
  const document = work.then(
    ({ body }) => (typeof body === 'string' ? body : ''),
    (error: unknown) => {
      failure = toS3Error(error);
      return errorDocument(failure, request);
    },
  );
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: keptAlive(document, waitMs),
    lateFailure: () => failure,
  };
}

async function* keptAlive(
  document: Promise<string>,
  waitMs: number,
): AsyncGenerator<Uint8Array, void, undefined> & ByteStream {
  yield Buffer.from('<?xml version="1.0" encoding="UTF-8"?>\n');
  while ((await settledWithin(document, waitMs)) === undefined) yield Buffer.from(' ');
  yield Buffer.from((await document).replace(xmlDeclaration, ''));
}

/** Undefined where the work is not done by then; how it ended does not matter here. */
async function settledWithin(work: Promise<unknown>, waitMs: number): Promise<true | undefined> {
  const timer = new AbortController();
  const done = work.then(
    () => true as const,
    () => true as const,
  );
  try {
    return await Promise.race([done, sleep(waitMs, undefined, { signal: timer.signal, ref: false })]);
  } finally {
    timer.abort();
  }
}

function errorDocument(error: S3Error, { bucket, key, requestId }: ObjectRequest): string {
  return renderError(error, { resource: `/${bucket}/${uriEncode(key, false)}`, requestId, hostId }).body;
}
