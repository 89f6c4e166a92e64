import type { KeyVersion, Rewrapped, RewrapOutcome } from './object-rewrapper.ts';

/** An object that could not be rewrapped. */
export interface RewrapFailure {
  readonly key: string;
  /** Of a version behind another. */
  readonly versionId?: string;
  readonly code: string;
  readonly message: string;
}

/** What is under one version of a key, after the run. */
export interface UnderVersion extends KeyVersion {
  /** Objects as clients see them. */
  readonly objects: number;
  /** Versions behind others that were looked at, by the envelope beside them where there is one. */
  readonly oldVersions: number;
  /** Uploads in parts that are not complete: their objects will be under it. */
  readonly uploads: number;
}

/** How far a run is; plain data, so that it can be kept and gone on with. */
export interface RewrapTally {
  readonly outcomes: Readonly<Record<RewrapOutcome, number>>;
  readonly failed: number;
  /** The first failures. */
  readonly failures: readonly RewrapFailure[];
  /** Objects whose locked state stays behind the new one. */
  readonly locked: number;
  /** Old versions that nobody looked at. */
  readonly oldVersionsNotLookedAt: number;
  /** Old versions that have a new envelope beside them. */
  readonly oldVersionsRewrapped: number;
  /** Envelopes beside versions that are gone. */
  readonly recordsRemoved: number;
  readonly under: readonly UnderVersion[];
}

const maxFailures = 1000;

type Kind = 'objects' | 'oldVersions' | 'uploads';

/** Counts what becomes of objects. */
export class Tally {
  readonly #outcomes: Record<RewrapOutcome, number>;
  readonly #under = new Map<string, UnderVersion>();
  readonly #failures: RewrapFailure[];
  #failed: number;
  #locked: number;
  #oldVersionsNotLookedAt: number;
  #oldVersionsRewrapped: number;
  #recordsRemoved: number;

  /** Goes on from where another run stopped. */
  constructor(earlier: Partial<RewrapTally> = {}) {
    const before = { ...noTally, ...earlier };
    this.#outcomes = { ...before.outcomes };
    this.#failures = [...before.failures];
    this.#failed = before.failed;
    this.#locked = before.locked;
    this.#oldVersionsNotLookedAt = before.oldVersionsNotLookedAt;
    this.#oldVersionsRewrapped = before.oldVersionsRewrapped;
    this.#recordsRemoved = before.recordsRemoved;
    for (const entry of before.under) this.#under.set(idOf(entry), entry);
  }

  get value(): RewrapTally {
    return {
      outcomes: { ...this.#outcomes },
      failed: this.#failed,
      failures: [...this.#failures],
      locked: this.#locked,
      oldVersionsNotLookedAt: this.#oldVersionsNotLookedAt,
      oldVersionsRewrapped: this.#oldVersionsRewrapped,
      recordsRemoved: this.#recordsRemoved,
      under: [...this.#under.values()],
    };
  }

  /** Objects and old versions that were looked at, failures among them. */
  get seen(): number {
    return Object.values(this.#outcomes).reduce((sum, count) => sum + count, this.#failed);
  }

  done({ outcome, under, left, isLocked }: Rewrapped): void {
    this.#outcomes[outcome] += 1;
    if (under !== undefined) this.count(under, 'objects');
    if (left !== undefined) this.count(left, 'oldVersions');
    if (isLocked) this.#locked += 1;
  }

  /** A version behind another; `isMeant` where such were to be rewrapped, and not only counted. */
  doneOld({ outcome, under }: Rewrapped, isMeant: boolean): void {
    if (under !== undefined) this.count(under, 'oldVersions');
    if (isMeant && outcome === 'rewrapped') this.#oldVersionsRewrapped += 1;
  }

  recordsRemoved(count: number): void {
    this.#recordsRemoved += count;
  }

  fail(failure: RewrapFailure): void {
    this.#failed += 1;
    if (this.#failures.length < maxFailures) this.#failures.push(failure);
  }

  oldVersionNotLookedAt(): void {
    this.#oldVersionsNotLookedAt += 1;
  }

  count(version: KeyVersion, kind: Kind): void {
    const entry = this.#under.get(idOf(version)) ?? { ...version, objects: 0, oldVersions: 0, uploads: 0 };
    this.#under.set(idOf(version), { ...entry, [kind]: entry[kind] + 1 });
  }
}

const noTally: RewrapTally = {
  outcomes: { rewrapped: 0, current: 0, other_key: 0, not_encrypted: 0, gone: 0, busy: 0 },
  failed: 0,
  failures: [],
  locked: 0,
  oldVersionsNotLookedAt: 0,
  oldVersionsRewrapped: 0,
  recordsRemoved: 0,
  under: [],
};

function idOf({ keyName, keyVersion }: KeyVersion): string {
  return `${keyName}:${keyVersion}`;
}
