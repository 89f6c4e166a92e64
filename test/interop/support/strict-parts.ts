/** A backend that wants all parts but the last of one size, as Cloudflare R2 does: a rule in front of another server. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

const rule =
  '<Error><Code>InvalidPart</Code><Message>All non-trailing parts must have the same length.</Message></Error>';

/** Forwards everything to the server at `port` of this machine, but no Complete of parts that break the rule. */
export class StrictParts implements AsyncDisposable {
  readonly #server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
  readonly #port: number;
  /** Stored sizes by upload and part number. */
  readonly #sizes = new Map<string, number>();
  /** Sizes of the parts of each completed upload, in order. */
  readonly completed: (readonly number[])[] = [];
  refusals = 0;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(port: number): Promise<StrictParts> {
    const strict = new StrictParts(port);
    strict.#server.listen(0, '127.0.0.1');
    await once(strict.#server, 'listening');
    return strict;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { searchParams } = new URL(incoming.url ?? '', 'http://backend');
    const uploadId = searchParams.get('uploadId') ?? '';
    const partNumber = searchParams.get('partNumber');
    if (incoming.method === 'PUT' && partNumber !== null) {
      this.#sizes.set(`${uploadId} ${partNumber}`, Number(incoming.headers['content-length']));
    }
    if (incoming.method !== 'POST' || uploadId === '') {
      incoming.pipe(this.#forward(incoming, outgoing));
      return;
    }
    const body = Buffer.concat(await incoming.toArray());
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) => number);
    const sizes = numbers.map((number) => this.#sizes.get(`${uploadId} ${number}`) ?? 0);
    if (isRefused(sizes)) {
      this.refusals++;
      outgoing.writeHead(400, { 'content-type': 'application/xml' }).end(rule);
      return;
    }
    this.completed.push(sizes);
    this.#forward(incoming, outgoing).end(body);
  }

  #forward({ method, url, headers }: IncomingMessage, outgoing: ServerResponse) {
    const options = { host: '127.0.0.1', port: this.#port, method, path: url, headers };
    return request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    }).on('error', () => outgoing.destroy());
  }
}

/** Whether the sizes break the rule: all but the last are the same, and the last is not larger. */
function isRefused(sizes: readonly number[]): boolean {
  const [first = 0] = sizes;
  return sizes.slice(0, -1).some((size) => size !== first) || (sizes.at(-1) ?? 0) > first;
}
