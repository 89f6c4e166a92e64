import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';

import { SecretBytes } from '../../src/crypto/secret-bytes.ts';
import { AwsKmsKey } from '../../src/keys/aws-kms/aws-kms-key.ts';
import type { AwsKeys } from '../../src/keys/aws-kms/kms-options.ts';
import { KmsServer } from '../interop/support/kms-servers.ts';
import { repository } from '../interop/support/tools.ts';
import { Workspace } from '../interop/support/workspace.ts';
import { context } from '../unit/keys/support.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: readonly string[];
}

/** The policy that the documentation tells administrators to copy. */
async function documentedPolicy(): Promise<readonly Statement[]> {
  const page = await readFile(join(repository, 'docs/KMS_COMPATIBILITY.md'), 'utf8');
  const [, json = ''] = page.slice(page.indexOf('### IAM policy of the gateway\n')).split(/^```(?:json)?$/m);
  const { Statement: statements }: { readonly Statement: readonly Statement[] } = JSON.parse(json);
  return statements;
}

const workspace = new Workspace();
after(() => workspace[Symbol.asyncDispose]());

/** moto once it checks: signatures, and which actions a user may do. It knows neither resources of KMS nor conditions. */
class CheckingMoto {
  readonly server: KmsServer;

  constructor(server: KmsServer) {
    this.server = server;
  }

  /** A user with these statements, for all resources; gives his access key. */
  async userWith(name: string, statements: readonly Statement[]): Promise<AwsKeys> {
    const allowed = statements.map(({ Effect, Action }) => ({ Effect, Action, Resource: '*' }));
    await this.#iam({ Action: 'CreateUser', UserName: name });
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: allowed });
    await this.#iam({ Action: 'PutUserPolicy', UserName: name, PolicyName: 'documented', PolicyDocument });
    const answer = await this.#iam({ Action: 'CreateAccessKey', UserName: name });
    const [accessKeyId = '', secretAccessKey = ''] = ['AccessKeyId', 'SecretAccessKey'].map(
      (field) => new RegExp(`<${field}>([^<]+)`).exec(answer)?.[1],
    );
    return { accessKeyId, secretAccessKey };
  }

  async startChecking(): Promise<void> {
    await fetch(`${this.server.endpoint}/moto-api/reset-auth`, { method: 'POST', body: '0' });
  }

  async #iam(parameters: Readonly<Record<string, string>>): Promise<string> {
    const answer = await fetch(this.server.endpoint, {
      method: 'POST',
      headers: { authorization: 'AWS4-HMAC-SHA256 Credential=admin/20260101/us-east-1/iam/aws4_request' },
      body: new URLSearchParams({ ...parameters, Version: '2010-05-08' }),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return text;
  }
}

async function works(moto: CheckingMoto, credentials: AwsKeys, keyId: string): Promise<void> {
  const { endpoint, region } = moto.server;
  const base = { name: 'aws', previousKeyIds: [], timeoutMs: 5000, retries: 0 };
  const key = await AwsKmsKey.open({ ...base, keyId, region, endpoint, credentials });
  try {
    assert.deepEqual(await key.health(), { ok: true });
    await key.describe();
    using plain = new SecretBytes(new Uint8Array(32).fill(7));
    using opened = await key.unwrap(await key.wrap(plain, context), context);
    assert.ok(opened.equals(plain));
  } finally {
    await key.close();
  }
}

test('the actions of the documented IAM policy are enough, each is needed, and they allow nothing else', async () => {
  const moto = new CheckingMoto(await KmsServer.start('moto', workspace));
  const arn = await moto.server.createKey();
  await moto.server.createAlias('alias/s3eg', arn);
  const policy = await documentedPolicy();
  const gateway = await moto.userWith('gateway', policy);
  const actions = policy.flatMap(({ Action }) => Action);
  assert.deepEqual(actions.toSorted(), ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt']);
  const lacking = new Map<string, AwsKeys>();
  for (const action of actions) {
    const others = actions.filter((other) => other !== action);
    const statement = { Effect: 'Allow', Action: others, Resource: [] };
    lacking.set(action, await moto.userWith(`without-${action.replace(':', '-')}`, [statement]));
  }
  await moto.startChecking();

  await works(moto, gateway, 'alias/s3eg');
  for (const [action, credentials] of lacking) await assert.rejects(works(moto, credentials, 'alias/s3eg'), action);
  await assert.rejects(works(moto, { ...gateway, secretAccessKey: 'not-the-secret' }, 'alias/s3eg'));
  const { endpoint, region } = moto.server;
  const client = new KMSClient({ endpoint, region, credentials: { ...gateway } });
  await assert.rejects(client.send(new DisableKeyCommand({ KeyId: arn })), isForbidden);
  client.destroy();
  await works(moto, gateway, arn);
});

/** moto refuses in XML, whatever the protocol, which the SDK does not understand: only the status tells. */
function isForbidden(error: unknown): boolean {
  const response: unknown = error instanceof Error ? Reflect.get(error, '$response') : undefined;
  return typeof response === 'object' && response !== null && Reflect.get(response, 'statusCode') === 403;
}
