import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { plaintext } from './support/plaintext.ts';
import { runOk } from './support/processes.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { clientScripts, tools } from './support/tools.ts';
import { digest } from './support/workspace.ts';

const partBytes = 5 * 1024 * 1024;

for (const backend of backendNames) {
  describe(`minio-py, ${backend}`, () => {
    const workspace = ownWorkspace();

    test('makes a bucket, puts, gets, reads ranges, lists, removes', async () => {
      const { gateway } = await startSite(backend, workspace);
      const cwd = await workspace.folder('minio-py');
      const small = plaintext('minio-py small', 65_537);
      const large = plaintext('minio-py large', 12_345_678);
      await writeFile(join(cwd, 'small'), small);
      await writeFile(join(cwd, 'large'), large);
      const { endpoint, accessKeyId, secretAccessKey } = gateway.access;
      const { stdout } = await runOk({
        program: tools.python,
        args: [join(clientScripts, 'minio_client.py'), new URL(endpoint).host, accessKeyId, secretAccessKey, cwd],
        cwd,
        env: { PATH: '/usr/bin:/bin', HOME: cwd },
      });
      const { etags, ...seen }: { etags: readonly string[] } = JSON.parse(stdout);
      assert.equal(etags[0], etags[1]);
      assert.deepEqual(seen, {
        type: 'text/x-test',
        colour: 'blue',
        listed: { 'dir/large': large.length, 'dir/small': small.length, empty: 0, streamed: large.length },
        folders: ['dir/'],
        sha256: { small: digest(small), large: digest(large), streamed: digest(large) },
        middle: large.subarray(partBytes - 10, partBytes + 10).toString('hex'),
        presigned: digest(small),
        errors: [],
        missing: 'NoSuchKey',
        bucket_exists: false,
      });
    });
  });
}
