import assert from 'node:assert/strict';
import { delimiter, dirname, join } from 'node:path';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';

import { awsCli } from './support/commands.ts';
import { writePlaintext } from './support/plaintext.ts';
import { Daemon, runOk } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { makeTree } from './support/trees.ts';
import { repository, systemProgram } from './support/tools.ts';
import { fileDigest, treeDigests } from './support/workspace.ts';

const mebibyte = 1024 * 1024;

/** Where this machine's npm gets its packages: not what is tested, and not in a fresh HOME. */
function npmSettings(): Readonly<Record<string, string>> {
  const names = [
    'npm_config_userconfig',
    'npm_config_globalconfig',
    'npm_config_cache',
    'npm_config_registry',
    'NODE_EXTRA_CA_CERTS',
  ];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

test('a fresh clone runs by `npm ci && npm start` with nothing but Node 20', async () => {
  const workspace = ownWorkspace();
  const [home, folder] = [await workspace.folder('home'), await workspace.folder('clones')];
  const PATH = [dirname(systemProgram('npm')), '/usr/bin', '/bin'].join(delimiter);
  const env = { PATH, HOME: home, LANG: 'C.UTF-8', ...npmSettings() };
  const clone = join(folder, 'gateway');
  await runOk({ program: systemProgram('git'), args: ['clone', '--quiet', repository, clone], cwd: folder, env });
  const version = await runOk({ program: systemProgram('node'), args: ['--version'], cwd: clone, env });
  assert.match(version.stdout, /^v2[0-9]\./);
  await runOk({ program: systemProgram('npm'), args: ['ci'], cwd: clone, env }, 300_000);

  const free = { S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' };
  const gateway = workspace.use(
    await Daemon.start(
      { program: systemProgram('npm'), args: ['start'], cwd: clone, env: { ...env, ...free } },
      ({ stdout, stderr }) => stdout.includes('admin listener started') && stderr.includes('s3 mb'),
    ),
  );
  const [, accessKeyId, secretAccessKey] =
    /AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)/.exec(gateway.stderr) ?? [];
  const [, endpoint] = /aws --endpoint-url (\S+) s3 mb/.exec(gateway.stderr) ?? [];
  assert.ok(accessKeyId !== undefined && secretAccessKey !== undefined && endpoint !== undefined, gateway.stderr);
  assert.ok(!gateway.stdout.includes(secretAccessKey), 'the secret is not in the log');

  const aws = await awsCli(workspace, { endpoint, accessKeyId, secretAccessKey });
  const file = join(folder, 'file');
  await writePlaintext(file, 'newcomer', 300 * mebibyte);
  await aws.ok('s3', 'mb', 's3://my-bucket');
  await aws.ok('s3', 'cp', '--no-progress', file, 's3://my-bucket/');
  await aws.ok('s3', 'cp', '--no-progress', 's3://my-bucket/file', `${file}.back`);
  assert.equal(await fileDigest(`${file}.back`), await fileDigest(file));
  assert.match((await aws.ok('s3', 'ls', 's3://my-bucket/')).stdout, / 314572800 file\n$/);
  const tree = await makeTree(workspace);
  await aws.ok('s3', 'sync', '--no-progress', tree, 's3://my-bucket/tree');
  assert.equal((await aws.ok('s3', 'sync', '--no-progress', tree, 's3://my-bucket/tree')).stdout, '');
  const back = await workspace.folder('back');
  await aws.ok('s3', 'sync', '--no-progress', 's3://my-bucket/tree', back);
  assert.deepEqual(await treeDigests(back), await treeDigests(tree));
  await aws.ok('s3', 'rm', '--recursive', 's3://my-bucket/');
  assert.equal((await aws.run('s3', 'ls', '--recursive', 's3://my-bucket/')).stdout, '');

  for (const secret of ['credentials.json', 'keyring.json']) {
    assert.equal((await stat(join(clone, 'data', secret))).mode & 0o777, 0o600, secret);
  }
  assert.equal(await gateway.stop(), 0, 'npm start ends with 0 when it is asked to end');
});
