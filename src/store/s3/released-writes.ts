import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';

import { release } from '../../base/chunk-memory.ts';

/** A connector whose sockets free each chunk that was handed over as soon as it was handed to the operating system. */
export function withReleasedWrites(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...[error, socket]: buildConnector.CallbackArgs) => {
      if (error !== null) return callback(error, null);
      releaseWrites(socket);
      callback(null, socket);
    });
  };
}

/** undici writes chunks without a callback, and learns by `drain` only when all of its chunks are gone. */
function releaseWrites(socket: Socket): void {
  const write = socket.write.bind(socket);
  Object.assign(socket, {
    write: (data: string | Uint8Array, encoding?: BufferEncoding): boolean =>
      typeof data === 'string' ? write(data, encoding) : write(data, (error) => error ?? release(data)),
  });
}
