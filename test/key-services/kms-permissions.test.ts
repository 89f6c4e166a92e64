import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';

import { request as send } from 'undici';

import { AwsKmsKey } from '../../src/keys/aws-kms/aws-kms-key.ts';
import type { AwsKeys } from '../../src/keys/aws-kms/kms-options.ts';
import { KmsServer } from '../interop/support/kms-servers.ts';
import { repository } from '../interop/support/tools.ts';
import { Workspace } from '../interop/support/workspace.ts';
import { FakeServer } from '../support/fake-server.ts';
import { context } from '../unit/keys/support.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: readonly string[];
}

/** A policy that the documentation tells administrators to copy. */
async function documentedPolicy(heading: string): Promise<readonly Statement[]> {
  const page = await readFile(join(repository, 'docs/KMS_COMPATIBILITY.md'), 'utf8');
  const [, json = ''] = page.slice(page.indexOf(`### ${heading}\n`)).split(/^```(?:json)?$/m);
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

/** Before moto, which tells no id of the key material: one for each rotation that it has taken. */
class TellingMoto extends FakeServer {
  readonly #endpoint: string;
  #rotations = 0;

  private constructor(endpoint: string) {
    super();
    this.#endpoint = endpoint;
  }

  static async start(endpoint: string): Promise<TellingMoto> {
    const telling = new TellingMoto(endpoint);
    await telling.up();
    return telling;
  }

  protected override async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...headers } = request.headers;
    // With the host that was signed.
    const answer = await send(this.#endpoint, { method: 'POST', headers, body: await buffer(request) });
    const [text, isFine] = [await answer.body.text(), answer.statusCode === 200];
    if (isFine && operation === 'RotateKeyOnDemand') this.#rotations += 1;
    const material = String(this.#rotations).padStart(64, '0');
    const told =
      isFine && operation === 'DescribeKey'
        ? text.replace('"KeyMetadata": {', `"KeyMetadata": {"CurrentKeyMaterialId":"${material}",`)
        : text;
    response.writeHead(answer.statusCode, { 'content-type': 'application/x-amz-json-1.1' }).end(told);
  }
}

async function works(moto: CheckingMoto, credentials: AwsKeys, keyId: string): Promise<void> {
  const { endpoint, region } = moto.server;
  const base = { name: 'aws', previousKeyIds: [], timeoutMs: 5000, retries: 0 };
  const key = await AwsKmsKey.open({ ...base, keyId, region, endpoint, credentials });
  try {
    assert.deepEqual(await key.health(), { ok: true });
    await key.describe();
    const { key: made, wrapped } = await key.makeKey(context);
    using opened = await key.unwrap(wrapped, context);
    assert.ok(opened.equals(made));
  } finally {
    await key.close();
  }
}

test('the actions of the documented IAM policy are enough, each is needed, and they allow nothing else', async () => {
  const moto = new CheckingMoto(await KmsServer.start('moto', workspace));
  const arn = await moto.server.createKey();
  await moto.server.createAlias('alias/s3eg', arn);
  const policy = await documentedPolicy('IAM policy of the gateway');
  const gateway = await moto.userWith('gateway', policy);
  const actions = policy.flatMap(({ Action }) => Action);
  assert.deepEqual(actions.toSorted(), ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey']);
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

test('the actions of the documented IAM policy of who rotates are enough, each is needed, and the gateway has none of them', async () => {
  const moto = new CheckingMoto(await KmsServer.start('moto', workspace));
  const [first, second] = [await moto.server.createKey(), await moto.server.createKey()];
  await moto.server.createAlias('alias/rotated', first);
  const own = await documentedPolicy('IAM policy of the gateway');
  const policy = await documentedPolicy('IAM policy of who rotates');
  const actions = policy.flatMap(({ Action }) => Action);
  assert.deepEqual(actions.toSorted(), ['kms:GetKeyRotationStatus', 'kms:RotateKeyOnDemand', 'kms:UpdateAlias']);
  const users = new Map([['gateway', await moto.userWith('plain-gateway', own)]]);
  for (const action of actions) {
    const others = actions.filter((other) => other !== action);
    const statements = [...own, { Effect: 'Allow', Action: others, Resource: [] }];
    users.set(action, await moto.userWith(`rotates-without-${action.replace(':', '-')}`, statements));
  }
  const operator = await moto.userWith('operator', [...own, ...policy]);
  await moto.startChecking();
  await using telling = await TellingMoto.start(moto.server.endpoint);
  const run = async (credentials: AwsKeys, use: (key: AwsKmsKey) => Promise<string>): Promise<string> => {
    const { region } = moto.server;
    const base = { name: 'aws', previousKeyIds: [first, second], timeoutMs: 5000, retries: 0 };
    const key = await AwsKmsKey.open({
      ...base,
      keyId: 'alias/rotated',
      region,
      endpoint: telling.address,
      credentials,
    });
    try {
      return await use(key);
    } finally {
      await key.close();
    }
  };
  const switchTo = (key: AwsKmsKey): Promise<string> => key.switchTo(second);
  for (const [lacking, credentials] of users) {
    if (lacking !== 'kms:UpdateAlias') await assert.rejects(run(credentials, rotate), lacking);
    if (lacking === 'kms:UpdateAlias' || lacking === 'gateway')
      await assert.rejects(run(credentials, switchTo), lacking);
  }
  assert.equal(await run(operator, rotate), `${first}#${'0'.repeat(16)}`);
  assert.ok((await run(operator, switchTo)).startsWith(second));
});

function rotate(key: AwsKmsKey): Promise<string> {
  return key.rotate();
}

/** moto refuses in XML, whatever the protocol, which the SDK does not understand: only the status tells. */
function isForbidden(error: unknown): boolean {
  const response: unknown = error instanceof Error ? Reflect.get(error, '$response') : undefined;
  return typeof response === 'object' && response !== null && Reflect.get(response, 'statusCode') === 403;
}
