import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text, type Database } from './database.ts';
import { isBusy } from './faults.ts';

const suffix = '.lock';

/**
 * This process's (or worker thread's) claim on a store root that it may share with others. The claim is a file lock that
 * ends with the process, however it dies: so the leavings of the dead can be cleared and those of the living are safe.
 * SQLite takes the lock, because it also tells connections within one process apart.
 */
export class Instance {
  readonly id: string;
  readonly #folder: string;
  readonly #database: Database;
  readonly #lock: DatabaseSync;

  private constructor(id: string, folder: string, database: Database, lock: DatabaseSync) {
    this.id = id;
    this.#folder = folder;
    this.#database = database;
    this.#lock = lock;
  }

  /** Registers a new instance, then declares the loose files and pins of dead ones free to be cleared. */
  static register(root: string, database: Database): Instance {
    const folder = join(root, 'instances');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // All of it under the write lock of the index: nobody can look at a lock file before it is locked.
    return database.transaction(() => {
      buryTheDead(folder, database);
      const id = randomBytes(8).toString('hex');
      const lock = tryLock(join(folder, id + suffix));
      if (lock === undefined) throw new Error('a lock file of a new instance is taken');
      database.prepare('INSERT INTO instance (id, started_ms) VALUES (?, ?)').run(id, Date.now());
      return new Instance(id, folder, database, lock);
    });
  }

  /** Gives up the claim; what this instance left loose is cleared with the next start. */
  close(): void {
    this.#database.transaction(() => {
      release(this.#database, this.id);
      this.#lock.close();
      rmSync(join(this.#folder, this.id + suffix), { force: true });
    });
  }
}

function buryTheDead(folder: string, database: Database): void {
  const living = new Set<string>();
  for (const row of database.prepare('SELECT id FROM instance').all()) {
    const id = text(row, 'id');
    const lock = tryLock(join(folder, id + suffix));
    if (lock === undefined) {
      living.add(id);
      continue;
    }
    lock.close();
    release(database, id);
  }
  for (const name of readdirSync(folder)) {
    if (!living.has(name.slice(0, -suffix.length))) rmSync(join(folder, name), { force: true });
  }
}

function release(database: Database, id: string): void {
  database.prepare('DELETE FROM pin WHERE instance = ?').run(id);
  database.prepare("UPDATE loose_file SET state = 'doomed' WHERE instance = ? AND state = 'writing'").run(id);
  database
    .prepare(
      `UPDATE loose_file SET state = 'doomed'
       WHERE state = 'held' AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.object_id = loose_file.object_id)`,
    )
    .run();
  database.prepare('DELETE FROM instance WHERE id = ?').run(id);
}

function tryLock(path: string): DatabaseSync | undefined {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}
