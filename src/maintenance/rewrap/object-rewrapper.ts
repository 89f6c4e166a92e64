import { decodeEnvelope, envelopeHeader, type Envelope } from '../../envelope/envelope.ts';
import type { DataKeys } from '../../keys/data-keys.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type { ObjectHead, ObjectStore } from '../../store/object-store.ts';
import { isLocked, resealedHeaders } from './resealed-headers.ts';
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
}

/** What one object is rewrapped with. */
export interface ObjectRewrapperOptions extends RewrapChoice {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly keys: RewrapKeys;
  readonly copies: SelfCopy;
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

  /** Key version of a version of an object that is not the current one; undefined where it has none, or has gone. */
  async look(key: string, versionId: string, signal?: AbortSignal): Promise<KeyVersion | undefined> {
    const text = (await this.#head(key, signal, versionId))?.headers[envelopeHeader];
    return text === undefined ? undefined : labelOf(decodeEnvelope(text));
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
    { head, envelope, text }: { readonly head: ObjectHead; readonly envelope: Envelope; readonly text: string },
    signal: AbortSignal | undefined,
  ): Promise<Omit<Rewrapped, 'outcome'> | undefined> {
    const { bucket, keys, to = envelope.kekName, copies } = this.#options;
    const request = { bucket, key, head, envelope, keyName: to };
    const { headers, label } = await resealedHeaders(keys.dataKeys, request, signal);
    if (!(await this.#isSame(key, head, text, signal))) return undefined;
    try {
      const copied = await copies.copy({ key, head, headers }, signal);
      const after = copied.headers['x-amz-version-id'] ?? 'null';
      if (after === 'null') return { under: label };
      return { under: label, left: labelOf(envelope), ...(isLocked(head.headers) ? { isLocked: true } : {}) };
    } catch (error) {
      if (hasCode(error, 'PreconditionFailed', 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  /**
   * An ETag of a provider names bytes: a client that has changed metadata alone would not be noticed by a condition. So
   * the object is looked at once more right before the copy. The embedded store has a new ETag for every state.
   */
  async #isSame(key: string, head: ObjectHead, text: string, signal: AbortSignal | undefined): Promise<boolean> {
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

function labelOf({ kekName, kekVersion }: Envelope): KeyVersion {
  return { keyName: kekName, keyVersion: kekVersion };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof S3Error && codes.includes(error.code);
}
