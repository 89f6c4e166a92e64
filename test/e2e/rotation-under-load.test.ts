import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { runSeed, SeededRandom, seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { finish } from './support/cli-support.ts';
import { Gateway } from './support/gateway.ts';
import { keyLabels } from './support/key-labels.ts';
import { commandAt, objectsBy, rewrap, rotate, startRewrap } from './support/rewrap.ts';

const bucket = 'my-bucket';
/** `ROTATION_LOAD_SECONDS=60` for a longer look. */
const loadMs = 1000 * Number(process.env['ROTATION_LOAD_SECONDS'] ?? 15);
const requestsPerSecond = 100;
/** A gateway asks its key service for the versions every 5 seconds, a keyring looks at its file every second. */
const pickUpMs = 6500;

test('no request fails while a key is rotated and everything is rewrapped', async (t) => {
  await using gateway = await Gateway.start({ config: { telemetry: { logLevel: 'info' } } });
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  const load = new Load(s3);
  await load.fill(150);
  const running = load.run(loadMs);
  await delay(1000);
  await rotate(gateway);
  await delay(pickUpMs);
  const first = await finish(
    await startRewrap(gateway, '--bucket', bucket, '--rate', '50', '--concurrency', '4', '--json'),
  );
  assert.ok(first.code === 0 || first.code === 1, first.stderr);
  const { requests, failures, slowestMs } = await running;
  t.diagnostic(`${requests} requests in ${loadMs / 1000} s, slowest ${slowestMs} ms; seed ${runSeed}`);
  assert.deepEqual(failures, [], `seed ${runSeed}`);
  assert.ok(requests >= (loadMs / 1000) * requestsPerSecond * 0.9, `${requests} requests`);
  // Whatever was replaced under the hands of the first run.
  const last = await rewrap(gateway, '--bucket', bucket);
  assert.deepEqual([last.code, objectsBy(last)['1']], [0, 0]);
  assert.equal(last.versions.find(({ keyVersion }) => keyVersion === '1')?.mayBeRetired, true);
  assert.deepEqual(new Set(Object.values(keyLabels(gateway.directory, bucket))), new Set(['local:2']));
  assert.equal((await commandAt(gateway, 'keys', 'retire', '--key', 'local', '--key-version', '1')).code, 0);
  await delay(1100);
  await load.readAll();
});

/** Objects that are written, read and deleted at a fixed rate; each has one writer at a time, so its content is known. */
class Load {
  readonly #s3: S3Client;
  readonly #random = new SeededRandom(`rotation under load ${runSeed}`);
  readonly #objects = new Map<string, Buffer>();
  readonly #busy = new Set<string>();
  readonly #failures: string[] = [];
  #slowestMs = 0;
  #count = 0;

  constructor(s3: S3Client) {
    this.#s3 = s3;
  }

  async fill(count: number): Promise<void> {
    for (let index = 0; index < count; index++) await this.#put(`object/${index}`);
    assert.deepEqual(this.#failures, []);
  }

  async run(durationMs: number) {
    const startMs = performance.now();
    const running = new Set<Promise<void>>();
    for (let count = 0; count < (durationMs * requestsPerSecond) / 1000; count++) {
      const atMs = startMs + (count * 1000) / requestsPerSecond;
      await delay(Math.max(0, atMs - performance.now()));
      const request = this.#request();
      running.add(request);
      void request.finally(() => running.delete(request));
    }
    await Promise.all(running);
    return { requests: this.#count, failures: this.#failures, slowestMs: Math.round(this.#slowestMs) };
  }

  async readAll(): Promise<void> {
    for (const key of this.#objects.keys()) await this.#get(key);
    assert.deepEqual(this.#failures, []);
  }

  async #request(): Promise<void> {
    const key = `object/${this.#random.below(200)}`;
    if (this.#busy.has(key)) return await this.#list();
    this.#busy.add(key);
    const startMs = performance.now();
    try {
      const choice = this.#random.below(10);
      if (choice < 4) await this.#put(key);
      else if (choice < 5) await this.#delete(key);
      else await this.#get(key);
    } catch (error) {
      this.#failures.push(`${key}: ${String(error)}`);
    } finally {
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startMs);
      this.#busy.delete(key);
    }
  }

  async #put(key: string): Promise<void> {
    const body = seededBytes(`${key} ${this.#count}`, this.#random.below(20_000));
    const { outcome } = await this.#s3.put(bucket, key, body);
    this.#note(outcome === '200', `PUT ${key}: ${outcome}`);
    this.#objects.set(key, body);
  }

  async #get(key: string): Promise<void> {
    const expected = this.#objects.get(key);
    const { outcome, body } = await this.#s3.send({ method: 'GET', bucket, key });
    const isRight = expected === undefined ? outcome.startsWith('404') : outcome === '200' && body.equals(expected);
    this.#note(isRight, `GET ${key}: ${outcome}`);
  }

  async #delete(key: string): Promise<void> {
    const { outcome } = await this.#s3.send({ method: 'DELETE', bucket, key });
    this.#note(outcome === '204', `DELETE ${key}: ${outcome}`);
    this.#objects.delete(key);
  }

  async #list(): Promise<void> {
    const { outcome } = await this.#s3.send({ method: 'GET', bucket, query: { 'list-type': '2' } });
    this.#note(outcome === '200', `LIST: ${outcome}`);
  }

  #note(isRight: boolean, what: string): void {
    this.#count += 1;
    if (!isRight) this.#failures.push(what);
  }
}
