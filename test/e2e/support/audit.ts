import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

/** One line of the audit events. */
export type AuditLine = Readonly<Record<string, unknown>>;

/** The events in a file, after the form of each was looked at: flat, bounded, with what every event has. */
export async function readAudit(file: string): Promise<readonly AuditLine[]> {
  const text = await readFile(file, 'utf8');
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole');
  const lines = text.split('\n').filter((line) => line !== '');
  const events = lines.map((line): AuditLine => JSON.parse(line));
  for (const event of events) {
    for (const [name, value] of Object.entries(event)) {
      assert.match(name, /^[a-z]+(_[a-z]+)*$/);
      assert.ok(['string', 'number', 'boolean'].includes(typeof value) && String(value).length <= 300, name);
    }
    assert.match(String(event['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(event['audit'], true);
    for (const name of ['event', 'event_id', 'outcome', 'actor', 'host'])
      assert.equal(typeof event[name], 'string', name);
  }
  assert.equal(new Set(events.map(({ event_id: id }) => id)).size, events.length, 'each has an id of its own');
  return events;
}
