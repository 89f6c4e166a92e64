import { readFile, rename, rm, writeFile } from 'node:fs/promises';

import type { RewrapPosition } from '../../maintenance/rewrap/rewrap-job.ts';
import { UsageError } from '../exit-code.ts';

/** What a run is about: another one must not go on from its state. */
type Identity = Readonly<Record<string, unknown>>;

/** Keeps how far a run is. It only saves listing and counting again: without it a run begins anew, and does nothing twice. */
export class StateFile {
  readonly #file: string;
  readonly #identity: Identity;

  constructor(file: string, identity: Identity) {
    this.#file = file;
    this.#identity = identity;
  }

  /**
   * Where an earlier run stopped; undefined where there was none.
   * @throws UsageError for the state of another run, or a file that is none.
   */
  async read(): Promise<RewrapPosition | undefined> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const state = parse(text);
    if (state === undefined) throw new UsageError(`${this.#file} is not the state of a rewrap`);
    if (JSON.stringify(state.of) === JSON.stringify(this.#identity)) return state.position;
    throw new UsageError(`${this.#file} is the state of another rewrap: give another file, or remove it to begin anew`);
  }

  async write(position: RewrapPosition): Promise<void> {
    const temporary = `${this.#file}.tmp`;
    await writeFile(temporary, JSON.stringify({ version: 1, of: this.#identity, position }));
    await rename(temporary, this.#file);
  }

  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

interface State {
  readonly of: unknown;
  readonly position: RewrapPosition;
}

/** Only the outside is checked: the file is our own. */
function parse(text: string): State | undefined {
  try {
    const state: Partial<State> & { readonly version?: unknown } = JSON.parse(text);
    const { version, of, position } = state;
    return version === 1 && position?.next !== undefined && position.tally !== undefined ? { of, position } : undefined;
  } catch {
    return undefined;
  }
}
