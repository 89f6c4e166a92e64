import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import { contentOf, crashBucket, crashKeys, keyOf } from './crash-content.ts';
import { collect, filesOnDisk, filesInUse } from './helpers.ts';

const kills = 15;
const longestRunMs = 150;
const writer = fileURLToPath(new URL('crash-writer.ts', import.meta.url));

/** What the killed writer said: the last version that was acknowledged and the last that was begun, per key. */
interface Said {
  readonly done: number[];
  readonly begun: number[];
}

/** A generator that repeats with its seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs the writer, kills it `killAfterMs` after its first acknowledged write, and notes what it said until then. */
async function runAndKill(root: string, firstVersion: number, said: Said, killAfterMs: number): Promise<void> {
  const child = spawn(process.execPath, [writer, root, String(firstVersion)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  let killing: Promise<void> | undefined;
  for await (const line of lines) {
    const [word = '', index = '', version = ''] = line.split(' ');
    const target = word === 'done' ? said.done : said.begun;
    target[Number(index)] = Number(version);
    if (word === 'done') killing ??= killLater(child, killAfterMs);
  }
  await killing;
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL', 'the writer ended by itself');
}

async function killLater(child: ChildProcess, afterMs: number): Promise<void> {
  await delay(afterMs);
  child.kill('SIGKILL');
}

async function assertWhole(store: FilesystemStore, said: Said): Promise<void> {
  for (let index = 0; index < crashKeys; index++) {
    const object = await store.getObject({ bucket: crashBucket, key: keyOf(index) });
    const bytes = await collect(object.body);
    assert.equal(bytes.length, object.sizeBytes);
    const done = said.done[index] ?? -1;
    const begun = said.begun[index] ?? -1;
    const match = [done, begun].find((version) => version >= 0 && contentOf(index, version).equals(bytes));
    assert.ok(match !== undefined, `${keyOf(index)} is neither version ${done} nor ${begun}`);
    said.done[index] = match;
  }
}

describe('a writer that is killed', () => {
  it('leaves every object old or new, whole, and nothing beside after the next start', async (context) => {
    const seed = Number(process.env['S3EG_CRASH_SEED'] ?? randomInt(2 ** 31));
    context.diagnostic(`S3EG_CRASH_SEED=${seed}`);
    const random = seeded(seed);
    const root = await mkdtemp(join(tmpdir(), 's3eg-crash-'));
    const said: Said = { done: [], begun: [] };
    let store = await FilesystemStore.open({ root });
    await store.createBucket(crashBucket, {});
    for (let index = 0; index < crashKeys; index++) {
      const content = contentOf(index, 0);
      const body = (async function* () {
        yield content;
      })();
      const key = keyOf(index);
      await store.putObject({ bucket: crashBucket, key, headers: {}, body, lengthBytes: content.length });
      said.done[index] = 0;
    }
    await store.close();
    for (let kill = 0; kill < kills; kill++) {
      const firstVersion = Math.max(...said.begun, ...said.done) + 1;
      await runAndKill(root, firstVersion, said, random() * longestRunMs);
      store = await FilesystemStore.open({ root });
      await assertWhole(store, said);
      assert.deepEqual(await filesOnDisk(root), filesInUse(root), 'files on the disk and files in use');
      await store.close();
    }
    await rm(root, { recursive: true });
  });
});
