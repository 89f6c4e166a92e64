import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { EnvelopeError, type EnvelopeErrorCode } from '../../../src/envelope/envelope-error.ts';
import { HttpBodyError } from '../../../src/http/exchange.ts';
import { KeyRefusedError } from '../../../src/keys/key-errors.ts';
import { KeyError, type KeyErrorCode } from '../../../src/keys/key-provider.ts';
import { decryptionFailureReason, toS3Error } from '../../../src/operations/failure.ts';
import { renderError } from '../../../src/s3/error-document.ts';
import { s3Error } from '../../../src/s3/s3-error.ts';

const detail = 'detail that is for the log alone';

const envelopeCodes: readonly EnvelopeErrorCode[] = [
  'not_format_1',
  'malformed',
  'unsupported',
  'authentication_failed',
  'truncated',
  'size_mismatch',
];

/** All that a client is sent. */
function answerTo(error: unknown): string {
  const { status, headers, body } = renderError(toS3Error(error), { resource: '/b/k', requestId: 'ID', hostId: 'h' });
  return `${status} ${JSON.stringify(headers)} ${body}`;
}

describe('what a client is told of a failure', () => {
  it('is the same whatever was wrong with the stored bytes', () => {
    const errors = [...envelopeCodes.map((code) => new EnvelopeError(code, detail)), new KeyError('wrong_key', detail)];
    const answers = new Set(errors.map(answerTo));
    assert.equal(answers.size, 1, [...answers].join('\n'));
    const [answer = ''] = answers;
    assert.match(answer, /^500 .*<Code>ObjectCorrupted<\/Code>/s);
    assert.ok(!answer.includes(detail));
  });

  it('tells a key that is away from one that may not be used', () => {
    const outcomes = (
      ['unavailable', 'not_found', 'outside_window', 'denied', 'misconfigured'] satisfies KeyErrorCode[]
    ).map((code) => {
      const { status, code: s3Code, headers } = toS3Error(new KeyError(code, 'key "k" version 3'));
      return [code, status, s3Code, headers['retry-after']];
    });
    assert.deepEqual(outcomes, [
      ['unavailable', 503, 'KeyUnavailable', '5'],
      ['not_found', 403, 'KeyVersionNotReadable', undefined],
      ['outside_window', 403, 'KeyVersionNotReadable', undefined],
      ['denied', 500, 'InternalError', undefined],
      ['misconfigured', 500, 'InternalError', undefined],
    ]);
  });

  it('names key and version of a refusal and what to do, and nothing of what the key service said', () => {
    for (const [code, advice] of [
      ['denied', /does not let the gateway use version "7" of key "k": enable it there/],
      ['misconfigured', /version "7" of key "k" cannot be used as it is configured: s3eg keys status/],
    ] as const) {
      const refused = new KeyRefusedError(new KeyError(code, detail), 'k', '7');
      const { status, code: s3Code, message } = toS3Error(refused);
      assert.deepEqual([status, s3Code], [500, 'InternalError']);
      assert.match(message, advice);
      assert.ok(!answerTo(refused).includes(detail));
      assert.ok(
        refused.message.startsWith('version "7" of key "k" cannot be used: ') && refused.message.includes(detail),
      );
    }
    assert.ok(!answerTo(new KeyError('denied', detail)).includes(detail));
  });

  it('is S3’s own word where the client stalled, left or broke the framing', () => {
    const codes = (['idle_timeout', 'aborted', 'malformed'] as const).map(
      (code) => toS3Error(new HttpBodyError(code, detail)).code,
    );
    assert.deepEqual(codes, ['RequestTimeout', 'IncompleteBody', 'IncompleteBody']);
  });

  it('is nothing but an internal error where nobody thought of it', () => {
    for (const error of [new TypeError(detail), detail, undefined, { code: 'unavailable', message: detail }]) {
      const answer = answerTo(error);
      assert.match(answer, /^500 .*<Code>InternalError<\/Code>/s);
      assert.ok(!answer.includes(detail));
    }
    const own = s3Error('NoSuchKey');
    assert.equal(toS3Error(own), own);
  });
});

describe('the reason of a failed decryption', () => {
  it('is the code of what failed, also behind an S3 error', () => {
    for (const code of envelopeCodes) {
      const error = new EnvelopeError(code, detail);
      assert.equal(decryptionFailureReason(error), code);
      assert.equal(decryptionFailureReason(toS3Error(error)), code);
    }
    assert.equal(decryptionFailureReason(new KeyError('wrong_key', detail)), 'key_wrong_key');
    assert.equal(decryptionFailureReason(s3Error('ObjectNotEncrypted')), 'not_encrypted');
  });

  it('is none where the bytes were not at fault', () => {
    for (const error of [new KeyError('unavailable', detail), s3Error('NoSuchKey'), new TypeError(detail), undefined]) {
      assert.equal(decryptionFailureReason(error), undefined);
    }
  });
});
