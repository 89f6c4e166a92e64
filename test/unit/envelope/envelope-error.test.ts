import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { AeadError } from '../../../src/crypto/aead.ts';
import { FloeError } from '../../../src/crypto/floe.ts';
import { EnvelopeError, authenticated, authenticationFailed } from '../../../src/envelope/envelope-error.ts';

function thrownBy(error: unknown): unknown {
  try {
    return authenticated(() => {
      throw error;
    });
  } catch (caught) {
    return caught;
  }
}

describe('authenticated', () => {
  it('makes one error of all that does not authenticate, which keeps the cause and tells nothing of it', () => {
    const causes = [
      new AeadError(),
      new FloeError('header_invalid', 'a'),
      new FloeError('segment_invalid', 'b'),
      new FloeError('parameters_unsupported', 'c'),
      new FloeError('truncated', 'd'),
    ];
    for (const cause of causes) {
      const error = thrownBy(cause);
      assert.ok(error instanceof EnvelopeError);
      assert.equal(error.code, 'authentication_failed');
      assert.equal(error.message, authenticationFailed().message);
      assert.equal(error.cause, cause);
    }
  });

  it('lets mistakes of the program pass, and results', () => {
    for (const error of [new FloeError('closed', 'disposed'), new RangeError('a'), 'text']) {
      assert.equal(thrownBy(error), error);
    }
    assert.equal(
      authenticated(() => 5),
      5,
    );
  });
});
