import { byteText } from '../byte-text.ts';
import { printable } from '../cli-io.ts';
import type { Progress } from '../progress.ts';
import { decryptObject, type DecryptContext, type DecryptJob } from './decrypt-object.ts';
import { failureCode, failureMessage } from './failure.ts';
import type { TreeItem } from './tree-items.ts';

/** An object that was not decrypted. */
export interface DecryptFailure {
  /** Its key; for what has no key its path, or nothing where the manifest is wrong. */
  readonly name: string;
  /** Code of the error, such as `authentication_failed` or `ENOENT`. */
  readonly code: string;
  readonly message: string;
}

/** What became of a run. */
export interface DecryptSummary {
  readonly decrypted: number;
  readonly plaintextBytes: number;
  readonly skipped: number;
  /** Decrypted objects whose user metadata and Content-Type are not all known. */
  readonly metadataNotChecked: number;
  /** Decrypted objects whose user metadata or Content-Type is not what was stored. */
  readonly metadataDiffers: number;
  readonly failures: readonly DecryptFailure[];
}

/** Decrypts one object after the other; one that fails does not stop the others. */
export class DecryptRun {
  readonly #progress: Progress;
  readonly #context: DecryptContext;
  readonly #failures: DecryptFailure[] = [];
  readonly #count = { decrypted: 0, plaintextBytes: 0, skipped: 0, metadataNotChecked: 0, metadataDiffers: 0 };

  constructor(progress: Progress, context: DecryptContext) {
    this.#progress = progress;
    this.#context = context;
  }

  /** How far the run is. */
  get summary(): DecryptSummary {
    return { ...this.#count, failures: this.#failures };
  }

  /**
   * Decrypts until the end, or until the signal aborts.
   * @throws what the iteration throws.
   */
  async all(items: AsyncIterable<TreeItem>): Promise<void> {
    const { signal } = this.#context;
    for await (const item of items) {
      if (signal.aborted) return;
      if (item.kind === 'job') await this.#decrypt(item.job);
      else if (item.kind === 'failed') this.#fail(item.name, item.error);
      else {
        this.#count.skipped += 1;
        this.#progress.done(`skipped    ${printable(item.name)}: ${item.reason}`);
      }
    }
  }

  async #decrypt(job: DecryptJob): Promise<void> {
    try {
      const { plaintextBytes, metadata } = await decryptObject(job, this.#context);
      this.#count.decrypted += 1;
      this.#count.plaintextBytes += plaintextBytes;
      if (metadata === 'not_checked') this.#count.metadataNotChecked += 1;
      if (metadata === 'differs') this.#count.metadataDiffers += 1;
      this.#progress.done(`decrypted  ${printable(job.key)} (${byteText(plaintextBytes)})`);
    } catch (error) {
      // What a signal stopped is no failure of the object.
      if (!this.#context.signal.aborted) this.#fail(job.key, error);
    }
  }

  #fail(name: string, error: unknown): void {
    const message = failureMessage(error);
    this.#failures.push({ name, code: failureCode(error), message });
    this.#progress.problem(`failed     ${printable(name === '' ? message : `${name}: ${message}`)}`);
  }
}
