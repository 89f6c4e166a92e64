/**
 * Suites that nobody here wrote: versitygw's own, and the functional tests of MinIO's clients for Go and Python. Each of their tests runs
 * against a real server and against the gateway in front of another one of the same kind. Whatever passes directly has to
 * pass through the gateway, or stand in differences.json with a reason that a user would accept; and a reason has to go
 * when there is nothing left that it explains.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { serverNames, type ServerName } from '../interop/support/backends.ts';
import { ownWorkspace } from '../interop/support/site.ts';
import { isLost, passed, TwoWays, type Comparison } from './comparison.ts';
import { suites, type SuiteName } from './suites.ts';

/** By name of a test: why it does not pass through the gateway though it passes directly. */
type Reasons = ReadonlyMap<string, string>;

async function reasonsOf(suite: SuiteName, server: ServerName): Promise<Reasons> {
  const all: Readonly<Record<SuiteName, Readonly<Record<ServerName, Readonly<Record<string, string>>>>>> = JSON.parse(
    await readFile(join(import.meta.dirname, 'differences.json'), 'utf8'),
  );
  return new Map(Object.entries(all[suite][server]));
}

/** Tests whose outcome and the list of reasons contradict each other. */
function contradictions(names: readonly string[], compared: Comparison, reasons: Reasons): readonly string[] {
  return names.filter((name) => isLost(compared, name) !== reasons.has(name));
}

function report(context: TestContext, title: string, compared: Comparison, reasons: Reasons): void {
  const { direct, through } = compared;
  const names = [...direct.keys()].toSorted();
  context.diagnostic(
    `${title}: of ${names.length} tests ${passed(direct).length} pass directly, ` +
      `${passed(through).length} through the gateway`,
  );
  for (const name of names.filter((each) => isLost(compared, each))) {
    context.diagnostic(`${name}: ${reasons.get(name) ?? 'NO REASON GIVEN'}`);
  }
}

/**
 * What is wrong with the list of reasons, or with the gateway. A test that depends on timing gets a second chance to agree
 * with the list.
 */
async function disagreements(ways: TwoWays, doubtful: readonly string[], reasons: Reasons): Promise<readonly string[]> {
  if (doubtful.length === 0) return [];
  const compared = await ways.compare(doubtful);
  return contradictions(doubtful, compared, reasons).map((name) => {
    const { passed: passes = false, reason = '' } = compared.through.get(name) ?? {};
    if (!reasons.has(name)) return `${name} does not pass, and has no reason: ${reason}`;
    return `${name} has a reason and ${passes ? 'passes' : 'does not pass directly'}`;
  });
}

for (const name of ['versitygw', 'minio-go', 'minio-py'] as const) {
  const suite = suites[name];
  for (const server of serverNames) {
    describe(`${suite.title}, ${server}`, () => {
      const workspace = ownWorkspace();

      test('passes through the gateway where it passes directly, or a reason is given', async (context) => {
        const names = await suite.tests();
        const reasons = await reasonsOf(name, server);
        const unknown = [...reasons.keys()].filter((test) => !names.includes(test));
        assert.deepEqual(unknown, [], 'reasons for tests that there are not');
        const ways = await TwoWays.start(suite, server, workspace);
        const compared = await ways.compare(names);
        report(context, `${suite.title}, ${server}`, compared, reasons);
        assert.ok(passed(compared.direct).length >= suite.minimumPassed, 'the suite itself does not run');
        assert.deepEqual(await disagreements(ways, contradictions(names, compared, reasons), reasons), []);
      });
    });
  }
}
