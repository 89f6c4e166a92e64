import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { openAudit } from '../../../src/audit/open-audit.ts';
import type { AuditWritten } from '../../../src/audit/audit-trail.ts';
import { FileSink } from '../../../src/audit/sinks/file-sink.ts';

let folder = '';
let count = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3eg-audit-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function newPath(): string {
  return join(folder, `audit-${++count}.jsonl`);
}

describe('the file of audit events', () => {
  it('is its owner’s alone, and appended to in order', async () => {
    const path = newPath();
    const sink = await FileSink.open(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}\n`);
    await Promise.all(lines.map((line) => sink.write(line)));
    await sink.close();
    const again = await FileSink.open(path);
    await again.write('last\n');
    await again.close();
    assert.equal(await readFile(path, 'utf8'), `${lines.join('')}last\n`);
  });

  it('is made anew when it was moved away, removed, or a signal asks for it', async () => {
    const path = newPath();
    const sink = await FileSink.open(path);
    await sink.write('1\n');
    await rename(path, `${path}.1`);
    await sink.write('2\n');
    assert.deepEqual([await readFile(`${path}.1`, 'utf8'), await readFile(path, 'utf8')], ['1\n', '2\n']);
    await rm(path);
    await sink.write('3\n');
    assert.equal(await readFile(path, 'utf8'), '3\n');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    sink.reopen();
    await sink.write('4\n');
    assert.equal(await readFile(path, 'utf8'), '3\n4\n');
    await sink.close();
  });

  it('takes what another process appends in between', async () => {
    const path = newPath();
    const [one, other] = [await FileSink.open(path), await FileSink.open(path)];
    await one.write('1\n');
    await other.write('2\n');
    await one.write('3\n');
    assert.equal(await readFile(path, 'utf8'), '1\n2\n3\n');
    await one.close();
    await other.close();
  });

  it('begins a line of its own after half a one', async () => {
    const path = newPath();
    await writeFile(path, '{"whole":1}\n{"hal');
    const sink = await FileSink.open(path);
    await sink.write('{"next":1}\n');
    await sink.close();
    assert.equal(await readFile(path, 'utf8'), '{"whole":1}\n{"hal\n{"next":1}\n');
  });

  it('refuses to open what cannot be appended to, and names it', async () => {
    const path = join(folder, 'nowhere', 'audit.jsonl');
    const stream = { kind: 'stdout', write: () => {} } as const;
    await assert.rejects(openAudit([{ type: 'file', file: path }], { stream }), ({ message }: Error) =>
      message.startsWith(`audit events cannot be written to ${path}: ENOENT`),
    );
  });
});

describe('an audit trail', () => {
  it('gives every event to every sink, and tells which sink does not work', async () => {
    const [good, bad] = [newPath(), join(folder, `full-${++count}`)];
    await appendFile(bad, '');
    const written: AuditWritten[] = [];
    let stream = '';
    await using trail = await openAudit(
      [{ type: 'stdout' }, { type: 'file', file: bad }, { type: 'file', file: good }],
      {
        stream: { kind: 'stdout', write: (line) => void (stream += line) },
        onWritten: (each) => void written.push(each),
      },
    );
    const event = { event: 'key_usable', outcome: 'ok', actor: 'gateway', key_name: 'main' } as const;
    assert.equal(await trail.record(event), true);
    // A folder in its place: nothing is appended there.
    await rm(bad);
    await mkdir(bad);
    assert.equal(await trail.record(event), false);
    const lines = (await readFile(good, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 2);
    assert.equal(stream, `${lines.join('\n')}\n`);
    const ids = lines.map((line): unknown => JSON.parse(line).event_id);
    assert.notEqual(ids[0], ids[1]);
    const failed = written.filter(({ error }) => error !== undefined);
    assert.deepEqual([written.length, failed.length, failed[0]?.sink, failed[0]?.event], [6, 1, 'file', 'key_usable']);
    assert.match(String(failed[0]?.error), /EISDIR/);
    // It works again as soon as it can.
    await rm(bad, { recursive: true });
    assert.equal(await trail.record(event), true);
    assert.equal((await readFile(bad, 'utf8')).trimEnd().split('\n').length, 1);
  });
});
