import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { checkDependencies, dependencyFacts, type DependencyFacts } from '../../../tools/check-dependencies.ts';
import { checkLicences } from '../../../tools/check-licences.ts';

const facts = dependencyFacts();

function withDependencies(changes: Readonly<Record<string, string>>): DependencyFacts {
  const { manifest } = facts;
  return { ...facts, manifest: { ...manifest, dependencies: { ...manifest.dependencies, ...changes } } };
}

function problemsOf(license: string): number {
  return checkLicences({ 'node_modules/a': { license } }).length;
}

function withSource(path: string, text: string): DependencyFacts {
  return { ...facts, sources: new Map([[path, text]]) };
}

describe('the page of dependencies', () => {
  test('says what package.json and the imports say', () => {
    assert.ok(facts.sources.size > 100);
    assert.deepEqual(checkDependencies(facts), []);
  });

  test('must name a new package, with its advisories', () => {
    assert.deepEqual(checkDependencies(withDependencies({ 'left-pad': '1.3.0' })), [
      'left-pad has no row under "Runtime" of docs/dependencies.md',
      'left-pad has no row under "Advisories" of docs/dependencies.md',
    ]);
  });

  test('must not keep a package that is gone', () => {
    const { saxes: _gone, ...dependencies } = facts.manifest.dependencies;
    const problems = checkDependencies({ ...facts, manifest: { ...facts.manifest, dependencies } });
    assert.deepEqual(problems, [
      'saxes stands under "Runtime" of docs/dependencies.md but not in package.json',
      'saxes stands under "Advisories" of docs/dependencies.md but not in package.json',
    ]);
  });

  test('wants the advisories read again when a package is raised', () => {
    assert.deepEqual(checkDependencies(withDependencies({ undici: '9.0.0' })), [
      'the advisories of undici were not checked for 9.0.0 (docs/dependencies.md)',
    ]);
  });

  test('wants exact versions', () => {
    assert.ok(checkDependencies(withDependencies({ yaml: '^2.9.1' })).includes('yaml is not pinned: ^2.9.1'));
  });

  const imports = [
    `import { Pool } from 'undici';`,
    `import type { Pool } from 'undici';`,
    `export { Pool } from 'undici/types/pool.js';`,
    `const { Pool } = await import('undici');`,
    `const { Pool } = createRequire(import.meta.url)('undici');`,
  ];
  for (const text of imports) {
    test(`lets only its folder write ${text}`, () => {
      assert.deepEqual(checkDependencies(withSource('src/store/s3/transport.ts', text)), []);
      assert.deepEqual(checkDependencies(withSource('src/operations/get-object.ts', text)), [
        'src/operations/get-object.ts imports undici, which docs/dependencies.md does not give to its folder',
      ]);
    });
  }

  test('lets nobody import what is not a runtime dependency', () => {
    for (const name of ['fast-check', 'express', '@smithy/signature-v4']) {
      assert.equal(checkDependencies(withSource('src/s3/xml.ts', `import x from '${name}';`)).length, 1, name);
    }
    assert.deepEqual(checkDependencies(withSource('src/s3/xml.ts', `import { x } from 'node:fs';`)), []);
    assert.deepEqual(checkDependencies(withSource('src/s3/xml.ts', `import { x } from '../base/clock.ts';`)), []);
  });
});

describe('licences', () => {
  test('of everything in the lock are on the list, and nothing wants an install script', () => {
    assert.deepEqual(checkLicences(), []);
  });

  test('that nobody agreed to are found', () => {
    assert.deepEqual(
      checkLicences({ 'node_modules/a/node_modules/b': { version: '1.0.0', license: 'GPL-3.0-only' } }),
      ['b@1.0.0 has the licence GPL-3.0-only'],
    );
    assert.deepEqual(checkLicences({ 'node_modules/a': { version: '1.0.0' } }), ['a@1.0.0 has the licence (none)']);
  });

  test('are stricter for what is distributed than for tools', () => {
    const tool = { version: '1.0.0', license: 'BSD-3-Clause', dev: true };
    assert.deepEqual(checkLicences({ 'node_modules/a': tool }), []);
    assert.equal(checkLicences({ 'node_modules/a': { ...tool, dev: false } }).length, 1);
  });

  test('in an expression: one of an OR will do, all of an AND must', () => {
    assert.equal(problemsOf('(GPL-2.0-only OR MIT)'), 0);
    assert.equal(problemsOf('MIT AND Apache-2.0'), 0);
    assert.equal(problemsOf('MIT AND GPL-2.0-only'), 1);
  });

  test('apart: an install script is found', () => {
    assert.deepEqual(
      checkLicences({ 'node_modules/a': { version: '1.0.0', license: 'MIT', hasInstallScript: true } }),
      ['a@1.0.0 wants to run an install script'],
    );
  });
});
