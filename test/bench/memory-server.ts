/**
 * An S3 server in a process of its own that costs next to nothing: it takes every request for granted, keeps small objects
 * and so much of the large ones as it is told, and forgets the bytes of all others. A backend for loads that no disk would
 * hold. Gets a MemoryServerJob as a message and answers its port.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';

import type { MemoryServerJob } from './memory-server-process.ts';

const smallBytes = 2 ** 20;
const writeBytes = 2 ** 20;

interface StoredObject {
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  /** Missing where its bytes were forgotten. */
  readonly content: Buffer | undefined;
}

const [job]: readonly MemoryServerJob[] = await once(process, 'message');
let leftBytes = job?.keptBytes ?? 0;
const objects = new Map<string, StoredObject>();

/** Room for a body, or nothing where it is not to be kept; what is replaced by one of its length gives its own. */
function room(path: string, lengthBytes: number): Buffer | undefined {
  const replaced = objects.get(path)?.content;
  if (replaced?.length === lengthBytes) return replaced;
  if (lengthBytes < smallBytes) return Buffer.alloc(lengthBytes);
  if (lengthBytes > leftBytes) return undefined;
  leftBytes -= lengthBytes;
  return Buffer.allocUnsafeSlow(lengthBytes);
}

function put(path: string, request: IncomingMessage, response: ServerResponse): void {
  const content = room(path, Number(request.headers['content-length'] ?? 0));
  let offset = 0;
  request.on('data', (chunk: Buffer) => {
    if (content !== undefined) chunk.copy(content, offset);
    offset += chunk.length;
  });
  request.on('end', () => {
    const etag = `"${randomUUID().replaceAll('-', '')}"`;
    const kept = Object.entries(request.headers).filter(([name]) => /^x-amz-meta-|^content-type$/.test(name));
    objects.set(path, {
      headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
      etag,
      content,
    });
    response.writeHead(200, { etag, 'content-length': 0 }).end();
  });
}

/** The first and last byte that a Range header means; it asks for one range at most. */
function rangeOf(header: string | undefined, lengthBytes: number): readonly [first: number, last: number] | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (found === null) return undefined;
  const [, first = '', last = ''] = found;
  if (first === '') return [Math.max(0, lengthBytes - Number(last)), lengthBytes - 1];
  return [Number(first), Math.min(lengthBytes - 1, last === '' ? lengthBytes - 1 : Number(last))];
}

async function get(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const object = objects.get(path);
  if (object?.content === undefined) return refuse(response, 404, 'NoSuchKey');
  const { content, etag, headers } = object;
  const range = rangeOf(request.headers.range, content.length);
  const [first, last] = range ?? [0, content.length - 1];
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    etag,
    'last-modified': new Date().toUTCString(),
    'accept-ranges': 'bytes',
    'content-length': last + 1 - first,
    ...(range === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${content.length}` }),
  });
  for (let at = first; at <= last && request.method === 'GET' && !response.destroyed; at += writeBytes) {
    const canTakeMore = response.write(content.subarray(at, Math.min(last + 1, at + writeBytes)));
    if (!canTakeMore) await drained(response);
  }
  response.end();
}

/** Waits until the client took what is written, or went away. */
async function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve).once('close', resolve);
  await promise;
  response.off('drain', resolve).off('close', resolve);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length }).end(text);
}

const server = createServer((request, response) => {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const isObject = path.split('/').length > 2 && path.split('/')[2] !== '';
  if (request.method === 'PUT' && isObject) put(path, request, response);
  else if (request.method === 'GET' || request.method === 'HEAD') {
    if (isObject) get(path, request, response).catch(() => response.destroy());
    else refuse(response, request.method === 'HEAD' ? 200 : 501, 'NotImplemented');
  } else response.writeHead(request.method === 'DELETE' ? 204 : 200, { 'content-length': 0 }).end();
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(server.address());
process.on('disconnect', () => process.exit());
