import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { cryptoInUse } from '../../../src/crypto/crypto-in-use.ts';
import { chooseSuite, measureSuites } from '../../../src/crypto/suite-choice.ts';
import { suitesHere } from '../../support/gaps.ts';

const rates = (aes: number, chacha: number) => ({ 'aes-256-gcm': aes * 1e6, 'chacha20-poly1305': chacha * 1e6 });

describe('the suite', () => {
  for (const [what, instructions, measured, expected] of [
    ['AES by instructions', ['aes', 'pclmulqdq'], rates(3000, 2000), 'aes-256-gcm'],
    ['AES by instructions, though ChaCha20 measures faster', ['aes'], rates(100, 2000), 'aes-256-gcm'],
    ['no instructions, ChaCha20 clearly faster', [], rates(260, 960), 'chacha20-poly1305'],
    ['no instructions, just clearly', [], rates(400, 500), 'chacha20-poly1305'],
    ['no instructions, not clearly', [], rates(400, 499), 'aes-256-gcm'],
    ['no instructions for AES', ['pclmulqdq', 'sha_ni'], rates(260, 960), 'chacha20-poly1305'],
    ['not known, AES faster', undefined, rates(3000, 2000), 'aes-256-gcm'],
    ['not known, ChaCha20 clearly faster', undefined, rates(100, 300), 'chacha20-poly1305'],
  ] as const) {
    it(`is ${expected} with ${what}`, () => assert.equal(chooseSuite(instructions, measured), expected));
  }
});

describe('the measurement', () => {
  it('gives the rate of each suite, within its time', () => {
    measureSuites(1); // what is compiled and loaded at first use
    const cpuBefore = process.cpuUsage();
    const measured = measureSuites(50);
    const { user, system } = process.cpuUsage(cpuBefore);
    // CPU, not time: others may have the cores meanwhile. What it may be longer is one segment a slice.
    assert.ok((user + system) / 1000 < 100, `${(user + system) / 1000} ms of CPU`);
    // From a slow ARM core without instructions to several times today's fastest.
    for (const [suite, rate] of Object.entries(measured)) {
      const isHere = suitesHere().some((here) => here === suite);
      // A suite that the runtime has not is never the faster one.
      assert.ok(isHere ? rate > 1e6 && rate < 1e11 : rate === 0, `${suite}: ${rate} B/s`);
    }
    assert.deepEqual(Object.keys(measured), ['aes-256-gcm', 'chacha20-poly1305']);
  });
});

describe('what is in use', () => {
  const environment = {};
  const folder = mkdtempSync(join(tmpdir(), 's3eg-cpuinfo-'));
  const cpuinfoFile = join(folder, 'cpuinfo');
  const slowAes = { arch: 'x64', environment, cpuinfoFile, measure: () => rates(100, 300) };

  it('follows from the file, the environment and the measurement', (context) => {
    context.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(
      cpuinfoFile,
      `processor\t: 0\nflags\t\t: fpu aes\n\n${'processor\t: 1\nflags\t\t: fpu\n\n'.repeat(10_000)}`,
    );
    assert.deepEqual(cryptoInUse({ suite: 'auto' }, slowAes), {
      suite: 'aes-256-gcm',
      instructions: ['aes'],
      bytesPerSecond: rates(100, 300),
    });
    const limited = { ...slowAes, environment: { OPENSSL_ia32cap: '0:0' } };
    const chosen = cryptoInUse({ suite: 'auto' }, limited);
    assert.deepEqual([chosen.suite, chosen.instructions], ['chacha20-poly1305', []]);
  });

  it('is not known without the file, and a suite that is set stays', () => {
    const elsewhere = { ...slowAes, cpuinfoFile: join(folder, 'missing') };
    const chosen = cryptoInUse({ suite: 'auto' }, elsewhere);
    assert.deepEqual([chosen.suite, chosen.instructions], ['chacha20-poly1305', undefined]);
    assert.equal(cryptoInUse({ suite: 'aes-256-gcm' }, elsewhere).suite, 'aes-256-gcm');
    const fastAes = { ...slowAes, measure: () => rates(3000, 300) };
    assert.equal(cryptoInUse({ suite: 'chacha20-poly1305' }, fastAes).suite, 'chacha20-poly1305');
  });
});
