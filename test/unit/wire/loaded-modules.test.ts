import assert from 'node:assert/strict';
import * as nodeModule from 'node:module';
import { it } from 'node:test';

import { isBun } from '../../../src/base/runtime.ts';
import { needs } from '../../support/gaps.ts';

/** Modules that were loaded so far, as paths below `src/` or `node_modules/`. */
const loaded = new Set<string>();
const options = needs('loadHooks');
if (!isBun) {
  nodeModule.registerHooks({
    load(url, context, nextLoad) {
      loaded.add(url.replace(/.*\/(?:node_modules|src)\//, ''));
      return nextLoad(url, context);
    },
  });
}

const begins = (prefix: string): string[] => [...loaded].filter((path) => path.startsWith(prefix));

// One process, in this order: what was loaded stays.
it(
  'a process that supervises loads nothing of what serves, and no store before it is known which',
  options,
  async () => {
    await import('../../../src/workers/primary.ts');
    assert.deepEqual(begins('wire/').toSorted(), [
      'wire/admin.ts',
      'wire/backends.ts',
      'wire/canaries.ts',
      'wire/control-plane.ts',
      'wire/keys.ts',
      'wire/observation.ts',
      'wire/parts.ts',
      'wire/rotations.ts',
      'wire/version.ts',
    ]);
    assert.ok(
      begins('operations/').every((path) => path.startsWith('operations/canary-')),
      begins('operations/').join(),
    );
    assert.deepEqual([...begins('envelope/'), ...begins('crypto/pool/'), ...begins('keys/data-keys')], []);
    assert.deepEqual([...begins('store/filesystem/'), ...begins('store/s3/'), ...begins('undici')], []);
  },
);

it('the command line loads the command that is asked for, and no other', options, async () => {
  const { createProgram } = await import('../../../src/cli/program.ts');
  const io = { env: {}, cwd: '/', out() {}, err() {}, errIsTerminal: false };
  const serving = await createProgram(io, () => {}, 'serve');
  assert.deepEqual(
    serving.commands.map((command) => command.name()),
    ['serve'],
  );
  assert.deepEqual([...begins('cli/rewrap'), ...begins('cli/doctor'), ...begins('cli/keys'), ...begins('@clack/')], []);
  assert.deepEqual(begins('operations/pipeline'), []);
  const all = await createProgram(io, () => {}, 'no such command');
  assert.deepEqual(all.commands.map((command) => command.name()).toSorted(), [
    'check',
    'decrypt',
    'doctor',
    'inspect',
    'keys',
    'rewrap',
    'serve',
  ]);
});

it('what serves is seen by this test where it is loaded', options, async () => {
  await import('../../../src/wire/worker.ts');
  assert.equal(begins('operations/pipeline').length, 1);
});
