/** Changes a stored object and asks the gateway for it in every way: it must never pass off wrong bytes as right. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Gateway } from './gateway.ts';
import { S3CallError, type S3Client } from './s3-client.ts';
import { readStored, writeStored, type StoredObject } from './stored-object.ts';
import { until } from './workspace.ts';

/** How a GET ended. */
type Outcome =
  | { readonly kind: 'refused'; readonly code: string; readonly requestId: string | undefined }
  | { readonly kind: 'broken'; readonly received: Buffer; readonly requestId: string | undefined }
  | { readonly kind: 'whole'; readonly received: Buffer };

/** A run of plaintext bytes, both ends included. */
export type Range = readonly [first: number, last: number];

/** One way to change an object. */
export interface Attack {
  readonly name: string;
  readonly stored: StoredObject;
  /** Ranges that touch what was changed and must fail; others may be read, if every byte is right. */
  readonly damaged: readonly Range[];
  /** Whether HEAD must be refused too: what it says is authenticated. Else it must say what is true. */
  readonly head: 'refused' | 'true' | 'unchecked';
}

/**
 * Codes that say "not what was stored"; 416 is the backend's own answer where the object ends before the range, and an
 * envelope that names another key or version than it did may name one that there is not. A reset can overtake the head
 * of an answer that broke at once: the client then has no answer at all, and no request id.
 */
const noAnswer = 'ConnectionClosedError';
const codes = new Set(['ObjectCorrupted', 'ObjectNotEncrypted', 'KeyVersionNotReadable', 'InvalidRange', noAnswer]);

/** What an attack needs around it. */
export interface TargetParts {
  readonly bucket: string;
  readonly key: string;
  readonly plaintext: Buffer;
  readonly gateway: Gateway;
  /** At the gateway, and at the backend. */
  readonly client: S3Client;
  readonly raw: S3Client;
  /** A folder for what is written and read. */
  readonly folder: string;
}

/** An object under attack. */
export class Target {
  readonly plaintext: Buffer;
  readonly original: StoredObject;
  readonly #parts: TargetParts;

  private constructor(parts: TargetParts, original: StoredObject) {
    this.plaintext = parts.plaintext;
    this.original = original;
    this.#parts = parts;
  }

  /** Reads the stored form of an object, which must open when it is written back as it is. */
  static async take(parts: TargetParts): Promise<Target> {
    const target = new Target(parts, await readStored({ ...parts, file: join(parts.folder, 'original') }));
    await target.restore();
    return target;
  }

  /** Puts the stored object back as it was: without that, an attack could fail for the writing alone. */
  async restore(): Promise<void> {
    await this.#write(this.original);
    await this.opens();
  }

  /** Fails unless the gateway gives the whole plaintext. */
  async opens(): Promise<void> {
    const outcome = await this.#get();
    assert.ok(outcome.kind === 'whole' && outcome.received.equals(this.plaintext), 'unchanged, it must open');
  }

  /** Stores the changed object and fails if the gateway gives a wrong byte as a right one, or says nothing of it. */
  async resist({ name, stored, damaged, head }: Attack): Promise<void> {
    assert.ok(!sameObject(stored, this.original), `${name}: nothing was changed`);
    await this.#write(stored);
    await this.refuses(name, damaged);
    await this.#checkHead(name, head);
  }

  /** As `resist`, for an object that was changed already. */
  async refuses(name: string, damaged: readonly Range[]): Promise<void> {
    await this.#failsLoudly(name, async () => await this.#loudGet(name));
    for (const range of damaged) {
      await this.#failsLoudly(`${name}, bytes ${range.join('-')}`, async () => await this.#get(range), range);
    }
    const { length } = this.plaintext;
    const samples: readonly Range[] = [
      [0, 0],
      [length >> 1, (length >> 1) + 70_000],
      [length - 1, length - 1],
    ];
    for (const range of samples)
      this.#isTrueIfWhole(`${name}, bytes ${range.join('-')}`, await this.#get(range), range);
  }

  /** The whole object, which must also count in the metric. */
  async #loudGet(name: string): Promise<Outcome> {
    const { gateway } = this.#parts;
    const metric = 's3eg_decryption_failures_total';
    const before = await gateway.metric(metric);
    const outcome = await this.#get();
    if (outcome.kind === 'whole') return outcome;
    // A body that breaks is counted when it breaks, which the client may see first.
    await until(`${name}: ${metric}`, async () => (await gateway.metric(metric)) > before);
    return outcome;
  }

  async #failsLoudly(name: string, ask: () => Promise<Outcome>, range?: Range): Promise<void> {
    const { gateway, bucket, key } = this.#parts;
    const loggedBefore = gateway.logs.length;
    const outcome = await ask();
    assert.notEqual(outcome.kind, 'whole', `${name}: the gateway answered as if nothing had happened`);
    if (outcome.kind === 'whole') return;
    if (outcome.kind === 'broken') this.#isPrefix(name, outcome.received, range);
    else assert.ok(codes.has(outcome.code), `${name}: ${outcome.code}`);
    if (outcome.kind === 'refused' && outcome.code === 'InvalidRange') return;
    const hasAnswer = outcome.kind === 'broken' || outcome.code !== noAnswer;
    assert.ok(outcome.requestId !== undefined || !hasAnswer, `${name}: no request id`);
    const line = await gateway.logged(name, (entry, index) => {
      const isOfRequest = hasAnswer ? entry['request_id'] === outcome.requestId : index >= loggedBefore;
      return isOfRequest && entry['message'] === 'decryption failed';
    });
    assert.deepEqual([line['level'], line['bucket'], line['key']], ['error', bucket, key]);
    assert.equal(typeof line['reason'], 'string');
  }

  /** What came before a break was authenticated, so it is the beginning of what was asked for, and not all of it. */
  #isPrefix(name: string, received: Buffer, [first, last]: Range = [0, this.plaintext.length - 1]): void {
    const asked = this.plaintext.subarray(first, last + 1);
    assert.ok(received.equals(asked.subarray(0, received.length)), `${name}: wrong bytes before the break`);
    assert.ok(received.length < asked.length || asked.length === 0, `${name}: all bytes before the break`);
  }

  #isTrueIfWhole(name: string, outcome: Outcome, [first, last]: Range): void {
    if (outcome.kind !== 'whole') return;
    assert.ok(outcome.received.equals(this.plaintext.subarray(first, last + 1)), `${name}: wrong bytes`);
  }

  async #checkHead(name: string, expected: Attack['head']): Promise<void> {
    const { client, bucket, key } = this.#parts;
    try {
      const { ContentLength } = await client.head(bucket, key);
      assert.notEqual(expected, 'refused', `${name}: HEAD`);
      if (expected === 'true') assert.equal(ContentLength, this.plaintext.length, `${name}: HEAD`);
    } catch (error) {
      assert.ok(error instanceof S3CallError, String(error));
      assert.ok(error.status !== undefined && error.status >= 400, `${name}: HEAD ${error.message}`);
    }
  }

  async #write(stored: StoredObject): Promise<void> {
    await writeStored({ ...this.#parts, file: join(this.#parts.folder, 'changed') }, stored);
  }

  async #get(range?: Range): Promise<Outcome> {
    const { client, bucket, key, folder } = this.#parts;
    const file = join(folder, 'answer');
    try {
      const options = range === undefined ? {} : { Range: `bytes=${range[0]}-${range[1]}` };
      const { Body, ResponseMetadata } = await client.get(bucket, key, options, file);
      const received = await readFile(file);
      if (Body.broken === null) return { kind: 'whole', received };
      return { kind: 'broken', received, requestId: ResponseMetadata.HTTPHeaders['x-amz-request-id'] };
    } catch (error) {
      if (!(error instanceof S3CallError)) throw error;
      return { kind: 'refused', code: error.code, requestId: error.requestId };
    }
  }
}

function sameObject(left: StoredObject, right: StoredObject): boolean {
  return (
    left.bytes.equals(right.bytes) &&
    left.contentType === right.contentType &&
    JSON.stringify(left.metadata) === JSON.stringify(right.metadata)
  );
}
