/**
 * One provider after the other, with encryption and without, through the shipped gateway, asked by boto3. What a provider
 * lacks stands in its file; a case that needs it has to fail, so that no file says more or less than is true.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';

import { S3Agent, S3CallError } from '../interop/support/s3-client.ts';
import { ownWorkspace } from '../interop/support/site.ts';
import type { Workspace } from '../interop/support/workspace.ts';
import { bucketCases } from './cases/buckets.ts';
import { copyCases } from './cases/copies.ts';
import { objectCases } from './cases/objects.ts';
import { uploadCases } from './cases/uploads.ts';
import { RunBuckets } from './support/buckets.ts';
import { needsOf, type Case, type Place } from './support/case.ts';
import { runDoctor, startGateway, type Mode } from './support/gateway.ts';
import { accessFromEnvironment, allProviders, type Provider } from './support/provider-file.ts';
import { startProvider, type RunningProvider } from './support/start-provider.ts';

const cases: readonly Case[] = [...bucketCases, ...objectCases, ...copyCases, ...uploadCases];

const wanted = (process.env['S3EG_TEST_PROVIDERS'] ?? '').split(',').filter((name) => name !== '');
const isSlow = ({ start }: Provider): boolean => start === 'ceph';
const providers = allProviders().filter(({ name }) => wanted.length === 0 || wanted.includes(name));

/** Runs a case; where the provider lacks what it needs, the case has to fail, or the file is out of date. */
async function runCase(context: TestContext, found: Case, place: Place, provider: Provider): Promise<void> {
  const missing = needsOf(found, place.mode).filter((name) => name in provider.lacks);
  if (missing.length === 0) {
    await found.run(place);
    return;
  }
  const reasons = missing.map((name) => `${name}: ${provider.lacks[name] ?? ''}`).join('; ');
  let failure: unknown;
  try {
    await found.run(place);
  } catch (error) {
    failure = error;
  }
  assert.ok(failure !== undefined, `works, though the provider is said to lack ${reasons}`);
  if (found.operation !== undefined && provider.quirks.ignoresConditions?.includes(found.operation) === true) {
    if (!(failure instanceof S3CallError)) throw failure;
    assert.deepEqual([failure.code, failure.status], ['NotImplemented', 501], failure.message);
  }
  context.skip(`${provider.title} lacks ${reasons}`);
}

function describeMode(provider: Provider, mode: Mode, workspace: Workspace, running: () => RunningProvider): void {
  describe(mode === 'off' ? 'in clear' : 'encrypted', () => {
    let place: Place;
    let buckets: RunBuckets;
    before(async () => {
      const access = await startGateway(running(), mode, workspace);
      const client = (await S3Agent.start(workspace)).client(access);
      buckets = new RunBuckets(client, running());
      const freshBucket = (options?: object): Promise<string> => buckets.make(options);
      place = { client, mode, freshBucket, bucket: await freshBucket() };
    });
    after(async () => await buckets.removeAll());
    for (const found of cases) {
      if (found.mode !== undefined && found.mode !== mode) continue;
      test(found.name, async (context) => await runCase(context, found, place, provider));
    }
  });
}

function describeProvider(provider: Provider): void {
  const access = provider.start === undefined ? accessFromEnvironment(provider) : undefined;
  if (access !== undefined && 'missing' in access) {
    test(provider.title, { skip: `no access to it: set ${access.missing.join(', ')}` }, () => {});
    return;
  }
  describe(provider.title, { concurrency: 3 }, () => {
    const workspace = ownWorkspace();
    let running: RunningProvider;
    // It mostly waits: meanwhile the others are tried.
    const started = isSlow(provider) ? startProvider(provider, access, workspace) : undefined;
    started?.catch(() => {});
    before(async () => {
      running = await (started ?? startProvider(provider, access, workspace));
    });
    test('is what its file says, as the doctor sees it', async (context) => {
      const { backends, keys } = await runDoctor(running, workspace);
      const findings = backends.flatMap(({ findings }) => findings);
      const lacking = findings.filter(({ outcome }) => outcome !== 'works');
      for (const { capability, outcome, reason } of lacking) context.diagnostic(`${capability} ${outcome}: ${reason}`);
      const remarks = [...backends, ...keys].flatMap(({ problems }) => problems);
      assert.deepEqual([...remarks, ...backends.flatMap(({ advice }) => advice)], []);
      assert.ok(findings.length > 20, 'the doctor looked at little');
      assert.deepEqual(lacking.map(({ capability }) => capability).toSorted(), Object.keys(provider.lacks).toSorted());
    });
    for (const mode of ['required', 'off'] as const) describeMode(provider, mode, workspace, () => running);
  });
}

for (const provider of providers.toSorted((left, right) => Number(isSlow(left)) - Number(isSlow(right)))) {
  describeProvider(provider);
}
