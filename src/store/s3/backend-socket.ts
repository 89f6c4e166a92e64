import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import { buildConnector } from 'undici/index.js';

import { release } from '../../base/chunk-memory.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';
import { isBun } from '../../base/runtime.ts';
import { TurnCork } from '../../base/turn-cork.ts';
import { ReceiveBuffers } from './receive-buffers.ts';

/** Shorter writes, such as a small body, go out at once. */
const heldBackBytes = 32 * 1024;

/** How to connect. */
export interface ConnectorOptions {
  readonly connectTimeoutMs: number;
  /** How much may wait in a socket before its writer has to: several segments, which leave in one system call. */
  readonly budget: FlowBudget;
  /** PEM text. */
  readonly ca?: string;
}

/**
 * Connects over HTTP/1.1, TLS verified, with sockets that are cheap to pass large bodies through, and that end in a reset
 * where undici breaks them off.
 */
export function backendConnector({ connectTimeoutMs, budget, ca }: ConnectorOptions): buildConnector.connector {
  const options = {
    allowH2: false,
    timeout: connectTimeoutMs,
    rejectUnauthorized: true,
    // Bun reads into one buffer by itself, and does not say whose bytes these are.
    ...(isBun ? {} : { onread: new ReceiveBuffers(budget) }),
    ...(ca === undefined ? {} : { ca }),
  };
  const connect = buildConnector(options);
  return (target, callback) => {
    connect(target, (...[error, socket]: buildConnector.CallbackArgs) => {
      if (error !== null) return callback(error, null);
      speedUpWrites(socket, budget);
      if (!(socket instanceof TLSSocket)) resetWhenBroken(socket);
      callback(null, socket);
    });
  };
}

/**
 * Lets the chunks of one turn of the event loop leave together, and frees each that was handed over once it is gone:
 * undici makes a system call of each chunk, and learns by `drain` only when all of them are gone.
 */
function speedUpWrites(socket: Socket, budget: FlowBudget): void {
  const write = socket.write.bind(socket);
  const cork = new TurnCork(socket);
  Object.assign(socket, {
    write: (data: string | Uint8Array, encoding?: BufferEncoding): boolean => {
      if (typeof data === 'string') return write(data, encoding);
      const { length } = data;
      if (length >= heldBackBytes) cork.hold();
      budget.hold(length);
      const hasRoom = write(data, (error) => {
        budget.letGo(length);
        if (error === undefined || error === null) release(data);
      });
      // Past its own mark, which is below every limit, the socket will say when it is empty.
      if (hasRoom || socket.writableLength < budget.limitBytes) return true;
      cork.letGo();
      return false;
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
