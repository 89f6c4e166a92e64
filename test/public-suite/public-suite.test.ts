/**
 * The suite that versitygw brings for its own clients' side: nobody here wrote it. Each of its tests runs against a real
 * server and against the gateway in front of another one of the same kind. Whatever passes directly has to pass through
 * the gateway, or stand in differences.json with a reason that a user would accept.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { serverNames, startServer, type S3Access, type ServerName } from '../interop/support/backends.ts';
import { Gateway } from '../interop/support/gateway.ts';
import { run, runOk } from '../interop/support/processes.ts';
import { ownWorkspace } from '../interop/support/site.ts';
import { tools } from '../interop/support/tools.ts';
import type { Workspace } from '../interop/support/workspace.ts';

/** Groups that are of versitygw's own administration, or of its static website. */
const ofItsOwn = /^(?:IAM|S3IAM|STS|Website|GwIAM|AccessControl_|PublicBucket|NoAclMode|locked$)/;

/** All tests of a server together; each takes a second at the most, some wait for time-outs. */
const suiteTimeoutMs = 30 * 60_000;

interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly reason: string;
}

/** By server, by name of a test: why it does not pass through the gateway though it passes directly. */
type Differences = Readonly<Record<ServerName, Readonly<Record<string, string>>>>;

async function testNames(): Promise<readonly string[]> {
  const { stdout } = await runOk({ program: tools.versitygw, args: ['test', '--help'], cwd: '/', env: {} });
  const names = [...stdout.matchAll(/^ {3}([A-Za-z0-9]+_\w+)/gm)].map(([, name = '']) => name);
  return names.filter((name) => !ofItsOwn.test(name)).toSorted();
}

async function runSuite(
  workspace: Workspace,
  settings: {
    readonly target: S3Access;
    readonly server: S3Access;
    readonly root: string;
    readonly names: readonly string[];
  },
): Promise<ReadonlyMap<string, Outcome>> {
  const cwd = await workspace.folder('public-suite');
  const file = join(cwd, 'settings.json');
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  const args = [join(import.meta.dirname, 'public_suite.py'), tools.versitygw, file];
  const env = { PATH: '/usr/bin:/bin', HOME: cwd, AWS_EC2_METADATA_DISABLED: 'true' };
  const { code, stdout, stderr } = await run({ program: tools.python, args, cwd, env }, suiteTimeoutMs);
  assert.equal(code, 0, stderr);
  const outcomes = stdout
    .trim()
    .split('\n')
    .map((line): Outcome => JSON.parse(line));
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
}

async function differencesOf(server: ServerName): Promise<ReadonlyMap<string, string>> {
  const all: Differences = JSON.parse(await readFile(join(import.meta.dirname, 'differences.json'), 'utf8'));
  return new Map(Object.entries(all[server]));
}

for (const name of serverNames) {
  describe(`the suite of versitygw, ${name}`, () => {
    const workspace = ownWorkspace();

    test('passes through the gateway where it passes directly, or a reason is given', async (context) => {
      const names = await testNames();
      const [alone, behind] = [await startServer(name, workspace), await startServer(name, workspace)];
      const gateway = await Gateway.start({ workspace, backend: behind });
      const [direct, through] = await Promise.all([
        runSuite(workspace, { target: alone.access, server: alone.access, root: alone.root, names }),
        runSuite(workspace, { target: gateway.access, server: behind.access, root: behind.root, names }),
      ]);
      const passed = (outcomes: typeof direct): readonly string[] =>
        names.filter((test) => outcomes.get(test)?.passed === true);
      const reasons = await differencesOf(name);
      const lost = passed(direct).filter((test) => through.get(test)?.passed !== true);
      context.diagnostic(
        `${name}: of ${names.length} tests ${passed(direct).length} pass directly, ${passed(through).length} through the gateway`,
      );
      for (const test of lost) context.diagnostic(`${test}: ${reasons.get(test) ?? 'NO REASON GIVEN'}`);
      const unexplained = lost
        .filter((test) => !reasons.has(test))
        .map((test) => `${test}: ${through.get(test)?.reason ?? ''}`);
      assert.deepEqual(unexplained, []);
      assert.ok(passed(direct).length > 100, 'the suite itself does not run');
    });
  });
}
