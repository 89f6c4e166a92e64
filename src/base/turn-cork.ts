/** What can hold its writes back and then make one system call of them: a socket, a server's response. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

/** Lets the large writes of one turn of the event loop leave together. */
export class TurnCork {
  readonly #target: Corkable;
  readonly #onTurnEnd = (): void => {
    this.#scheduled = false;
    this.letGo();
  };
  #corked = false;
  #scheduled = false;

  constructor(target: Corkable) {
    this.#target = target;
  }

  /** Holds back what is written from now on to the end of the turn, or until `letGo`. */
  hold(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#target.cork();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTurnEnd);
  }

  /** Writes what was held back. */
  letGo(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#target.uncork();
  }
}
