interface Flight<V> {
  readonly result: Promise<V>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * Shares one running call among all who ask for the same key while it runs; nothing is kept once it has settled.
 * A waiter whose signal aborts is rejected alone. When the last waiter has left, the call's own signal aborts, and
 * who comes next starts a new call.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<V>>();

  /** Calls in progress. */
  get size(): number {
    return this.#flights.size;
  }

  /**
   * The result of the call in progress for `key`, or of `start`, which is begun synchronously where there is none.
   * A caller without a signal waits to the end, so it keeps the call alive.
   */
  async run(key: K, start: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#launch(key, start);
    flight.waiters += 1;
    if (signal === undefined) return flight.result;
    const aborted = Promise.withResolvers<never>();
    const leave = (): void => {
      aborted.reject(signal.reason);
      this.#leave(key, flight);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([flight.result, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #launch(key: K, start: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const controller = new AbortController();
    const settled = Promise.withResolvers<V>();
    const flight: Flight<V> = { result: settled.promise, controller, waiters: 0 };
    // Registered before it starts: `start` may ask for the same key again before its first await.
    this.#flights.set(key, flight);
    void this.#follow(key, flight, start, settled);
    return flight;
  }

  async #follow(
    key: K,
    flight: Flight<V>,
    start: (signal: AbortSignal) => Promise<V>,
    settled: PromiseWithResolvers<V>,
  ): Promise<void> {
    try {
      const value = await start(flight.controller.signal);
      this.#forget(key, flight);
      settled.resolve(value);
    } catch (error) {
      this.#forget(key, flight);
      settled.reject(error);
    }
  }

  #leave(key: K, flight: Flight<V>): void {
    flight.waiters -= 1;
    if (flight.waiters > 0) return;
    // Forgotten first: nobody may join a call that is being aborted.
    this.#forget(key, flight);
    flight.controller.abort(new DOMException('every caller has left', 'AbortError'));
  }

  #forget(key: K, flight: Flight<V>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
