import { decodeEnvelope, envelopeHeader, type Envelope } from '../../envelope/envelope.ts';
import type { DataKeys } from '../../keys/data-keys.ts';
import { isVersionRefused } from '../../keys/key-errors.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type { ObjectHead, ObjectStore, WriteResult } from '../../store/object-store.ts';
import type { EnvelopeRecords, VersionName } from './envelope-records.ts';
import { isLocked, reseal, resealedHeaders } from './resealed-headers.ts';
import type { SelfCopy } from './self-copy.ts';

/** How often an object is looked at again because it was replaced meanwhile. */
const maxAttempts = 5;

/** One version of a key. */
export interface KeyVersion {
  readonly keyName: string;
  readonly keyVersion: string;
}

/**
 * What became of an object: `current` was there already; `other_key` is none that was asked for; `not_encrypted` has no
 * envelope; `gone` was deleted meanwhile; `busy` is replaced again and again.
 */
export type RewrapOutcome = 'rewrapped' | 'current' | 'other_key' | 'not_encrypted' | 'gone' | 'busy';

/** The outcome, and the key version that the object is under now. */
export interface Rewrapped {
  readonly outcome: RewrapOutcome;
  readonly under?: KeyVersion;
  /** In a bucket with versions: what the version behind the new one stays under. */
  readonly left?: KeyVersion;
  /** Whether that version is locked, so that nobody can delete it yet. */
  readonly isLocked?: true;
}

/** The keys of the job: any version opens, whatever `rotation.readPrevious` says. */
export interface RewrapKeys {
  readonly dataKeys: DataKeys;
  /** Current version of a key. @throws KeyError. */
  current(keyName: string, signal?: AbortSignal): Promise<string>;
  /** What a version belongs to, by which `--from` can name it too: `KeyProvider.familyOf`. */
  familyOf?(version: KeyVersion): string;
}

/** What is to be under which key. */
export interface RewrapChoice {
  /** Only what is under this key, and this version where one is given. */
  readonly from?: { readonly keyName: string; readonly keyVersion?: string };
  /** Key to bring everything under; else each object stays under its own. */
  readonly to?: string;
  /** Look only. */
  readonly dryRun: boolean;
  /** Write new envelopes beside old versions, and beside those that a copy leaves behind. */
  readonly rewrapVersions: boolean;
}

/** What one object is rewrapped with. */
export interface ObjectRewrapperOptions extends RewrapChoice {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly keys: RewrapKeys;
  readonly copies: SelfCopy;
  readonly records: EnvelopeRecords;
}

/** A version of an object as it is stored. */
interface Found {
  readonly head: ObjectHead;
  /** Its envelope as it stands in the metadata, and decoded. */
  readonly text: string;
  readonly envelope: Envelope;
}

/** Brings objects of a bucket under the current version of a key, by copies of metadata only. */
export class ObjectRewrapper {
  readonly #options: ObjectRewrapperOptions;

  constructor(options: ObjectRewrapperOptions) {
    this.#options = options;
  }

  /** @throws EnvelopeError, KeyError, S3Error: the object stays as it is. */
  async rewrap(key: string, signal?: AbortSignal): Promise<Rewrapped> {
    for (let attempt = 1; ; attempt++) {
      const head = await this.#head(key, signal);
      const text = head?.headers[envelopeHeader];
      if (head === undefined) return { outcome: 'gone' };
      if (text === undefined) return { outcome: 'not_encrypted' };
      const envelope = decodeEnvelope(text);
      const skipped = await this.#skipped(envelope, signal);
      if (skipped !== undefined) return { outcome: skipped, under: labelOf(envelope) };
      if (this.#options.dryRun) return { outcome: 'rewrapped', under: labelOf(envelope) };
      const replaced = await this.#replace(key, { head, envelope, text }, signal);
      if (replaced !== undefined) return { outcome: 'rewrapped', ...replaced };
      if (attempt === maxAttempts) return { outcome: 'busy', under: labelOf(envelope) };
    }
  }

  /**
   * Looks at a version that is not the current one, and where that is asked for writes its new envelope beside it: what is
   * under which key is decided by the envelope beside it, where there is one that opens.
   * @throws as `rewrap`.
   */
  async rewrapOld({ key, versionId }: VersionName, signal?: AbortSignal): Promise<Rewrapped> {
    const { records, dryRun, rewrapVersions, keys, bucket } = this.#options;
    const head = await this.#head(key, signal, versionId);
    const text = head?.headers[envelopeHeader];
    if (head === undefined) return { outcome: 'gone' };
    if (text === undefined) return { outcome: 'not_encrypted' };
    const envelope = decodeEnvelope(text);
    const isNewest = (await this.#skipped(envelope, signal)) === 'current';
    const beside = isNewest ? undefined : await records.find({ key, versionId }, envelope, signal);
    const holding = beside ?? envelope;
    const outcome = (await this.#skipped(holding, signal)) ?? 'rewrapped';
    if (outcome !== 'rewrapped' || dryRun || !rewrapVersions) return { outcome, under: labelOf(holding) };
    const { to = holding.kekName } = this.#options;
    const sealed = await reseal(keys.dataKeys, { bucket, key, head, envelope, beside, keyName: to }, signal);
    await records.write({ key, versionId }, sealed, signal);
    return { outcome, under: labelOf(sealed) };
  }

  async #skipped(envelope: Envelope, signal: AbortSignal | undefined): Promise<RewrapOutcome | undefined> {
    const { from, to = envelope.kekName, keys } = this.#options;
    if (from !== undefined) {
      const { keyName, keyVersion = envelope.kekVersion } = from;
      const isAsked = envelope.kekVersion === keyVersion || keys.familyOf?.(labelOf(envelope)) === keyVersion;
      if (envelope.kekName !== keyName || !isAsked) return 'other_key';
    }
    if (envelope.kekName !== to) return undefined;
    return envelope.kekVersion === (await keys.current(to, signal)) ? 'current' : undefined;
  }

  /** Undefined where the object was replaced meanwhile: then that one counts. */
  async #replace(
    key: string,
    found: Found,
    signal: AbortSignal | undefined,
  ): Promise<Omit<Rewrapped, 'outcome'> | undefined> {
    const { copies } = this.#options;
    const { head } = found;
    const sealed = await this.#reseal(key, found, signal);
    const headers = resealedHeaders(head, sealed);
    if (!(await this.#isSame(key, found, signal))) return undefined;
    let copied: WriteResult;
    try {
      copied = await copies.copy({ key, head, headers }, signal);
    } catch (error) {
      if (hasCode(error, 'PreconditionFailed', 'NoSuchKey')) return undefined;
      throw error;
    }
    const after = copied.headers['x-amz-version-id'] ?? 'null';
    if (after === 'null') return { under: labelOf(sealed) };
    const left = await this.#leave(key, found, sealed, signal);
    return { under: labelOf(sealed), left, ...(isLocked(head.headers) ? { isLocked: true } : {}) };
  }

  /** The object may be a version that came to the front again: then its key may be in the envelope beside it alone. */
  async #reseal(key: string, { head, envelope }: Found, signal: AbortSignal | undefined): Promise<Envelope> {
    const { bucket, keys, records, to } = this.#options;
    const request = { bucket, key, head, envelope };
    try {
      return await reseal(keys.dataKeys, { ...request, keyName: to ?? envelope.kekName }, signal);
    } catch (error) {
      if (!isVersionRefused(error)) throw error;
      const beside = await records.find({ key, versionId: versionOf(head) }, envelope, signal);
      if (beside === undefined) throw error;
      return await reseal(keys.dataKeys, { ...request, beside, keyName: to ?? beside.kekName }, signal);
    }
  }

  /** What the version that a copy left behind is under. */
  async #leave(
    key: string,
    { head, envelope }: Found,
    sealed: Envelope,
    signal: AbortSignal | undefined,
  ): Promise<KeyVersion> {
    if (!this.#options.rewrapVersions) return labelOf(envelope);
    await this.#options.records.write({ key, versionId: versionOf(head) }, sealed, signal);
    return labelOf(sealed);
  }

  /**
   * An ETag of a provider names bytes: a client that has changed metadata alone would not be noticed by a condition. So
   * the object is looked at once more right before the copy. The embedded store has a new ETag for every state.
   */
  async #isSame(key: string, { head, text }: Found, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#options.store.kind === 'filesystem') return true;
    const now = await this.#head(key, signal);
    return now?.etag === head.etag && now.headers[envelopeHeader] === text && now.lastModified === head.lastModified;
  }

  async #head(key: string, signal: AbortSignal | undefined, versionId?: string): Promise<ObjectHead | undefined> {
    const { store, bucket } = this.#options;
    const address = { bucket, key, ...(versionId === undefined ? {} : { versionId }) };
    try {
      return await store.headObject(address, signal === undefined ? {} : { signal });
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return undefined;
      throw error;
    }
  }
}

/** Providers leave the id out for what was there before the bucket had versions. */
function versionOf({ headers }: ObjectHead): string {
  return headers['x-amz-version-id'] ?? 'null';
}

function labelOf({ kekName, kekVersion }: Envelope): KeyVersion {
  return { keyName: kekName, keyVersion: kekVersion };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof S3Error && codes.includes(error.code);
}
