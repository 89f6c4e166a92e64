import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';

import { auditEvents, auditFields, commonFields, type AuditEvent } from '../../../src/audit/audit-event.ts';
import { auditLine } from '../../../src/audit/audit-line.ts';

const origin = { timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), eventId: 'id-1', host: 'gateway-0', processId: 7 };

/** An event as a caller could make it who has no compiler. */
function untyped(event: object): AuditEvent {
  const made: AuditEvent = JSON.parse(JSON.stringify(event));
  return made;
}

/** What the line of an event shows of this text. */
function detailOf(detail: string): string {
  const event = { event: 'key_unusable', outcome: 'failed', actor: 'gateway', key_name: 'main', detail } as const;
  return JSON.parse(auditLine(event, origin)).detail;
}

describe('a line of the audit events', () => {
  it('says when, where, who, what and how it ended', () => {
    const event: AuditEvent = {
      event: 'key_rotation_finished',
      outcome: 'ok',
      actor: 'admin_api',
      remote_address: '192.0.2.1',
      request_id: '00F1B2A49D4C7E35',
      key_name: 'main',
      key_version: 'arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab',
      previous_version: '1',
    };
    assert.deepEqual(JSON.parse(auditLine(event, origin)), {
      time: '2026-01-02T03:04:05.006Z',
      audit: true,
      event_id: 'id-1',
      host: 'gateway-0',
      process_id: 7,
      ...event,
    });
  });

  it('has no field that its event does not have, and none that nobody named', () => {
    const secret = randomBytes(32).toString('base64');
    const line = auditLine(
      untyped({
        event: 'key_rotation_started',
        outcome: 'begun',
        actor: 'schedule',
        key_name: 'main',
        bytes: 5,
        detail: secret,
        token: secret,
        __proto__: { secret },
      }),
      origin,
    );
    assert.ok(!line.includes(secret));
    const { time, audit, event_id, host, process_id, ...rest } = JSON.parse(line);
    assert.deepEqual(rest, { event: 'key_rotation_started', outcome: 'begun', actor: 'schedule', key_name: 'main' });
    assert.ok(time && audit && event_id && host && process_id);
  });

  it('shows nothing that does not have the form of its field', () => {
    const of = { event: 'key_destruction_finished', outcome: 'ok', actor: 'cli' };
    for (const fields of [
      { key_name: 'with space' },
      { key_name: 'a'.repeat(65) },
      { key_name: 5 },
      { key_version: 'line\nfeed' },
      { key_version: 'v'.repeat(129) },
      { objects: -1 },
      { objects: 1.5 },
      { objects: '5' },
      { objects: { toString: 5 } },
      { failed: null },
      { actor: 'two words' },
      { outcome: ['ok'] },
    ]) {
      const [name = ''] = Object.keys(fields);
      assert.equal(JSON.parse(auditLine(untyped({ ...of, ...fields }), origin))[name], '[not shown]', name);
    }
  });

  it('keeps secrets out of what others say, and the rest in', () => {
    const kept = [
      'key arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab is disabled',
      'key alias/a-long-name-of-an-alias-that-somebody-thought-out is pending deletion until 2026-02-01',
      'Vault at https://vault.example.org:8200 is sealed',
    ];
    const secrets = [
      randomBytes(32).toString('base64'),
      randomBytes(32).toString('base64url'),
      randomBytes(32).toString('hex'),
      'hvs.CAESIJ1Zp3uYwq8',
      'hvb.AAAAAQJ1Zp3uYwq8',
      's.1234567890abcdefghijklmn',
      's.1234567890abcdefghijklmn.M9Sy91',
      'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      '-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----',
    ];
    for (const detail of kept) assert.equal(detailOf(detail), detail);
    for (const secret of secrets) {
      assert.equal(detailOf(`it said "${secret}`), 'it said "[not shown]');
      assert.doesNotMatch(detailOf(`token=${secret}, again`), new RegExp(secret.slice(4, 20).replace(/[+/.]/g, '.')));
    }
  });

  it('is one line of at most 8 KiB, whatever is in it', () => {
    const long = '\u2028\n"\u{1f511}'.repeat(5000);
    for (const [event, { outcomes, fields }] of Object.entries(auditEvents)) {
      const all = Object.fromEntries([...Object.keys(commonFields), ...fields].map((field) => [field, long]));
      const line = auditLine(untyped({ ...all, event, outcome: outcomes[0] }), { ...origin, host: long });
      assert.ok(Buffer.byteLength(line) < 8192 && !line.includes('\n'), `${event}: ${Buffer.byteLength(line)}`);
    }
  });
});

it('the catalogue names fields in snake case, and events by what happened', () => {
  for (const name of [...Object.keys(commonFields), ...Object.keys(auditFields), ...Object.keys(auditEvents)]) {
    assert.match(name, /^[a-z]+(_[a-z]+)*$/);
  }
  const begun = Object.keys(auditEvents).filter((name) => name.endsWith('_started'));
  for (const name of begun) {
    for (const end of ['finished', 'failed']) assert.ok(name.replace('started', end) in auditEvents, `${name} ends`);
  }
});
