import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import { buildConnector } from 'undici';

import { release } from '../../base/chunk-memory.ts';
import { TurnCork } from '../../base/turn-cork.ts';

/** Bytes that wait in a socket before its writer has to: several segments, so that they leave in one system call. */
const highWaterMarkBytes = 256 * 1024;
/** Shorter writes, such as a small body, go out at once. */
const heldBackBytes = 32 * 1024;

/** How to connect. */
export interface ConnectorOptions {
  readonly connectTimeoutMs: number;
  /** PEM text. */
  readonly ca?: string;
}

/**
 * Connects over HTTP/1.1, TLS verified, with sockets that are cheap to send large bodies through, and that end in a reset
 * where undici breaks them off.
 */
export function backendConnector({ connectTimeoutMs, ca }: ConnectorOptions): buildConnector.connector {
  const options = {
    allowH2: false,
    timeout: connectTimeoutMs,
    rejectUnauthorized: true,
    highWaterMark: highWaterMarkBytes,
    ...(ca === undefined ? {} : { ca }),
  };
  const connect = buildConnector(options);
  return (target, callback) => {
    connect(target, (...[error, socket]: buildConnector.CallbackArgs) => {
      if (error !== null) return callback(error, null);
      speedUpWrites(socket);
      if (!(socket instanceof TLSSocket)) resetWhenBroken(socket);
      callback(null, socket);
    });
  };
}

/**
 * Lets the chunks of one turn of the event loop leave together, and frees each that was handed over once it is gone:
 * undici makes a system call of each chunk, and learns by `drain` only when all of them are gone.
 */
function speedUpWrites(socket: Socket): void {
  const write = socket.write.bind(socket);
  const cork = new TurnCork(socket);
  Object.assign(socket, {
    write: (data: string | Uint8Array, encoding?: BufferEncoding): boolean => {
      if (typeof data === 'string') return write(data, encoding);
      if (data.length >= heldBackBytes) cork.hold();
      const hasRoom = write(data, (error) => error ?? release(data));
      if (!hasRoom) cork.letGo();
      return hasRoom;
    },
  });
}

/**
 * There are servers (versitygw 1.8) that take an orderly end in the middle of a body for the end of the object, and replace
 * the old one by what they have. TLS has no reset: there the server has to compare lengths itself.
 */
function resetWhenBroken(socket: Socket): void {
  const destroy = socket.destroy.bind(socket);
  let cause: Error | undefined;
  socket.destroy = (error) => {
    if (error === undefined || cause !== undefined || socket.destroyed) return destroy(error ?? cause);
    cause = error;
    // Calls `destroy` again, without an error.
    return socket.resetAndDestroy();
  };
}
