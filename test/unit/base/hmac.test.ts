import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';

import { hmac, hmacHex, hmacOfSecret } from '../../../src/base/hmac.ts';

for (const name of ['sha256', 'sha384'] as const) {
  describe(`hmac of ${name}`, () => {
    it('is the HMAC of OpenSSL for keys and messages around every border', () => {
      const lengths = [0, 1, 31, 32, 47, 48, 63, 64, 65, 111, 112, 127, 128, 129, 239, 240, 895, 896, 897, 2000];
      for (const keyBytes of lengths) {
        for (const messageBytes of lengths) {
          const key = Buffer.alloc(keyBytes, `key ${keyBytes}`);
          const message = Buffer.alloc(messageBytes, `message ${messageBytes}`);
          const expected = createHmac(name, key).update(message).digest();
          assert.deepEqual(hmac(name, key, [message]), expected, `key ${keyBytes}, message ${messageBytes}`);
          assert.deepEqual(hmacOfSecret(name, key, [message]), expected, `key ${keyBytes}, message ${messageBytes}`);
          assert.equal(hmacHex(name, key, message.toString()), expected.toString('hex'));
          const middle = messageBytes >> 1;
          const pieces = [message.subarray(0, middle), message.subarray(middle)];
          assert.deepEqual(hmac(name, key, pieces), expected, `key ${keyBytes}, message ${messageBytes} in two`);
        }
      }
    });

    it('is that of the UTF-8 of a text', () => {
      for (const text of ['é'.repeat(298), 'é'.repeat(448), '€'.repeat(299), '😀'.repeat(200), 'a€😀'.repeat(100)]) {
        assert.equal(hmacHex(name, Buffer.from('key'), text), createHmac(name, 'key').update(text).digest('hex'));
      }
    });

    it('is not disturbed by what was hashed before it', () => {
      const expected = createHmac(name, 'short').update('short').digest();
      hmac('sha384', Buffer.alloc(128, 0xff), [Buffer.alloc(896, 0xff)]);
      hmac('sha256', Buffer.alloc(64, 0xff), [Buffer.alloc(896, 0xff)]);
      assert.deepEqual(hmac(name, Buffer.from('short'), [Buffer.from('short')]), expected);
    });
  });
}
