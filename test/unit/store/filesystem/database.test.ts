import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { blob, Database, integer, optionalText, text } from '../../../../src/store/filesystem/database.ts';
import { temporaryRoot } from './helpers.ts';

describe('Database', () => {
  it('keeps nothing of a transaction that throws, and everything of one that does not', async (context) => {
    const database = new Database(join(await temporaryRoot(context), 'a.sqlite'), 'full');
    database.migrate();
    database.migrate();
    const insert = database.prepare("INSERT INTO bucket (name, location, created_ms) VALUES (?, '', 1)");
    const names = () =>
      database
        .prepare('SELECT name FROM bucket')
        .all()
        .map((row) => text(row, 'name'));
    assert.throws(
      () =>
        database.transaction(() => {
          insert.run('lost');
          throw new Error('no');
        }),
      { code: 'InternalError' },
    );
    assert.deepEqual(names(), []);
    database.transaction(() => insert.run('kept'));
    assert.throws(() => database.transaction(() => insert.run('kept')), { code: 'InternalError' });
    assert.deepEqual(names(), ['kept']);
    database.close();
    assert.throws(() => database.read(names), { code: 'InternalError' });
  });

  it('takes no column for what it is not', () => {
    const row = { a: 'text', b: 1, c: Buffer.from([0xff, 0]), d: null };
    assert.deepEqual([text(row, 'a'), integer(row, 'b'), blob(row, 'c')], ['text', 1, Buffer.from([0xff, 0])]);
    assert.deepEqual([optionalText(row, 'a'), optionalText(row, 'd')], ['text', undefined]);
    assert.throws(() => text(row, 'b'), TypeError);
    assert.throws(() => integer(row, 'a'), TypeError);
    assert.throws(() => blob(row, 'd'), TypeError);
    assert.throws(() => optionalText(row, 'absent'), TypeError);
  });
});
