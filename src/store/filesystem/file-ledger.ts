import { text, type Database, type Statement } from './database.ts';

const sweepBatch = 500;

/**
 * Book of the files that no object and no part refers to. A file is entered before it is made and before it is removed,
 * so that after a crash every stray file is known without a look at the disk. The commit of the index that begins or
 * ends a file's use changes its entry in the same transaction (`adopt`, `doom…`).
 */
export class FileLedger {
  readonly #notes: Database;
  readonly #instanceId: string;
  readonly #insertWriting: Statement;
  readonly #forget: Statement;
  readonly #doomed: Statement;
  readonly #pin: Statement;
  readonly #unpin: Statement;
  readonly #dropPin: Statement;
  readonly #freeHeld: Statement;

  /** `notes` is a connection whose commits need not reach the disk at once: a lost entry costs space, never data. */
  constructor(notes: Database, instanceId: string) {
    this.#notes = notes;
    this.#instanceId = instanceId;
    this.#insertWriting = notes.prepare(
      "INSERT INTO loose_file (file, instance, object_id, state) VALUES (?, ?, NULL, 'writing')",
    );
    this.#forget = notes.prepare('DELETE FROM loose_file WHERE file = ?');
    this.#doomed = notes.prepare(`SELECT file FROM loose_file WHERE state = 'doomed' LIMIT ${sweepBatch}`);
    this.#pin = notes.prepare(
      `INSERT INTO pin (object_id, instance, readers) VALUES (?, ?, 1)
       ON CONFLICT (object_id, instance) DO UPDATE SET readers = readers + 1`,
    );
    this.#unpin = notes.prepare('UPDATE pin SET readers = readers - 1 WHERE object_id = ? AND instance = ?');
    this.#dropPin = notes.prepare('DELETE FROM pin WHERE object_id = ? AND readers <= 0');
    this.#freeHeld = notes.prepare(
      `UPDATE loose_file SET state = 'doomed' WHERE state = 'held' AND object_id = ?1
       AND NOT EXISTS (SELECT 1 FROM pin WHERE object_id = ?1)`,
    );
  }

  /** A file of this name is about to be made by this instance. */
  noteWriting(file: string): void {
    this.#notes.transaction(() => this.#insertWriting.run(file, this.#instanceId));
  }

  /** The files are gone from the disk. */
  forget(files: readonly string[]): void {
    this.#notes.transaction(() => {
      for (const file of files) this.#forget.run(file);
    });
  }

  /** Some of the files that may be removed now. */
  doomed(): string[] {
    return this.#notes.read(() => this.#doomed.all().map((row) => text(row, 'file')));
  }

  /** Keeps the files of an object of several files until `unpin`, also when the object is replaced or deleted. */
  pin(objectId: number): void {
    this.#notes.transaction(() => this.#pin.run(objectId, this.#instanceId));
  }

  unpin(objectId: number): void {
    this.#notes.transaction(() => {
      this.#unpin.run(objectId, this.#instanceId);
      this.#dropPin.run(objectId);
      this.#freeHeld.run(objectId);
    });
  }
}

/** The statements by which transactions of the index take files into use and out of it. */
export class FileUse {
  readonly #instanceId: string;
  readonly #adopt: Statement;
  readonly #doom: Statement;
  readonly #doomExtents: Statement;
  readonly #dropExtents: Statement;
  readonly #doomParts: Statement;

  constructor(database: Database, instanceId: string) {
    this.#instanceId = instanceId;
    this.#adopt = database.prepare('DELETE FROM loose_file WHERE file = ?');
    this.#doom = database.prepare("INSERT INTO loose_file (file, instance, state) VALUES (?, ?, 'doomed')");
    this.#doomExtents = database.prepare(
      `INSERT INTO loose_file (file, instance, object_id, state)
       SELECT file, ?2, object_id,
         CASE WHEN EXISTS (SELECT 1 FROM pin WHERE pin.object_id = ?1) THEN 'held' ELSE 'doomed' END
       FROM extent WHERE object_id = ?1`,
    );
    this.#dropExtents = database.prepare('DELETE FROM extent WHERE object_id = ?');
    this.#doomParts = database.prepare(
      `INSERT INTO loose_file (file, instance, state) SELECT file, ?2, 'doomed' FROM part WHERE upload_id = ?1`,
    );
  }

  /** The file now belongs to an object or a part. */
  adopt(file: string): void {
    this.#adopt.run(file);
  }

  /** Nothing refers to this one file any more; whoever has it open keeps reading it. */
  doom(file: string): void {
    this.#doom.run(file, this.#instanceId);
  }

  /** The same for all files of an object of several files; they wait for their readers. */
  doomExtents(objectId: number): void {
    this.#doomExtents.run(objectId, this.#instanceId);
    this.#dropExtents.run(objectId);
  }

  /** The same for all parts that are left in an upload. */
  doomParts(uploadId: string): void {
    this.#doomParts.run(uploadId, this.#instanceId);
  }
}
