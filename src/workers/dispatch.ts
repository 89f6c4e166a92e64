import type { Socket } from 'node:net';

/** A worker process, as connections are given to it. */
export interface Receiver {
  /** Sends a connection; it is open here too until the receiver says that it has it. */
  send(id: number, socket: Socket): void;
}

/** Connections that wait where no worker serves; what would be more is closed. */
const maxWaiting = 1000;

interface State {
  /** Connections that the receiver has, as far as is known, and those on their way to it. */
  open: number;
  readonly sent: Map<number, Socket>;
  mayGet: boolean;
}

/**
 * Gives each connection to the worker that has the fewest. One that a worker had not taken when it died goes to another,
 * untouched: a crash costs the requests that it served, and no others.
 */
export class Dispatch {
  readonly #receivers = new Map<Receiver, State>();
  readonly #waiting = new Set<Socket>();
  #lastId = 0;

  /** A worker serves. */
  add(receiver: Receiver): void {
    this.#receivers.set(receiver, { open: 0, sent: new Map(), mayGet: true });
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const socket of waiting) this.give(socket);
  }

  /** A worker is to get no more connections. */
  pause(receiver: Receiver): void {
    const state = this.#receivers.get(receiver);
    if (state !== undefined) state.mayGet = false;
  }

  /** A worker is gone, and everything that it said has been heard. */
  remove(receiver: Receiver): void {
    const state = this.#receivers.get(receiver);
    this.#receivers.delete(receiver);
    for (const socket of state?.sent.values() ?? []) this.give(socket);
  }

  /** A worker has a connection, and `open` of them in all. */
  taken(receiver: Receiver, { id, open }: { readonly id: number; readonly open: number }): void {
    const state = this.#receivers.get(receiver);
    const socket = state?.sent.get(id);
    if (state === undefined || socket === undefined) return;
    state.sent.delete(id);
    state.open = open + state.sent.size;
    // This end only: the connection is the worker's.
    socket.destroy();
  }

  /** A worker does not take a connection. */
  returned(receiver: Receiver, id: number): void {
    const state = this.#receivers.get(receiver);
    const socket = state?.sent.get(id);
    state?.sent.delete(id);
    if (socket !== undefined) this.give(socket);
  }

  /** Gives a connection, from which nothing has been read, to a worker, or keeps it until there is one. */
  give(socket: Socket): void {
    const [receiver, state] = this.#freest() ?? [];
    if (receiver !== undefined && state !== undefined) {
      const id = (this.#lastId += 1);
      state.open += 1;
      state.sent.set(id, socket);
      receiver.send(id, socket);
    } else if (this.#waiting.size < maxWaiting) this.#waiting.add(socket);
    else socket.destroy();
  }

  /** Closes what waits. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  #freest(): [Receiver, State] | undefined {
    let freest: [Receiver, State] | undefined;
    for (const entry of this.#receivers) {
      if (entry[1].mayGet && (freest === undefined || entry[1].open < freest[1].open)) freest = entry;
    }
    return freest;
  }
}
