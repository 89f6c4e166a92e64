import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Xxhash, type XxhashAlgorithm } from '../../../src/s3/xxhash.ts';

/**
 * By length of the input: its XXH64, XXH3 and XXH128, from python-xxhash 3.5.0, which binds the reference implementation.
 * The lengths stand on both sides of where XXH3 changes its method (16, 128, 240) and its block (1 024).
 */
const known: readonly (readonly [bytes: number, xxh64: string, xxh3: string, xxh128: string])[] = [
  [0, 'ef46db3751d8e999', '2d06800538d394c2', '99aa06d3014798d86001c324468d497f'],
  [1, 'e934a84adb052768', 'c44bdff4074eecdb', 'a6cd5e9392000f6ac44bdff4074eecdb'],
  [3, '717c500726f8257b', 'c969ec1a92bd17e4', 'fd6d148e0ca15493c969ec1a92bd17e4'],
  [4, 'd5038aa710d05205', '2a396a568367358e', 'c7fb838715f7079eb199716364f7f3f8'],
  [9, 'bc2f05df4a4799e2', '25188e4086a1985f', '8ade658554278d2c3ade4edd370d2d13'],
  [16, '8401d6cea8f5c165', 'a04376311b5f7b7e', '6706389f0820f06edf950c05f2b8374c'],
  [17, '4f11d25e2c03eef1', '0eb7a908d231db1b', '85b32c0dfd63ba4aa6b7a92e9ecc6503'],
  [32, '6566f3afd9cbd15d', 'b5c9e8529faf03e9', '05dea9c8b575a538dc701d60b561e29b'],
  [128, '4acb6087983c4012', '784f599a1e39e892', 'e92c7175c50f3e23315561623a23380c'],
  [129, 'e178a4c5c57d72c0', '6e2b715341984f1a', 'd287a086f7d1c00a3294920a839f5e4e'],
  [240, 'c6eefe9deb469a02', '770860892e740fce', 'f0e0fbe1992eb873b2941654fe6227dd'],
  [241, 'f8aaa25ff94eeae6', '1a7aaa34f5df0ed1', '4e9ea12ef0788c4b1a7aaa34f5df0ed1'],
  [1023, 'f5e24d00652c9019', 'cfb4db0711ec4926', '7afc56200d4c6fedcfb4db0711ec4926'],
  [1024, '183e407c5650a71e', '0a23fb8ee7793ee2', 'bff8c125eccef6dc0a23fb8ee7793ee2'],
  [1025, '77488cd5c49dff73', '7e6e1427fbfb762f', '2bc3145b152271647e6e1427fbfb762f'],
  [70_000, '2e8daf68f6395f4c', 'f9de6f37c483bbdc', 'a1e17397bec5358ef9de6f37c483bbdc'],
];

function input(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, index) => ((index * 7919) >> 5) & 255));
}

const algorithms: readonly XxhashAlgorithm[] = ['XXHASH64', 'XXHASH3', 'XXHASH128'];

describe('Xxhash', () => {
  for (const [index, algorithm] of algorithms.entries()) {
    it(`gives the values of the reference implementation, ${algorithm}`, () => {
      for (const [bytes, ...values] of known) {
        for (const stepBytes of [bytes, 7, 1000]) {
          const hash = new Xxhash(algorithm);
          const data = input(bytes);
          for (let at = 0; at < bytes; at += stepBytes) hash.update(data.subarray(at, at + stepBytes));
          assert.equal(hash.digest().toString('hex'), values[index], `${bytes} bytes in steps of ${stepBytes}`);
        }
      }
    });
  }

  it('keeps those apart that run at the same time', () => {
    const running = known.map(([bytes]) => ({ data: input(bytes), hash: new Xxhash('XXHASH3') }));
    for (let at = 0; at < 70_000; at += 5000) {
      for (const { data, hash } of running) hash.update(data.subarray(at, at + 5000));
    }
    assert.deepEqual(
      running.map(({ hash }) => hash.digest().toString('hex')),
      known.map(([, , xxh3]) => xxh3),
    );
  });
});
