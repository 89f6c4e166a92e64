import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { S3Store } from '../../../../src/store/s3/s3-store.ts';

/** One answer of the backend; `pieces` are sent one after the other, a number is a pause in milliseconds. */
export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly (string | number)[];
}

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface ScriptedBackend {
  readonly store: S3Store;
  readonly seen: readonly SeenRequest[];
}

/** A store in front of a server that gives the answers in turn; both end with the test. */
export async function scriptedBackend(
  context: TestContext,
  answers: readonly ScriptedAnswer[],
  options: { readonly headersTimeoutMs?: number; readonly retries?: number } = {},
): Promise<ScriptedBackend> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const answer = answers[seen.length];
    seen.push({ method: request.method ?? '', target: request.url ?? '', headers: request.headers });
    request.resume();
    response.writeHead(answer?.status ?? 500, answer?.headers);
    void send(answer?.pieces ?? [], (piece) => response.write(piece)).then(() => response.end());
  });
  const store = s3StoreAt(await serverPort(server), options);
  context.after(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, seen };
}

/** A store before whatever listens on a port of this machine; it waits for nothing between attempts. */
export function s3StoreAt(
  port: number,
  options: { readonly headersTimeoutMs?: number; readonly retries?: number } = {},
): S3Store {
  return new S3Store(
    {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      pathStyle: true,
      credentials: { accessKeyId: 'KEY', secretAccessKey: 'secret' },
      maxConnections: 2,
      connectTimeoutMs: 5000,
      headersTimeoutMs: options.headersTimeoutMs ?? 5000,
      bodyTimeoutMs: 5000,
      retries: options.retries ?? 2,
    },
    { random: () => 0, sleep: () => Promise.resolve() },
  );
}

async function send(pieces: readonly (string | number)[], write: (piece: string) => void): Promise<void> {
  for (const piece of pieces) {
    if (typeof piece === 'string') write(piece);
    else await new Promise((resolve) => setTimeout(resolve, piece));
  }
}

/** Lets a server listen on a free port of this machine. */
export async function serverPort(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}
