import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { AwsKmsKey } from '../../src/keys/aws-kms/aws-kms-key.ts';
import type { AwsKmsOptions } from '../../src/keys/aws-kms/kms-options.ts';
import { KmsServer } from '../interop/support/kms-servers.ts';
import { Workspace } from '../interop/support/workspace.ts';
import { FakeKms } from '../support/fake-kms.ts';
import { context } from '../unit/keys/support.ts';

const role = 'arn:aws:iam::111122223333:role/gateway';

// moto is the token service (STS) here; who signs what is seen by the fake of AWS KMS.
describe('credentials for AWS KMS', () => {
  const workspace = new Workspace();
  const inherited = { ...process.env };
  let kms: FakeKms;
  let folder: string;
  let stsEndpoint: string;

  before(async () => {
    stsEndpoint = (await KmsServer.start('moto', workspace)).endpoint;
  });
  after(() => workspace[Symbol.asyncDispose]());
  beforeEach(async () => {
    // The SDK reads a file of credentials once in the life of a process.
    folder = await workspace.folder('aws');
    kms = await FakeKms.start();
    kms.pointAlias('alias/s3eg', kms.createKey());
    // Nothing of the machine's own: no file, no instance metadata.
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      AWS_ENDPOINT_URL_STS: stsEndpoint,
    });
  });
  afterEach(async () => {
    await kms.down();
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, inherited);
  });

  /** Access key ids that signed a wrap and an unwrap. */
  async function signersWith(options: Partial<AwsKmsOptions>): Promise<ReadonlySet<string>> {
    const key = await AwsKmsKey.open({
      name: 'aws',
      keyId: 'alias/s3eg',
      previousKeyIds: [],
      region: 'eu-central-1',
      endpoint: kms.address,
      timeoutMs: 5000,
      retries: 0,
      ...options,
    });
    const { key: made, wrapped } = await key.makeKey(context);
    using opened = await key.unwrap(wrapped, context);
    assert.ok(opened.equals(made));
    await key.close();
    return new Set(kms.signers);
  }

  test('are those of a profile', async () => {
    const lines = ['[default]', 'aws_access_key_id = AKIADEFAULT', 'aws_secret_access_key = x'];
    lines.push('[storage]', 'aws_access_key_id = AKIASTORAGE', 'aws_secret_access_key = y', '');
    await writeFile(join(folder, 'credentials'), lines.join('\n'));
    assert.deepEqual([...(await signersWith({ profile: 'storage' }))], ['AKIASTORAGE']);
    kms.signers.length = 0;
    assert.deepEqual([...(await signersWith({}))], ['AKIADEFAULT']);
  });

  test('are temporary ones of a role that is assumed', async () => {
    const credentials = Object.freeze({ accessKeyId: 'AKIABASE', secretAccessKey: 'z' });
    const assumeRole = { roleArn: role, externalId: 'tenant', sessionName: 's3eg' };
    const [signer, ...others] = await signersWith({ credentials, assumeRole });
    assert.match(signer ?? '', /^ASIA/);
    assert.deepEqual(others, []);
  });

  test('are temporary ones for a web identity, as of a Kubernetes service account (IRSA)', async () => {
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'a.web.identity');
    Object.assign(process.env, {
      AWS_ROLE_ARN: role,
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_REGION: 'eu-central-1',
    });
    const [signer, ...others] = await signersWith({});
    assert.match(signer ?? '', /^ASIA/);
    assert.deepEqual(others, []);
  });

  test('that are nowhere make the key unavailable, and health says where they were looked for', async () => {
    const key = await AwsKmsKey.open({
      name: 'aws',
      keyId: 'alias/s3eg',
      previousKeyIds: [],
      region: 'eu-central-1',
      endpoint: kms.address,
      timeoutMs: 5000,
      retries: 0,
    });
    const { ok, reason = '' } = await key.health();
    assert.equal(ok, false);
    assert.match(reason, /no credentials were found in environment, profile, web identity or instance/);
    await key.close();
  });
});
