import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { checkCanary, type CanaryStore } from '../../../src/keys/canary.ts';
import { DualReadWindow } from '../../../src/keys/dual-read-window.ts';
import { KeyError, type KeyProvider } from '../../../src/keys/key-provider.ts';
import { keyError, TestKeyService } from './support.ts';

/** A store in memory; `writes` has each write that changed something. */
function memoryStore() {
  const objects = new Map<string, Buffer>();
  const writes: string[] = [];
  const store: CanaryStore = {
    read: (name) => Promise.resolve(objects.get(name)),
    write(name, bytes, { replace }) {
      if (replace || !objects.has(name)) {
        objects.set(name, Buffer.from(bytes));
        writes.push(`${name}${replace ? ' replaced' : ''}`);
      }
      return Promise.resolve();
    },
  };
  return { store, objects, writes };
}

/** `key` under another name. */
function renamed(name: string, key: KeyProvider): KeyProvider {
  return {
    name,
    describe: (...call) => key.describe(...call),
    wrap: (...call) => key.wrap(...call),
    unwrap: (...call) => key.unwrap(...call),
    health: (...call) => key.health(...call),
    close: () => key.close(),
  };
}

async function refusal(promise: Promise<void>): Promise<KeyError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof KeyError && error.code === 'misconfigured', String(error));
    return error;
  }
  return assert.fail('was accepted');
}

test('the first start leaves a canary, and each later start opens it', async () => {
  const { store, objects, writes } = memoryStore();
  const provider = new TestKeyService();
  await checkCanary({ provider, store });
  assert.deepEqual(writes, ['main']);
  await checkCanary({ provider, store });
  await checkCanary({ provider, store });
  assert.deepEqual(writes, ['main']);
  const document: unknown = JSON.parse(String(objects.get('main')));
  assert.ok(typeof document === 'object' && document !== null);
  assert.deepEqual(Object.keys(document), ['version', 'key', 'keyVersion', 'wrapped', 'sha256']);
});

test('the canary shows nothing of what was wrapped but its digest', async () => {
  const { store, objects } = memoryStore();
  const secret = randomBytes(32);
  const memory = new Uint8Array(secret);
  await checkCanary({ provider: new TestKeyService(), store, random: () => memory });
  const text = String(objects.get('main'));
  for (const encoding of ['hex', 'base64', 'latin1'] as const) assert.ok(!text.includes(secret.toString(encoding)));
  assert.ok(text.includes(createHash('sha256').update(secret).digest('base64')));
  assert.ok(
    memory.every((byte) => byte === 0),
    'the plaintext is zeroed',
  );
});

test('another key under the same name is refused, whatever its versions are called', async () => {
  const { store, writes } = memoryStore();
  await checkCanary({ provider: new TestKeyService(), store });
  const sameVersion = await refusal(checkCanary({ provider: new TestKeyService(), store }));
  assert.match(sameVersion.message, /^key "main" is not the key that the stored objects are encrypted with/);
  assert.match(sameVersion.message, /version "v1"/);
  assert.match(sameVersion.message, /Put the right key back/);
  assert.ok(keyError('wrong_key')(sameVersion.cause));
  assert.deepEqual(writes, ['main'], 'the canary stays');
});

test('an older copy of the key, which lacks the version in use, is refused', async () => {
  const { store } = memoryStore();
  const provider = new TestKeyService();
  provider.addVersion();
  await checkCanary({ provider, store });
  const old = new TestKeyService();
  const error = await refusal(checkCanary({ provider: old, store }));
  assert.ok(keyError('not_found')(error.cause));
});

test('two keys that were swapped are both refused', async () => {
  const { store } = memoryStore();
  const [a, b] = [new TestKeyService('a'), new TestKeyService('b')];
  await checkCanary({ provider: a, store });
  await checkCanary({ provider: b, store });
  await refusal(checkCanary({ provider: renamed('a', b), store }));
  await refusal(checkCanary({ provider: renamed('b', a), store }));
});

test('a canary of another key, put in the place of this one, is refused', async () => {
  const { store, objects } = memoryStore();
  const provider = new TestKeyService('main');
  await checkCanary({ provider: new TestKeyService('other'), store });
  objects.set('main', objects.get('other') ?? Buffer.alloc(0));
  assert.match((await refusal(checkCanary({ provider, store }))).message, /that of another key/);
});

test('a key that does not encrypt is refused before anything is written', async () => {
  const broken: Readonly<Record<string, (key: SecretBytes) => Uint8Array>> = {
    'gives zeros': () => new Uint8Array(60),
    'gives the key itself': (key) => Uint8Array.from(key.bytes),
    'gives the key with a frame': (key) => Buffer.concat([Buffer.from('head'), key.bytes, Buffer.from('tail')]),
  };
  for (const [what, wrap] of Object.entries(broken)) {
    const { store, writes } = memoryStore();
    const provider = new TestKeyService();
    provider.wrap = (key) => Promise.resolve({ version: 'v1', ciphertext: wrap(key) });
    const { message } = await refusal(checkCanary({ provider, store }));
    assert.match(message, /does not encrypt: do not use it/, what);
    assert.deepEqual(writes, []);
  }
});

test('a key that gives back something else is refused before anything is written', async () => {
  const { store, writes } = memoryStore();
  const provider = new TestKeyService();
  provider.unwrap = () => Promise.resolve(new SecretBytes(randomBytes(32)));
  assert.match((await refusal(checkCanary({ provider, store }))).message, /does not give back what it wrapped/);
  assert.deepEqual(writes, []);
});

test('a canary that opens to something else is refused', async () => {
  const { store, objects } = memoryStore();
  const provider = new TestKeyService();
  await checkCanary({ provider, store });
  const text = String(objects.get('main')).replace(
    /"sha256":"[^"]+"/,
    `"sha256":"${randomBytes(32).toString('base64')}"`,
  );
  objects.set('main', Buffer.from(text));
  assert.match((await refusal(checkCanary({ provider, store }))).message, /it opens to something else/);
});

test('of two replicas that start at once the first one’s canary counts for both', async () => {
  const { store, writes } = memoryStore();
  const provider = new TestKeyService();
  await Promise.all([checkCanary({ provider, store }), checkCanary({ provider, store })]);
  assert.deepEqual(writes, ['main']);
  await checkCanary({ provider, store });
});

test('of two replicas with different keys that start at once one is refused', async () => {
  const { store, writes } = memoryStore();
  const results = await Promise.allSettled([
    checkCanary({ provider: new TestKeyService(), store }),
    checkCanary({ provider: new TestKeyService(), store }),
  ]);
  assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  assert.deepEqual(writes, ['main']);
});

test('a store that does not keep what is written is noticed', async () => {
  const provider = new TestKeyService();
  const store: CanaryStore = { read: () => Promise.resolve(undefined), write: () => Promise.resolve() };
  assert.match((await refusal(checkCanary({ provider, store }))).message, /not there after it was written/);
});

test('after a rotation the old canary is accepted and moved to the new version', async () => {
  const { store, writes } = memoryStore();
  const key = new TestKeyService();
  const provider = new DualReadWindow(key, { readPrevious: 1 });
  await checkCanary({ provider, unrestricted: key, store });
  key.addVersion();
  await checkCanary({ provider: new DualReadWindow(key, { readPrevious: 1 }), unrestricted: key, store });
  assert.deepEqual(writes, ['main', 'main replaced']);
  await checkCanary({ provider: new DualReadWindow(key, { readPrevious: 0 }), unrestricted: key, store });
  assert.deepEqual(writes, ['main', 'main replaced']);
});

test('a canary that has fallen out of the window proves the key all the same', async () => {
  const { store, writes } = memoryStore();
  const key = new TestKeyService();
  await checkCanary({ provider: key, store });
  for (let count = 0; count < 3; count++) key.addVersion();
  const provider = new DualReadWindow(key, { readPrevious: 1 });
  const error = await refusal(checkCanary({ provider, store }));
  assert.ok(keyError('outside_window')(error.cause));
  await checkCanary({ provider, unrestricted: key, store });
  assert.deepEqual(writes, ['main', 'main replaced']);
  const wrong = new TestKeyService();
  for (let count = 0; count < 6; count++) wrong.addVersion();
  await refusal(checkCanary({ provider: new DualReadWindow(wrong, { readPrevious: 1 }), unrestricted: wrong, store }));
});

test('a damaged canary is refused, not replaced', async () => {
  const { store, objects, writes } = memoryStore();
  const provider = new TestKeyService();
  await checkCanary({ provider, store });
  const good = String(objects.get('main'));
  const damaged: readonly (readonly [text: string, says: RegExp])[] = [
    ['', /damaged: it is not JSON/],
    [good.slice(0, -10), /damaged: it is not JSON/],
    ['null', /damaged: it is not a canary of version 1/],
    ['[]', /damaged: it is not a canary of version 1/],
    [good.replace('"version":1', '"version":2'), /damaged: it is not a canary of version 1/],
    [good.replace('"wrapped":"', '"wrapped":"*'), /damaged: it is not a canary of version 1/],
    [good.replace(/"sha256":"..../, '"sha256":"'), /damaged: it is not a canary of version 1/],
    [good.replace('"keyVersion":"v1"', '"keyVersion":1'), /damaged: it is not a canary of version 1/],
    [' '.repeat(4097), /damaged: more than 4096 bytes/],
  ];
  for (const [text, says] of damaged) {
    objects.set('main', Buffer.from(text));
    const { message } = await refusal(checkCanary({ provider, store }));
    assert.match(message, says);
    assert.match(message, /"main"/);
  }
  assert.deepEqual(writes, ['main']);
});

test('failures of the key service are told as what they are', async () => {
  for (const code of ['unavailable', 'denied'] as const) {
    const { store, writes } = memoryStore();
    const provider = new TestKeyService();
    await checkCanary({ provider, store });
    provider.fail(code);
    await assert.rejects(checkCanary({ provider, store }), keyError(code));
    provider.fail(undefined);
    provider.failures.unwrap = code;
    await assert.rejects(checkCanary({ provider, store }), keyError(code));
    assert.deepEqual(writes, ['main']);
  }
});

test('a key service that goes away before the canary is opened is away, not wrong', async () => {
  for (const code of ['unavailable', 'denied', 'misconfigured'] as const) {
    const { store } = memoryStore();
    const provider = new TestKeyService();
    await checkCanary({ provider, store });
    const failure = new KeyError(code, 'for the test');
    const unwrap = provider.unwrap.bind(provider);
    let calls = 0;
    provider.unwrap = (...call) => {
      calls += 1;
      return calls === 1 ? unwrap(...call) : Promise.reject(failure);
    };
    await assert.rejects(checkCanary({ provider, store }), (error) => error === failure);
  }
});

test('a failure of the store ends the check', async () => {
  const failure = new Error('the backend is away');
  const store: CanaryStore = { read: () => Promise.reject(failure), write: () => Promise.reject(failure) };
  await assert.rejects(checkCanary({ provider: new TestKeyService(), store }), (error) => error === failure);
});
