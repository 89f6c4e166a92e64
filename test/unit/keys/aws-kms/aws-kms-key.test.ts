import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

import { systemClock } from '../../../../src/base/clock.ts';
import { systemRandom } from '../../../../src/crypto/random.ts';
import { AwsKmsKey } from '../../../../src/keys/aws-kms/aws-kms-key.ts';
import type { AwsKmsOptions } from '../../../../src/keys/aws-kms/kms-options.ts';
import { DataKeys } from '../../../../src/keys/data-keys.ts';
import { DualReadWindow } from '../../../../src/keys/dual-read-window.ts';
import { Kek } from '../../../../src/keys/kek.ts';
import { noKeyEvents } from '../../../../src/keys/key-events.ts';
import { KeyError, type KeyErrorCode } from '../../../../src/keys/key-provider.ts';
import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import { FakeKms } from '../../../support/fake-kms.ts';
import { context, keyError } from '../support.ts';

const secret = 'known-secret-access-key-0123456789abcdef';

function plain(): SecretBytes {
  return new SecretBytes(new Uint8Array(32).fill(9));
}

describe('a key of AWS KMS', () => {
  let kms: FakeKms;
  let arn: string;
  const opened: AwsKmsKey[] = [];

  beforeEach(async () => {
    kms = await FakeKms.start();
    arn = kms.createKey();
    kms.pointAlias('alias/s3eg', arn);
  });
  afterEach(async () => {
    for (const key of opened.splice(0)) await key.close();
    await kms.down();
  });

  const open = async (options: Partial<AwsKmsOptions> = {}): Promise<AwsKmsKey> => {
    const key = await AwsKmsKey.open({
      name: 'aws',
      keyId: 'alias/s3eg',
      previousKeyIds: [],
      region: 'eu-central-1',
      endpoint: kms.address,
      // As the settings are.
      credentials: Object.freeze({ accessKeyId: 'AKIATEST', secretAccessKey: secret }),
      timeoutMs: 1000,
      retries: 2,
      ...options,
    });
    opened.push(key);
    return key;
  };
  /** What the version of a key is now, as docs/format/key-services.md says it. */
  const versionOf = (keyArn: string): string =>
    `${keyArn.replace(/eu-central-1(?=.*mrk-)/, '')}#${kms.currentMaterialId(keyArn).slice(0, 16)}`;

  test('has the key’s ARN and its material as its version, by alias, by id and by ARN', async () => {
    for (const keyId of ['alias/s3eg', arn.slice(arn.lastIndexOf('/') + 1), arn]) {
      const key = await open({ keyId });
      assert.deepEqual(await key.describe(), { versions: [versionOf(arn)] });
      assert.equal((await key.wrap(plain(), context)).version, versionOf(arn));
      const { key: made, wrapped } = await key.makeKey(context);
      using read = await key.unwrap(wrapped, context);
      assert.deepEqual([wrapped.version, read.equals(made)], [versionOf(arn), true]);
    }
  });

  test('has the ARN alone as its version where the service tells no material, in one operation or in all', async () => {
    kms.tellsMaterials = false;
    const key = await open();
    assert.deepEqual(await key.describe(), { versions: [arn] });
    assert.equal((await key.wrap(plain(), context)).version, arn);
    const { wrapped } = await key.makeKey(context);
    assert.equal(wrapped.version, arn);
    await assert.rejects(key.rotate(), /gives no id for/);
    assert.equal(kms.count('RotateKeyOnDemand'), 0);
    kms.tellsMaterials = true;
    assert.deepEqual(await key.describe(), { versions: [arn] }, 'what it says of one version never changes');
    using read = await key.unwrap(wrapped, context);
    assert.equal(read.bytes.length, 32);
  });

  test('reads under all material of a key, tells it apart, and takes one for another never', async () => {
    const key = await open();
    const first = await key.makeKey(context);
    kms.rotateAutomatically(arn);
    const second = await key.makeKey(context);
    assert.notEqual(first.wrapped.version, second.wrapped.version);
    assert.deepEqual(await key.describe(), { versions: [second.wrapped.version] });
    const window = new DualReadWindow(key, { readPrevious: 0 });
    // As a build wrote it that knew no material.
    const early = { ...first.wrapped, version: arn };
    for (const [made, wrapped] of [
      [first.key, first.wrapped],
      [second.key, second.wrapped],
      [first.key, early],
    ] as const) {
      using read = await window.unwrap(wrapped, context);
      assert.ok(read.equals(made), wrapped.version);
    }
    const swapped = [
      { ...first.wrapped, version: second.wrapped.version },
      { ...second.wrapped, version: first.wrapped.version },
    ];
    for (const wrapped of swapped) await assert.rejects(window.unwrap(wrapped, context), keyError('wrong_key'));
    for (const version of [`${arn}#`, `${arn}#0123`, `${first.wrapped.version}0`, `${arn}#${'g'.repeat(16)}`]) {
      await assert.rejects(window.unwrap({ ...first.wrapped, version }, context), keyError('not_found'));
    }
  });

  test('counts reads under older material, and under none that is known, as previous ones', async () => {
    const provider = new DualReadWindow(await open(), { readPrevious: 0 });
    const kek = new Kek(provider, { clock: systemClock, events: noKeyEvents });
    const { signal } = new AbortController();
    const first = await kek.makeKey(context, systemRandom, signal);
    assert.equal(await kek.ageOf(first.wrapped.version), 'current');
    kms.rotateAutomatically(arn);
    const second = await kek.makeKey(context, systemRandom, signal);
    // The description is renewed behind it.
    while ((await kek.ageOf(second.wrapped.version)) !== 'current') await delay(5);
    assert.equal(await kek.ageOf(first.wrapped.version), 'previous');
    assert.equal(await kek.ageOf(arn), 'previous');
    assert.equal(await kek.ageOf(kms.createKey()), 'unknown');
  });

  describe('on-demand rotation', () => {
    test('is asked for once, waits until the new material is current, and names it', async () => {
      const key = await open();
      const { wrapped } = await key.makeKey(context);
      kms.rotationTakesCalls = 2;
      const version = await key.rotate();
      assert.equal(version, versionOf(arn));
      assert.notEqual(version, wrapped.version);
      assert.equal(kms.count('RotateKeyOnDemand'), 1);
      assert.equal((await key.makeKey(context)).wrapped.version, version);
    });

    for (const [name, code, advice] of [
      ['LimitExceededException', 'denied', /it has 25: make a new key, and switch the alias/],
      ['ConflictException', 'unavailable', /an automatic rotation is in progress/],
      ['AccessDeniedException', 'denied', /kms:RotateKeyOnDemand/],
      ['UnsupportedOperationException', 'misconfigured', /cannot do that/],
      ['KMSInvalidStateException', 'denied', /no imported material to rotate to/],
      ['KMSInternalException', 'unavailable', /it may have begun: see which version is current/],
    ] as const) {
      test(`that fails with ${name} is not tried again, and the error says what to do`, async () => {
        const key = await open({ retries: 5 });
        kms.failing.set('RotateKeyOnDemand', { name });
        await assert.rejects(key.rotate(), (error) => {
          assert.ok(keyError(code)(error) && error instanceof Error);
          assert.match(error.message, advice);
          assert.ok(error.message.includes(arn) && error.message.includes(name));
          assert.equal(/may have begun/.test(error.message), name === 'KMSInternalException');
          return true;
        });
        assert.equal(kms.count('RotateKeyOnDemand'), 1);
      });
    }

    test('is not begun for a key that cannot have it, and the error says why', async () => {
      const primary = 'arn:aws:kms:us-east-1:111122223333:key/mrk-1234';
      const replica = { MultiRegionKeyType: 'REPLICA', PrimaryKey: { Arn: primary, Region: 'us-east-1' } };
      for (const [more, reason] of [
        [{ KeyUsage: 'SIGN_VERIFY', KeySpec: 'RSA_2048' }, /a symmetric key for ENCRYPT_DECRYPT is needed/],
        [{ CustomKeyStoreId: 'cks-1' }, /custom key store/],
        [{ KeyManager: 'AWS' }, /managed by AWS/],
        [{ MultiRegion: true, MultiRegionConfiguration: replica }, new RegExp(`rotate the primary key, ${primary}`)],
        [{ KeyState: 'Disabled' }, /is disabled/],
      ] as const) {
        const key = await open({ keyId: kms.createKey({ more }) });
        await assert.rejects(key.rotate(), (error) => {
          assert.ok(keyError('misconfigured')(error) && error instanceof Error);
          assert.match(error.message, reason);
          return true;
        });
      }
      assert.equal(kms.count('RotateKeyOnDemand'), 0);
    });

    test('is not begun while another one is in progress', async () => {
      const key = await open();
      kms.rotationTakesCalls = Infinity;
      const controller = new AbortController();
      const first = key.rotate(controller.signal);
      while (kms.count('RotateKeyOnDemand') === 0) await delay(5);
      await assert.rejects(key.rotate(), /in progress since 2026-01-02T00:00:00.000Z: no other one was begun/);
      controller.abort(new Error('nobody waits'));
      await assert.rejects(first);
      assert.equal(kms.count('RotateKeyOnDemand'), 1);
    });
  });

  describe('switching the alias', () => {
    test('makes another key current, by its id or ARN, and what is under the old one is read', async () => {
      const [second, third] = [kms.createKey(), kms.createKey()];
      const key = await open({ previousKeyIds: [arn, second] });
      const { key: made, wrapped } = await key.makeKey(context);
      assert.equal(await key.switchTo(second), versionOf(second));
      assert.equal(await key.switchTo(third.slice(third.lastIndexOf('/') + 1)), versionOf(third));
      assert.equal((await key.makeKey(context)).wrapped.version, versionOf(third));
      assert.deepEqual((await key.describe()).versions, [versionOf(third), arn, second]);
      using read = await key.unwrap(wrapped, context);
      assert.ok(read.equals(made));
    });

    test('also by the ARN of an alias, unless the key is in another account', async () => {
      const aliasArn = 'arn:aws:kms:eu-central-1:111122223333:alias/s3eg';
      const key = await open({ keyId: aliasArn, previousKeyIds: [arn] });
      const next = kms.createKey();
      assert.equal(await key.switchTo(next), versionOf(next));
      const elsewhere = await open({ keyId: aliasArn.replace('111122223333', '999999999999'), previousKeyIds: [next] });
      await assert.rejects(elsewhere.switchTo(arn), /is not in the account and Region of/);
    });

    test('is refused, with what to do, where objects or the gateway could not go on', async () => {
      const next = kms.createKey();
      for (const [options, to, reason] of [
        [{ previousKeyIds: [] }, next, new RegExp(`put ${arn} into previousKeyIds of every gateway`)],
        [{ keyId: arn, previousKeyIds: [arn] }, next, /is no alias .* put it into previousKeyIds/],
        [{ previousKeyIds: [arn] }, arn, /what the alias means already/],
        [{ previousKeyIds: [arn] }, kms.createKey({ more: { KeyState: 'Disabled' } }), /is disabled/],
        [{ previousKeyIds: [arn] }, kms.createKey({ more: { KeyUsage: 'SIGN_VERIFY' } }), /usage SIGN_VERIFY/],
        [{ previousKeyIds: [arn] }, 'no-such-key', /there is no such key/],
      ] as const) {
        const key = await open(options);
        await assert.rejects(key.switchTo(to), (error) => {
          assert.ok(keyError('misconfigured')(error) && error instanceof Error);
          assert.match(error.message, reason);
          return true;
        });
      }
      assert.equal(kms.count('UpdateAlias'), 0);
    });
  });

  test('puts previous keys behind the current one, each once, and asks for none whose ARN is given', async () => {
    const old = kms.createKey();
    const byId = kms.createKey();
    const key = await open({ previousKeyIds: [arn, old, byId.slice(byId.lastIndexOf('/') + 1)] });
    assert.deepEqual(await key.describe(), { versions: [versionOf(arn), old, byId] });
    assert.equal(kms.count('DescribeKey'), 2);
    await key.describe();
    assert.equal(kms.count('DescribeKey'), 3, 'an id means the same key for ever, an alias does not');
  });

  test('reads on after an alias was switched where the old key is among the previous ones, and else says where to put it', async () => {
    const key = await open({ previousKeyIds: [arn] });
    const forgetful = await open();
    const wrapped = await key.wrap(plain(), context);
    const next = kms.createKey();
    kms.pointAlias('alias/s3eg', next);
    assert.equal((await key.wrap(plain(), context)).version, versionOf(next));
    using read = await key.unwrap(wrapped, context);
    assert.ok(read.equals(plain()));
    await assert.rejects(forgetful.unwrap(wrapped, context), (error) => {
      assert.ok(keyError('not_found')(error) && error instanceof Error);
      assert.match(error.message, /previousKeyIds/);
      assert.ok(error.message.includes(arn));
      return true;
    });
  });

  test('opens in one Region what a replica of a multi-Region key wrapped in another', async () => {
    const multi = kms.createKey({ multiRegion: true });
    const key = await open({ keyId: multi });
    const { version, ciphertext } = await key.wrap(plain(), context);
    assert.equal(version, versionOf(multi));
    // What the envelope of an object that was written elsewhere holds.
    const elsewhere = await open({ keyId: multi.replace('eu-central-1', 'us-east-1'), region: 'eu-central-1' });
    kms.pointAlias('alias/multi', multi);
    const byAlias = await open({ keyId: 'alias/multi', previousKeyIds: [multi.replace('eu-central-1', 'us-east-1')] });
    assert.deepEqual(await byAlias.describe(), { versions: [version] });
    for (const reader of [byAlias, elsewhere]) {
      using read = await reader.unwrap({ version, ciphertext }, context);
      assert.ok(read.equals(plain()));
    }
  });

  test('tells in health what is wrong with the key', async () => {
    const key = await open();
    assert.deepEqual(await key.health(), { ok: true });
    for (const [state, reason] of [
      ['Disabled', /disabled/],
      ['PendingDeletion', /pending deletion on 2030-01-02/],
      ['PendingImport', /no key material/],
    ] as const) {
      kms.setState(arn, state);
      const { ok, reason: told = '' } = await key.health();
      assert.deepEqual([ok, reason.test(told), told.includes('alias/s3eg')], [false, true, true], told);
    }
    kms.setState(arn, 'Enabled');
    kms.refusal = { name: 'AccessDeniedException', message: 'User: x is not authorized to perform: kms:DescribeKey' };
    assert.match((await key.health()).reason ?? '', /kms:DescribeKey/);
    kms.refusal = undefined;
    assert.match((await (await open({ keyId: 'alias/none' })).health()).reason ?? '', /no such key or alias/);
    const calls = kms.calls.length;
    await kms.down();
    assert.match((await key.health()).reason ?? '', /no answer/);
    await kms.up();
    assert.deepEqual(await key.health(), { ok: true });
    assert.equal(kms.calls.length, calls + 1, 'health tries once');
  });

  for (const [name, code] of [
    ['NotFoundException', 'misconfigured'],
    ['InvalidKeyUsageException', 'misconfigured'],
    ['DisabledException', 'denied'],
    ['KMSInvalidStateException', 'denied'],
    ['AccessDeniedException', 'denied'],
    ['UnrecognizedClientException', 'denied'],
    ['ExpiredTokenException', 'denied'],
    ['ThrottlingException', 'unavailable'],
    ['KeyUnavailableException', 'unavailable'],
    ['KMSInternalException', 'unavailable'],
    ['DependencyTimeoutException', 'unavailable'],
    ['SomethingNewException', 'unavailable'],
  ] as const satisfies readonly (readonly [string, KeyErrorCode])[]) {
    test(`says ${code} of ${name}, with the key and no secret`, async () => {
      const wrapped = await (await open()).wrap(plain(), context);
      kms.refusal = { name, message: 'why it is so' };
      const calls: readonly ((key: AwsKmsKey) => Promise<unknown>)[] = [
        (key) => key.wrap(plain(), context),
        (key) => key.makeKey(context),
        (key) => key.unwrap(wrapped, context),
        (key) => key.describe(),
      ];
      for (const call of calls) {
        // A client of its own: after a throttling each waits before its next call.
        await assert.rejects(call(await open({ retries: 0, keyId: arn })), (error) => {
          assert.ok(error instanceof KeyError && error.code === code, inspect(error));
          assert.ok(error.message.includes(arn));
          assert.ok(error.message.includes(name) && error.message.includes('why it is so'));
          assert.ok(!error.message.includes(secret));
          return true;
        });
      }
    });
  }

  test('says wrong_key of InvalidCiphertextException and IncorrectKeyException, which are about a ciphertext', async () => {
    const key = await open();
    const wrapped = await key.wrap(plain(), context);
    for (const name of ['InvalidCiphertextException', 'IncorrectKeyException']) {
      kms.failures.push({ name });
      await assert.rejects(key.unwrap(wrapped, context), keyError('wrong_key'));
    }
  });

  test('tries again, and later, when it is throttled or the service fails', async () => {
    const key = await open({ retries: 2, timeoutMs: 5000 });
    kms.failures.push({ name: 'ThrottlingException' }, { name: 'KMSInternalException', status: 500 });
    const startedMs = performance.now();
    await key.makeKey(context);
    assert.equal(kms.count('GenerateDataKey'), 3);
    assert.ok(performance.now() - startedMs > 20, 'with time between the tries');
    kms.failures.push(...Array.from({ length: 3 }, () => ({ name: 'ThrottlingException' })));
    await assert.rejects(key.makeKey(context), keyError('unavailable'));
  });

  test('does not try again what is refused', async () => {
    const key = await open({ retries: 5 });
    kms.refusal = { name: 'AccessDeniedException' };
    await assert.rejects(key.makeKey(context), keyError('denied'));
    assert.equal(kms.count('GenerateDataKey'), 1);
  });

  test('waits for a silent service twice its timeout at most, and no longer than its caller', async () => {
    const key = await open({ timeoutMs: 150, retries: 10 });
    kms.isSilent = true;
    const startedMs = performance.now();
    await assert.rejects(key.wrap(plain(), context), keyError('unavailable'));
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs >= 140 && tookMs < 2000, `${tookMs} ms`);
    const reason = new Error('the client has left');
    const controller = new AbortController();
    const call = key.wrap(plain(), context, controller.signal);
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(call, (error) => error === reason);
  });

  test('costs five calls at most for many objects in a bucket, and one for each where a bucket key serves one', async () => {
    for (const [maxObjects, objects, most] of [
      [100_000, 1000, 5],
      [1, 100, 104],
    ] as const) {
      kms.calls.length = 0;
      const provider = new DualReadWindow(await open(), { readPrevious: 3 });
      const settings = { ttlMs: 300_000, offlineTtlMs: 0, maxObjects, maxBytes: 2 ** 40 };
      const keys = new DataKeys(new Map([['aws', provider]]), settings);
      for (let number = 0; number < objects; number++) {
        await keys.wrap(plain(), { keyName: 'aws', context, aad: Buffer.from(`${number}`), bytes: 100 });
      }
      keys.close();
      assert.ok(kms.calls.length <= most, `${kms.calls.length} calls`);
      assert.equal(kms.count('GenerateDataKey'), Math.ceil(objects / maxObjects));
      assert.equal(kms.count('Encrypt'), 0);
    }
  });

  describe('credentials', () => {
    const variables = { AWS_ACCESS_KEY_ID: 'AKIAENVIRONMENT', AWS_SECRET_ACCESS_KEY: secret };
    const before_ = { ...process.env };
    before(() => Object.assign(process.env, variables));
    after(() => {
      for (const name of Object.keys(variables)) {
        const value = before_[name];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });

    test('come from the environment where none are given', async () => {
      // `credentials: undefined` is what the key has where the configuration says aws-default.
      const { credentials: _, ...options } = { credentials: undefined, keyId: 'alias/s3eg' };
      const key = await AwsKmsKey.open({
        ...options,
        name: 'aws',
        previousKeyIds: [],
        region: 'eu-central-1',
        endpoint: kms.address,
        timeoutMs: 1000,
        retries: 0,
      });
      opened.push(key);
      await key.describe();
      assert.deepEqual(kms.signers, ['AKIAENVIRONMENT']);
    });
  });
});
