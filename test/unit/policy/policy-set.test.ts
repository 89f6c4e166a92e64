import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { globMatch } from '../../../src/policy/glob.ts';
import { PolicyError, PolicySet } from '../../../src/policy/policy-set.ts';
import type { Policy, PolicyMatch } from '../../../src/policy/policy.ts';

function policy(name: string, match: Partial<PolicyMatch>): Policy {
  return {
    name,
    match: { buckets: [], prefixes: [], accessKeys: [], ...match },
    backend: 'main',
    encryption: {
      mode: 'required',
      key: 'k',
      suite: 'aes-256-gcm',
      segmentSizeBytes: 65_536,
      unencryptedReads: 'deny',
      etag: 'opaque',
    },
    limits: { maxObjectBytes: 1 },
  };
}

test('the narrowest policy wins: bucket, then prefix, then access key', () => {
  const set = PolicySet.of([
    policy('all', {}),
    policy('logs', { buckets: ['logs-*'] }),
    policy('logs-app', { buckets: ['logs-app*'] }),
    policy('logs-end', { buckets: ['logs-*-end'] }),
    policy('exact', { buckets: ['logs-app-1'] }),
    policy('prefix', { buckets: ['logs-*'], prefixes: ['a/', 'c/'] }),
    policy('longer-prefix', { buckets: ['logs-*'], prefixes: ['a/b/'] }),
    policy('key', { buckets: ['logs-*'], accessKeys: ['AK1'] }),
    policy('anywhere-prefix', { prefixes: ['secret/'] }),
  ]);
  for (const [bucket, key, accessKeyId, name] of [
    ['x', 'k', 'AK', 'all'],
    ['logs-x', 'k', 'AK', 'logs'],
    ['logs-application', 'a/b/k', 'AK1', 'logs-app'],
    ['logs-app-1', 'a/b/k', 'AK1', 'exact'],
    ['logs-x-end', 'a/b/', 'AK1', 'logs-end'],
    ['logs-x', 'a/k', 'AK', 'prefix'],
    ['logs-x', 'c/k', 'AK1', 'prefix'],
    ['logs-x', 'a/b/k', 'AK', 'longer-prefix'],
    ['logs-x', 'k', 'AK1', 'key'],
    ['x', 'secret/k', 'AK', 'anywhere-prefix'],
    ['logs-x', 'secret/k', 'AK', 'logs'],
    ['x', '', '', 'all'],
  ] as const) {
    assert.equal(set.decide({ bucket, key, accessKeyId })?.name, name, `${bucket}/${key} by ${accessKeyId}`);
  }
});

test('where nothing matches there is no policy', () => {
  const set = PolicySet.of([policy('a', { buckets: ['a'], prefixes: ['p/'] })]);
  assert.equal(set.decide({ bucket: 'b', key: 'p/x', accessKeyId: '' }), undefined);
  assert.equal(set.decide({ bucket: 'a', key: 'q', accessKeyId: '' }), undefined);
  assert.equal(PolicySet.of([]).decide({ bucket: 'b', key: '', accessKeyId: '' }), undefined);
});

test('names are unique', () => {
  assert.throws(() => PolicySet.of([policy('a', {}), policy('a', { buckets: ['b'] })]), {
    name: 'PolicyError',
    code: 'duplicate_name',
  });
});

const ties: readonly [Partial<PolicyMatch>, Partial<PolicyMatch>, tie: boolean][] = [
  [{}, {}, true],
  [{}, { buckets: ['*'] }, true],
  [{}, { prefixes: [''] }, true],
  [{ buckets: ['a'] }, { buckets: ['a', 'b'] }, true],
  [{ buckets: ['a*'] }, { buckets: ['b*'] }, false],
  [{ buckets: ['*a'] }, { buckets: ['*b'] }, false],
  [{ buckets: ['*a*'] }, { buckets: ['*b*'] }, true],
  [{ buckets: ['a*'] }, { buckets: ['a'] }, false],
  [{ buckets: ['a'], prefixes: ['x/'] }, { buckets: ['a'], prefixes: ['y/'] }, false],
  [{ buckets: ['a'], prefixes: ['x/'] }, { buckets: ['a'], prefixes: ['x/'] }, true],
  [{ buckets: ['a'], prefixes: ['x/'] }, { buckets: ['a'], prefixes: ['x/y'] }, false],
  [{ buckets: ['a'], accessKeys: ['A'] }, { buckets: ['a'], accessKeys: ['B'] }, false],
  [{ buckets: ['a'], accessKeys: ['A'] }, { buckets: ['a'], accessKeys: ['A'] }, true],
  [{ buckets: ['a'], accessKeys: ['A'] }, { buckets: ['a'], prefixes: ['x'] }, false],
];

for (const [left, right, tie] of ties) {
  test(`${tie ? 'a tie' : 'no tie'}: ${JSON.stringify(left)} and ${JSON.stringify(right)}`, () => {
    let refusal: unknown;
    try {
      PolicySet.of([policy('left', left), policy('right', right)]);
    } catch (error) {
      refusal = error;
    }
    if (tie) {
      assert.ok(refusal instanceof PolicyError);
      assert.equal(refusal.code, 'tie');
      assert.deepEqual(refusal.policies, ['left', 'right']);
      assert.match(refusal.message, /"left" and "right"/);
    } else {
      assert.equal(refusal, undefined);
    }
  });
}

test('a decision does not depend on the order of the policies, and is one that matches', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 3 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
  const match = fc.record({
    buckets: fc.array(pattern, { maxLength: 2 }),
    prefixes: fc.array(text, { maxLength: 2 }),
    accessKeys: fc.array(pattern, { maxLength: 2 }),
  });
  const query = fc.record({ bucket: text, key: text, accessKeyId: text });
  fc.assert(
    fc.property(fc.array(match, { maxLength: 5 }), fc.array(query), (matches, queries) => {
      const policies = matches.map((one, index) => policy(`p${index}`, one));
      let set: PolicySet;
      try {
        set = PolicySet.of(policies);
      } catch (error) {
        fc.pre(!(error instanceof PolicyError));
        throw error;
      }
      const reversed = PolicySet.of(policies.toReversed());
      for (const one of queries) {
        const decision = set.decide(one);
        assert.equal(reversed.decide(one)?.name, decision?.name);
        const fitting = policies.filter(({ match: { buckets, prefixes, accessKeys } }) =>
          [
            buckets.length === 0 || buckets.some((item) => globMatch(item, one.bucket)),
            prefixes.length === 0 || prefixes.some((item) => one.key.startsWith(item)),
            accessKeys.length === 0 || accessKeys.some((item) => globMatch(item, one.accessKeyId)),
          ].every(Boolean),
        );
        assert.equal(decision === undefined, fitting.length === 0);
        assert.ok(decision === undefined || fitting.includes(decision));
      }
    }),
  );
});
