import assert from 'node:assert/strict';
import { execPath } from 'node:process';
import { describe, test } from 'node:test';

import { serverNames, startServer } from './support/backends.ts';
import { run } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';

/** The number that the runner's summary gives for a word. */
function count(output: string, word: string): number {
  const [, number] = new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output) ?? [];
  assert.ok(number !== undefined, output);
  return Number(number);
}

for (const name of serverNames) {
  describe(`object store contract, ${name}`, () => {
    const workspace = ownWorkspace();

    test('the S3 adapter passes against the real server', async () => {
      const { access } = await startServer(name, workspace);
      const { code, stdout, stderr } = await run({
        program: execPath,
        args: ['--test', '--test-reporter=tap', 'test/contract/s3-store.test.ts'],
        cwd: repository,
        env: {
          PATH: '/usr/bin:/bin',
          S3EG_CONTRACT_ENDPOINT: access.endpoint,
          S3EG_CONTRACT_ACCESS_KEY: access.accessKeyId,
          S3EG_CONTRACT_SECRET_KEY: access.secretAccessKey,
          S3EG_CONTRACT_SERVER: name,
        },
      });
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      assert.ok(count(stdout, 'pass') >= 50, stdout);
      assert.equal(count(stdout, 'fail'), 0);
      console.error(`${name}: ${count(stdout, 'pass')} passed, ${count(stdout, 'skipped')} known differences`);
    });
  });
}
