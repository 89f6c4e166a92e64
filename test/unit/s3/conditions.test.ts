import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  evaluateConditions,
  ifRangeHolds,
  parseHttpDate,
  requestConditions,
  type ConditionFailure,
  type RequestConditions,
} from '../../../src/s3/conditions.ts';

const lastModifiedMs = Date.UTC(2026, 0, 2, 3, 4, 5) + 678;
const current = { etag: '"abc"', lastModifiedMs };
const same = 'Fri, 02 Jan 2026 03:04:05 GMT';
const before = 'Fri, 02 Jan 2026 03:04:04 GMT';
const after = 'Fri, 02 Jan 2026 03:04:06 GMT';

type Outcome = ConditionFailure | undefined;

describe('evaluateConditions on an object', () => {
  const table: [string, RequestConditions, Outcome, Outcome][] = [
    // name, conditions, outcome of GET, outcome of PUT
    ['none', {}, undefined, undefined],
    ['If-Match equal', { ifMatch: '"abc"' }, undefined, undefined],
    ['If-Match unquoted', { ifMatch: 'abc' }, undefined, undefined],
    ['If-Match in a list', { ifMatch: '"x", "abc"' }, undefined, undefined],
    ['If-Match *', { ifMatch: '*' }, undefined, undefined],
    ['If-Match other', { ifMatch: '"x"' }, 'PreconditionFailed', 'PreconditionFailed'],
    ['If-Match weak', { ifMatch: 'W/"abc"' }, 'PreconditionFailed', 'PreconditionFailed'],
    ['If-Match empty', { ifMatch: '' }, 'PreconditionFailed', 'PreconditionFailed'],
    ['If-None-Match equal', { ifNoneMatch: '"abc"' }, 'NotModified', 'PreconditionFailed'],
    ['If-None-Match weak', { ifNoneMatch: 'W/"abc"' }, 'NotModified', 'PreconditionFailed'],
    ['If-None-Match *', { ifNoneMatch: '*' }, 'NotModified', 'PreconditionFailed'],
    ['If-None-Match other', { ifNoneMatch: '"x"' }, undefined, undefined],
    ['If-Modified-Since same second', { ifModifiedSince: same }, 'NotModified', undefined],
    ['If-Modified-Since before', { ifModifiedSince: before }, undefined, undefined],
    ['If-Modified-Since after', { ifModifiedSince: after }, 'NotModified', undefined],
    ['If-Modified-Since garbage', { ifModifiedSince: 'tomorrow' }, undefined, undefined],
    ['If-Unmodified-Since same second', { ifUnmodifiedSince: same }, undefined, undefined],
    ['If-Unmodified-Since before', { ifUnmodifiedSince: before }, 'PreconditionFailed', 'PreconditionFailed'],
    ['If-Unmodified-Since garbage', { ifUnmodifiedSince: '5' }, undefined, undefined],
    // Precedence: the ETag condition silences the date condition of its kind (also in S3's own reference).
    ['If-Match true, If-Unmodified-Since false', { ifMatch: '"abc"', ifUnmodifiedSince: before }, undefined, undefined],
    [
      'If-None-Match true, If-Modified-Since false',
      { ifNoneMatch: '"x"', ifModifiedSince: after },
      undefined,
      undefined,
    ],
    [
      'If-None-Match false, If-Modified-Since true',
      { ifNoneMatch: '"abc"', ifModifiedSince: before },
      'NotModified',
      'PreconditionFailed',
    ],
    ['If-Match true, If-None-Match false', { ifMatch: '*', ifNoneMatch: '*' }, 'NotModified', 'PreconditionFailed'],
    [
      'If-Match false, If-None-Match false',
      { ifMatch: 'x', ifNoneMatch: '*' },
      'PreconditionFailed',
      'PreconditionFailed',
    ],
  ];
  for (const [name, conditions, get, put] of table) {
    it(name, () => {
      assert.equal(evaluateConditions(conditions, current, 'GET'), get);
      assert.equal(evaluateConditions(conditions, current, 'HEAD'), get);
      assert.equal(evaluateConditions(conditions, current, 'PUT'), put);
      assert.equal(evaluateConditions(conditions, current, 'POST'), put);
      assert.equal(evaluateConditions(conditions, current, 'DELETE'), put);
    });
  }
});

describe('evaluateConditions without an object', () => {
  it('lets a write with If-None-Match pass', () => {
    assert.equal(evaluateConditions({ ifNoneMatch: '*' }, undefined, 'PUT'), undefined);
    assert.equal(evaluateConditions({ ifNoneMatch: '"abc"' }, undefined, 'PUT'), undefined);
  });

  it('fails If-Match as S3 does', () => {
    assert.equal(evaluateConditions({ ifMatch: '*' }, undefined, 'PUT'), 'NoSuchKey');
    assert.equal(evaluateConditions({ ifMatch: '"abc"' }, undefined, 'POST'), 'NoSuchKey');
    assert.equal(evaluateConditions({ ifMatch: '"abc"' }, undefined, 'DELETE'), 'PreconditionFailed');
  });

  it('ignores dates', () => {
    assert.equal(evaluateConditions({ ifUnmodifiedSince: before }, undefined, 'PUT'), undefined);
  });
});

describe('parseHttpDate', () => {
  const epochMs = 784_111_777_000; // RFC 9110 section 5.6.7: one time in all three forms
  const table: [string, number | undefined][] = [
    ['Sun, 06 Nov 1994 08:49:37 GMT', epochMs],
    ['Sunday, 06-Nov-94 08:49:37 GMT', epochMs],
    ['Sun Nov  6 08:49:37 1994', epochMs],
    ['1994-11-06T08:49:37Z', epochMs],
    ['1994-11-06T08:49:37.250Z', epochMs + 250],
    ['Sunday, 06-Nov-26 08:49:37 GMT', Date.UTC(2026, 10, 6, 8, 49, 37)],
    ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
    ['1994', undefined],
    ['', undefined],
    ['0', undefined],
    ['Nov 6 1994', undefined],
  ];
  for (const [text, timeMs] of table) it(`reads '${text}'`, () => assert.equal(parseHttpDate(text), timeMs));
});

describe('requestConditions', () => {
  it('picks the four headers', () => {
    assert.deepEqual(requestConditions({ 'if-match': 'a', range: 'x' }), { ifMatch: 'a' });
    assert.deepEqual(
      requestConditions({ 'if-none-match': 'b', 'if-modified-since': 'c', 'if-unmodified-since': 'd' }),
      { ifNoneMatch: 'b', ifModifiedSince: 'c', ifUnmodifiedSince: 'd' },
    );
  });
});

describe('If-Range', () => {
  const shown = { etag: '"abc"', lastModified: same };

  it('holds without a validator, and for one that is strong and of this very object', () => {
    for (const header of [undefined, '"abc"', ' "abc" ', same, '2026-01-02T03:04:05Z']) {
      assert.equal(ifRangeHolds(header, shown), true, String(header));
    }
  });

  it('does not hold for any other', () => {
    for (const header of ['"x"', 'W/"abc"', '*', '', 'abc', before, after, 'tomorrow']) {
      assert.equal(ifRangeHolds(header, shown), false, header);
    }
    assert.equal(ifRangeHolds('"abc"', { ...shown, etag: 'W/"abc"' }), false);
  });
});
