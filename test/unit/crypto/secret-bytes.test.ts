import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { format, inspect } from 'node:util';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { needs } from '../../support/gaps.ts';

const canary = Buffer.from('canary-5f3c9a7e1b2d4860-canary!!');

/** The ways the 32 bytes could look like in text. */
const forms = [
  canary.toString('latin1'),
  canary.toString('hex'),
  canary.toString('base64'),
  [...canary.subarray(0, 4)].join(','),
  [...canary.subarray(0, 4)].join(', '),
  canary.toString('hex', 0, 4).replaceAll(/(..)(?!$)/g, '$1 '),
  `"0":${canary[0]}`,
];

function consoleOutput(write: (target: Console) => void): string {
  const output = new PassThrough();
  write(new Console(output, output));
  return String(output.read());
}

function assertNotIn(text: string): void {
  for (const form of forms) assert.ok(!text.includes(form), `${form} in ${text}`);
}

describe('SecretBytes', () => {
  it('never prints', () => {
    const secret = SecretBytes.copyOf(canary);
    const nested = { list: [secret], map: new Map([['key', secret]]) };
    const error = new Error(`cannot use ${String(secret)}`, { cause: secret });
    const printed = [
      String(secret),
      `a ${secret.toString()} b`,
      JSON.stringify(secret),
      JSON.stringify(nested),
      inspect(secret),
      inspect(nested, { depth: null, showHidden: true, getters: true }),
      inspect(error, { depth: null }),
      format('%s %o %O %j', secret, secret, secret, secret),
      consoleOutput((target) => target.log(secret, nested)),
      consoleOutput((target) => target.dir(secret, { depth: 5, showHidden: true })),
      JSON.stringify(Object.assign({}, secret)),
      JSON.stringify(structuredClone(secret)),
    ];
    for (const text of printed) assertNotIn(text);
    assert.equal(String(secret), '[secret]');
    assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}');
    assert.equal(Object.keys(secret).length, 0);
  });

  it('never prints as a table', needs('consoleTable'), () => {
    const secret = SecretBytes.copyOf(canary);
    const nested = { list: [secret], map: new Map([['key', secret]]) };
    const text = consoleOutput((target) => target.table([secret, nested]));
    assert.ok(text.includes('list'));
    assertNotIn(text);
  });

  it('zeroes its own memory on dispose and refuses use afterwards', () => {
    const memory = Buffer.from(canary);
    const secret = new SecretBytes(memory);
    const clone = secret.clone();
    secret.dispose();
    secret.dispose();
    assert.deepEqual(memory, Buffer.alloc(32));
    assert.equal(secret.disposed, true);
    assert.throws(() => secret.bytes);
    assert.throws(() => secret.equals(clone));
    assert.throws(() => secret.clone());
    assert.deepEqual(Buffer.from(clone.bytes), canary);
  });

  it('is disposed at the end of a using block', () => {
    const memory = Buffer.from(canary);
    {
      using secret = new SecretBytes(memory);
      assert.equal(secret.disposed, false);
    }
    assert.deepEqual(memory, Buffer.alloc(32));
  });

  it('copies where it says so', () => {
    const source = Buffer.from(canary);
    using secret = SecretBytes.copyOf(source);
    source.fill(1);
    assert.deepEqual(Buffer.from(secret.bytes), canary);
  });

  it("copies and clones to memory outside of V8's heap, which leaves copies where it collects", () => {
    using secret = SecretBytes.copyOf(canary);
    using clone = secret.clone();
    // An array on the heap gets a buffer of its own length when it is asked for one.
    for (const { bytes } of [secret, clone]) assert.ok(bytes.buffer.byteLength > bytes.length);
    const { bytes } = secret;
    clone.dispose();
    assert.deepEqual(Buffer.from(bytes), canary, 'neighbours in it are left alone');
  });

  it('compares content and length', () => {
    using secret = SecretBytes.copyOf(canary);
    const changed = Buffer.from(canary);
    changed.writeUInt8(changed.readUInt8(31) ^ 1, 31);
    assert.ok(secret.equals(SecretBytes.copyOf(canary)));
    assert.ok(!secret.equals(SecretBytes.copyOf(changed)));
    assert.ok(!secret.equals(SecretBytes.copyOf(canary.subarray(1))));
  });
});
