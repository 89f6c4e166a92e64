import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { FlowBudget } from '../base/flow-budget.ts';
import { Connection } from './connection.ts';
import { listenerError, type ListenerErrorCode } from './error-document.ts';
import { HttpBodyError, type HttpHandler, type HttpServerError } from './exchange.ts';
import { createRequestId } from './request-id.ts';
import type { ExchangeOptions } from './server-exchange.ts';

/** PEM texts of a TLS listener. */
export interface HttpTlsOptions {
  readonly cert: string;
  readonly key: string;
  /** When given, clients must show a certificate that it signed. */
  readonly clientCa?: string;
}

/** How to listen. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: HttpTlsOptions;
  readonly handler: HttpHandler;
  /** Longest time that `close` waits for running requests. */
  readonly drainTimeoutMs: number;
  /** How long `close` waits in the end for the handlers of requests that were cut off; default 2 s. */
  readonly abortGraceMs?: number;
  /** Longest silence of a client that has to send or to read; default 120 s. */
  readonly idleTimeoutMs?: number;
  /** Longest time to send the head of a request; default 60 s. */
  readonly headersTimeoutMs?: number;
  /** How long an unused connection is kept; default 75 s. */
  readonly keepAliveTimeoutMs?: number;
  /** Header fields in one request; default 200. */
  readonly maxHeaders?: number;
  /** Connections at once; default 10 000. */
  readonly maxConnections?: number;
  /** What bodies may hold in memory; shared with the other side of their way. One of its own by default. */
  readonly budget?: FlowBudget;
  /** Hears of every exchange that failed on our side. */
  readonly onError?: (error: HttpServerError, requestId: string) => void;
}

/** Bytes of the request line and all header fields together. */
const maxHeaderBytes = 32 * 1024;
/** Where node:http begins to push back, per connection and direction; the flow budget decides beyond. One read is so long. */
const highWaterMarkBytes = 64 * 1024;
const handshakeTimeoutMs = 30_000;

/** Which error a failure of the parser is answered with; undefined where no answer can be given. */
function errorCodeOf(error: NodeJS.ErrnoException): ListenerErrorCode | undefined {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 'RequestHeaderSectionTooLarge';
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'RequestTimeout';
  // The connection ended within a request: nobody is there to read an answer.
  if (error.code === 'HPE_INVALID_EOF_STATE') return undefined;
  return error.code?.startsWith('HPE_') === true ? 'BadRequest' : undefined;
}

function reasonPhrase(status: number): string {
  return status === 431 ? 'Request Header Fields Too Large' : 'Bad Request';
}

/** An answer written without the HTTP server, which has no response object for a request that it could not parse. */
function rawErrorResponse(code: ListenerErrorCode): string {
  const requestId = createRequestId();
  const { status, body } = listenerError(code, requestId);
  return (
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nconnection: close\r\ncontent-type: application/xml\r\n` +
    `x-amz-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

function createNodeServer(options: HttpServerOptions): Server {
  const common: ServerOptions = {
    highWaterMark: highWaterMarkBytes,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs ?? 60_000,
    // A limit on the whole request would cut long uploads; the idle timeout takes its place.
    requestTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 75_000,
    connectionsCheckingInterval: 5000,
    noDelay: true,
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  const { tls } = options;
  if (tls === undefined) return createServer(common);
  return createTlsServer({
    ...common,
    cert: tls.cert,
    key: tls.key,
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeTimeoutMs,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
  });
}

/** An HTTP/1.1 listener that hands each request to one handler. */
export class HttpServer {
  readonly #server: Server;
  readonly #options: HttpServerOptions;
  readonly #exchangeOptions: ExchangeOptions;
  readonly #idleTimeoutMs: number;
  readonly #connections = new Map<Duplex, Connection>();
  /** Runs of requests whose handlers are not done yet, also where the connection is gone. */
  readonly #running = new Set<Promise<void>>();
  /** Sockets that another process accepted, those in their TLS handshake among them. */
  readonly #adopted = new Set<Socket>();
  readonly #maxConnections: number;
  #onLastAdopted: () => void = () => {};
  #draining = false;
  #closing: Promise<void> | undefined;

  /**
   * Listens.
   * @throws the system's error (EADDRINUSE, EACCES, a TLS key that does not fit).
   */
  static async start(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options);
    await server.#listen();
    return server;
  }

  /**
   * Serves connections that are given to it by `adopt`, and listens nowhere.
   * @throws Error for a TLS key that does not fit.
   */
  static adopting(options: Omit<HttpServerOptions, 'host' | 'port'>): HttpServer {
    const server = new HttpServer({ ...options, host: '', port: 0 });
    // With this event node:http begins to watch over the times of heads.
    server.#server.emit('listening');
    return server;
  }

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 120_000;
    this.#exchangeOptions = {
      handler: options.handler,
      secure: options.tls !== undefined,
      maxHeaders: options.maxHeaders ?? 200,
      budget: options.budget ?? new FlowBudget(),
      isDraining: () => this.#draining,
      onError: options.onError ?? (() => {}),
    };
    this.#server = createNodeServer(options);
    this.#server.timeout = this.#idleTimeoutMs;
    this.#maxConnections = options.maxConnections ?? 10_000;
    this.#server.maxConnections = this.#maxConnections;
    // Fields beyond node's own limit would be dropped in silence: they are counted, and refused, by the exchange.
    this.#server.maxHeadersCount = 0;
    this.#attach();
  }

  /** Where it listens. */
  address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return { host: address.address, port: address.port };
  }

  /**
   * Takes a connection that another process accepted and has not read from; one beyond `maxConnections` is closed.
   * @returns false while draining: the socket is still the caller's.
   */
  adopt(socket: Socket): boolean {
    if (this.#draining) return false;
    if (this.#adopted.size >= this.#maxConnections) {
      socket.destroy();
      return true;
    }
    this.#adopted.add(socket);
    socket.once('close', () => {
      this.#adopted.delete(socket);
      if (this.#adopted.size === 0) this.#onLastAdopted();
    });
    socket.setNoDelay(true);
    this.#server.emit('connection', socket);
    return true;
  }

  /** Connections that were adopted and are open. */
  get adoptedConnections(): number {
    return this.#adopted.size;
  }

  /**
   * Drains: accepts nothing new, closes idle connections, lets running requests end. After `drainTimeoutMs` what still
   * runs is aborted, and its handlers get a moment to return. Resolves when every connection is closed; calling it again
   * gives the same promise.
   *
   * A client may send its next request on an idle connection just while that is closed, and would have to send it again.
   * Where others go on to serve, `idleGraceMs` spares clients that: so long the next request is answered, with
   * `Connection: close`.
   */
  close({ idleGraceMs = 0 }: { readonly idleGraceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#drain(idleGraceMs);
    return this.#closing;
  }

  #attach(): void {
    const server = this.#server;
    server.on(this.#options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      const connection = new Connection(socket, this.#exchangeOptions);
      this.#connections.set(socket, connection);
      socket.once('close', () => {
        this.#connections.delete(socket);
        connection.onClose();
      });
    });
    const accept = (message: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
      const run = this.#connections.get(message.socket)?.accept({ message, response, expectsContinue });
      if (run === undefined) return;
      this.#running.add(run);
      void run.then(() => this.#running.delete(run));
    };
    server.on('request', (message, response) => accept(message, response, false));
    server.on('checkContinue', (message, response) => accept(message, response, true));
    server.on('checkExpectation', (message, response) => accept(message, response, false));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket));
    server.on('timeout', (socket) => {
      const connection = this.#connections.get(socket);
      if (connection === undefined) socket.destroy();
      else connection.onIdle(this.#idleTimeoutMs);
    });
  }

  /** The parser gave up on a connection: it can carry at most one more answer. */
  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    const current = connection?.current;
    const code = errorCodeOf(error);
    // What runs was received whole, and the garbage behind it is another request: the answer may still go out.
    if (code !== undefined && current?.received === true) return connection?.closeWhenAnswered();
    if (code === 'BadRequest') {
      current?.body.fail(new HttpBodyError('malformed', 'the framing of the request body is broken', { cause: error }));
    }
    current?.abort();
    if (code === undefined || !socket.writable || current?.answered === true) {
      socket.destroy();
      return;
    }
    socket.end(rawErrorResponse(code), () => socket.destroy());
  }

  async #listen(): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#options.host, port: this.#options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Failures to accept (no file descriptors left) pass: the process must not die of them.
    server.on('error', () => {});
  }

  async #drain(idleGraceMs: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise<void>((resolve) => {
      // Of the HTTP server, `close` closes idle connections too.
      if (idleGraceMs === 0) this.#server.close(() => resolve());
      // With adopted connections alone there is nothing to stop: Bun's would close those that are idle, or fail.
      else if (!this.#server.listening) resolve();
      else NetServer.prototype.close.call(this.#server, () => resolve());
    });
    if (idleGraceMs === 0) this.#closeIdle();
    const grace = setTimeout(() => this.#closeIdle(), idleGraceMs);
    const deadline = setTimeout(() => this.#abortAll(), this.#options.drainTimeoutMs);
    await Promise.all([closed, this.#adoptedClosed()]);
    clearTimeout(grace);
    clearTimeout(deadline);
    await this.#handlersDone();
  }

  async #adoptedClosed(): Promise<void> {
    if (this.#adopted.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastAdopted = resolve;
    });
  }

  #closeIdle(): void {
    for (const connection of this.#connections.values()) connection.closeIfIdle();
  }

  /** Requests that were cut off: their handlers still put in order what they began, which takes the store. */
  async #handlersDone(): Promise<void> {
    const timer = new AbortController();
    const tooLong = sleep(this.#options.abortGraceMs ?? 2000, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#running), tooLong]);
    timer.abort();
  }

  #abortAll(): void {
    for (const connection of this.#connections.values()) {
      connection.current?.abort();
      connection.socket.destroy();
    }
    // Connections in their TLS handshake are known to the server alone.
    this.#server.closeAllConnections();
    for (const socket of this.#adopted) socket.destroy();
  }
}
