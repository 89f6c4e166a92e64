import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { SaxesParser } from 'saxes';

import { nodeProgram } from '../../support/runtimes.ts';
import { frameTree, type CallFrame, type CpuProfile } from '../../bench/profile/cpu-profile.ts';
import { flameGraph } from '../../bench/profile/flame-graph.ts';
import { categories, categoryOf, sharesOf } from '../../bench/profile/shares.ts';

const always = { fromMicros: 0, toMicros: Number.MAX_SAFE_INTEGER };

function call(functionName: string, url = '', lineNumber = 0): CallFrame {
  return { functionName, url, lineNumber };
}

/** main → (cipher, main → write<&>), idle beside them; samples at 100, 110, … microseconds. */
function profile(samples: readonly number[]): CpuProfile {
  return {
    nodes: [
      { id: 1, callFrame: call('(root)'), children: [2, 5] },
      { id: 2, callFrame: call('main', 'file:///somewhere/src/http/server.ts', 7), children: [3, 4] },
      { id: 3, callFrame: call('update', 'node:internal/crypto/cipher') },
      { id: 4, callFrame: call('write<&>', 'node:internal/stream_base_commons') },
      { id: 5, callFrame: call('(idle)') },
    ],
    startTime: 90,
    samples,
    timeDeltas: samples.map(() => 10),
  };
}

describe('the profile of a load', () => {
  it('counts a sample until the next one, by function and caller, and leaves idleness out', () => {
    const tree = frameTree([profile([2, 3, 3, 5, 4, 2])], always);
    const [main] = tree.children.values();
    assert.equal(tree.totalMicros, 40);
    assert.equal(main?.selfMicros, 10);
    const children = [...(main?.children.values() ?? [])].map((one) => [one.call.functionName, one.selfMicros]);
    assert.deepEqual(children, [
      ['update', 20],
      ['write<&>', 10],
    ]);
  });

  it('has only what was sampled within the window, of all profiles', () => {
    const window = { fromMicros: 115, toMicros: 135 };
    assert.equal(frameTree([profile([2, 3, 3, 3, 4, 2]), profile([5, 5, 2, 5, 5, 5])], window).totalMicros, 30);
  });

  it('says what each share is, and the shares add up', () => {
    const shares = sharesOf(frameTree([profile([2, 3, 3, 5, 4, 2])], always));
    assert.equal(shares['ciphers and hashes'], 0.5);
    assert.equal(shares['sockets: write calls'], 0.25);
    assert.equal(shares['gateway: HTTP, S3, signatures'], 0.25);
    assert.equal(
      Object.values(shares).reduce((sum, share) => sum + share),
      1,
    );
    assert.deepEqual(Object.keys(shares), [...categories]);
  });

  it('takes native code for what called it, but garbage collection for itself', () => {
    const caller = call('seal', 'file:///x/src/crypto/aead.ts');
    assert.equal(categoryOf([caller, call('slice')]), 'gateway: crypto and envelope');
    assert.equal(categoryOf([caller, call('(garbage collector)')]), 'memory: garbage collection');
    assert.equal(categoryOf([call('dispatch', 'file:///x/node_modules/undici/lib/client.js')]), 'HTTP client');
    assert.equal(categoryOf([]), 'other');
  });

  it('draws a picture that is XML, holds no script and no path of the machine', () => {
    const picture = flameGraph(frameTree([profile([2, 3, 3, 5, 4, 2])], always), 'A & B');
    const tags: string[] = [];
    const widths: string[] = [];
    const parser = new SaxesParser();
    parser.on('opentag', ({ name, attributes }) => {
      tags.push(name);
      if (name === 'rect') widths.push(String(attributes['width']));
    });
    parser.on('error', (error) => assert.fail(error));
    parser.write(picture).close();
    assert.ok(!tags.includes('script'));
    // All and main have the whole width of 1 200, the two below main a half and a quarter.
    assert.deepEqual(widths, ['1200', '1200', '600', '300']);
    assert.match(picture, /main src\/http\/server\.ts:8, 100\.00 %/);
    assert.match(picture, /write&lt;&amp;&gt;/);
    assert.doesNotMatch(picture, /somewhere/);
  });

  it('finds in what node writes the function that burns the time, in the window that the clock says', () => {
    const folder = mkdtempSync(join(tmpdir(), 's3eg-profile-'));
    try {
      const burn = `function burn(ms) { const end = performance.now() + ms; while (performance.now() < end); }
        burn(60); const from = process.hrtime.bigint(); burn(120); console.log(String(from / 1000n)); process.exit(0);`;
      const options = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--eval', burn];
      const fromMicros = Number(execFileSync(nodeProgram, options, { encoding: 'utf8' }));
      const profiles = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
      const tree = frameTree(profiles, { fromMicros, toMicros: fromMicros + 100_000 });
      const percent = Number(/<title>burn .*?, ([\d.]+) %<\/title>/.exec(flameGraph(tree, 'burn'))?.[1]);
      assert.ok(percent > 50, `${percent} % of ${tree.totalMicros} µs`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
