import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { generate } from 'selfsigned';

import { SecretBytes } from '../../src/crypto/secret-bytes.ts';
import { KeyError } from '../../src/keys/key-provider.ts';
import { VaultTransitKey } from '../../src/keys/vault-transit/transit-key.ts';
import type { VaultAuth, VaultTls } from '../../src/keys/vault-transit/vault-options.ts';
import { context } from '../unit/keys/support.ts';
import { VaultServer, type VaultOptions } from '../interop/support/vault-server.ts';
import { Workspace } from '../interop/support/workspace.ts';

const workspace = new Workspace();
after(() => workspace[Symbol.asyncDispose]());

function keyOf(vault: VaultServer, auth: VaultAuth, tls?: VaultTls): VaultTransitKey {
  const key = new VaultTransitKey({
    name: 'vault',
    address: vault.address,
    mount: 'transit',
    key: 'main',
    ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
    auth,
    ...(tls === undefined ? {} : { tls }),
    timeoutMs: 2000,
    retries: 1,
  });
  workspace.defer(() => key.close());
  return key;
}

async function works(key: VaultTransitKey): Promise<void> {
  using plain = new SecretBytes(new Uint8Array(32).fill(7));
  const wrapped = await key.wrap(plain, context);
  using opened = await key.unwrap(wrapped, context);
  assert.ok(opened.equals(plain));
}

function isDenied(error: unknown): boolean {
  return error instanceof KeyError && error.code === 'denied';
}

async function startVault(options: VaultOptions): Promise<VaultServer> {
  const vault = await VaultServer.start(workspace, options);
  await vault.createKey('main');
  await vault.usePolicy('gateway', 'main', 'Vault policy of the gateway');
  return vault;
}

/** What is held to the same: OpenBao in a namespace, where its tokens have another form too. */
const servers: readonly (readonly [string, VaultOptions])[] = [
  ['a real Vault', {}],
  ['a namespace of a real OpenBao', { product: 'openbao', namespace: 'team/storage' }],
];

for (const [name, server] of servers) {
  describe(`logins at ${name}`, () => {
    let vault: VaultServer;
    before(async () => {
      vault = await startVault(server);
    });

    test('AppRole: the token is renewed, and replaced when its longest life is over', async () => {
      const options = { token_ttl: '1s', token_max_ttl: '3s' };
      const key = keyOf(vault, {
        method: 'approle',
        mount: 'approle',
        ...(await vault.appRole('short', ['gateway'], options)),
      });
      await works(key);
      const endMs = performance.now() + 4500;
      while (performance.now() < endMs) {
        await works(key);
        await delay(250);
      }
    });

    test('AppRole: a token that was revoked is replaced at once, and a wrong secret id is refused', async () => {
      const role = await vault.appRole('revoked', ['gateway']);
      const key = keyOf(vault, { method: 'approle', mount: 'approle', ...role });
      await works(key);
      await vault.ok('POST', 'sys/leases/revoke-prefix/auth/approle/login');
      await works(key);
      const wrong = keyOf(vault, { method: 'approle', mount: 'approle', roleId: role.roleId, secretId: 'wrong' });
      await assert.rejects(works(wrong), isDenied);
    });

    test('token: renewed where Vault allows it, and refused when it is over', async () => {
      const renewable = keyOf(vault, {
        method: 'token',
        token: await vault.token(['gateway'], { ttl: '2s', renewable: true }),
      });
      const fixed = keyOf(vault, {
        method: 'token',
        token: await vault.token(['gateway'], { ttl: '2s', renewable: false }),
      });
      await Promise.all([works(renewable), works(fixed)]);
      await delay(3500);
      await works(renewable);
      await assert.rejects(works(fixed), isDenied);
    });

    test('token file: what an agent writes there is used when the old token is refused', async () => {
      const tokenFile = join(await workspace.folder('agent'), 'token');
      const first = await vault.token(['gateway']);
      await writeFile(tokenFile, first);
      const key = keyOf(vault, { method: 'token', tokenFile });
      await works(key);
      await vault.ok('POST', 'auth/token/revoke', { token: first });
      await writeFile(tokenFile, await vault.token(['gateway']));
      await works(key);
    });

    test('Kubernetes: the service account’s token is what Vault has reviewed', async () => {
      const cluster = await TokenReviews.start(workspace);
      const { cert } = await generate([{ name: 'commonName', value: 'cluster' }], { keyType: 'ec' });
      await vault.ok('POST', 'auth/kubernetes/config', {
        kubernetes_host: cluster.address,
        // OpenBao insists on one, though the cluster of this test has no TLS.
        kubernetes_ca_cert: cert,
        token_reviewer_jwt: 'reviewer',
        disable_local_ca_jwt: true,
      });
      await vault.ok('POST', 'auth/kubernetes/role/gateway', {
        bound_service_account_names: ['gateway'],
        bound_service_account_namespaces: ['storage'],
        token_policies: ['gateway'],
      });
      const tokenFile = join(await workspace.folder('account'), 'token');
      const auth = { method: 'kubernetes', mount: 'kubernetes', role: 'gateway', tokenFile } as const;
      await writeFile(tokenFile, serviceAccountToken('storage', 'gateway'));
      await works(keyOf(vault, auth));
      assert.equal(cluster.reviews, 1);
      await writeFile(tokenFile, serviceAccountToken('storage', 'somebody-else'));
      await assert.rejects(works(keyOf(vault, auth)), isDenied);
    });
  });

  describe(`${name} behind TLS`, () => {
    test('is trusted by a CA of one’s own, and lets in who shows a certificate', async () => {
      const folder = await workspace.folder('tls');
      const notAfterDate = new Date(Date.now() + 86_400_000);
      const server = await generate([{ name: 'commonName', value: 'vault' }], {
        keyType: 'ec',
        notAfterDate,
        extensions: [
          { name: 'basicConstraints', cA: true },
          { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
        ],
      });
      const client = await generate([{ name: 'commonName', value: 'gateway' }], { keyType: 'ec', notAfterDate });
      const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca: join(folder, 'cert.pem') };
      await writeFile(files.cert, server.cert);
      await writeFile(files.key, server.private);
      const vault = await startVault({ ...server, tls: files });
      const ca = await readFile(files.ca, 'utf8');
      await vault.ok('POST', 'auth/cert/certs/gateway', { certificate: client.cert, token_policies: ['gateway'] });
      const auth = { method: 'cert', mount: 'cert', role: 'gateway' } as const;
      await works(keyOf(vault, auth, { ca, cert: client.cert, key: client.private }));
      await assert.rejects(works(keyOf(vault, auth, { ca })), isDenied);
      // Without the CA the server is nobody.
      const untrusted = keyOf(vault, auth, { cert: client.cert, key: client.private });
      await assert.rejects(works(untrusted), (error) => error instanceof KeyError && error.code === 'unavailable');
      assert.match((await untrusted.health()).reason ?? '', /cannot be reached: .*CERT/);
    });
  });

  describe(`the health of ${name}`, () => {
    test('tells sealed, forbidden and missing apart, and is well again afterwards', async () => {
      const vault = await startVault(server);
      const key = keyOf(vault, { method: 'token', token: await vault.token(['gateway']) });
      assert.deepEqual(await key.health(), { ok: true });
      await vault.seal();
      assert.match((await key.health()).reason ?? '', /is sealed/);
      await vault.unseal();
      assert.deepEqual(await key.health(), { ok: true });
      await vault.ok('DELETE', 'sys/policies/acl/gateway');
      assert.match((await key.health()).reason ?? '', /does not let the gateway read the key/);
      await vault.usePolicy('gateway', 'main', 'Vault policy of the gateway');
      await vault.ok('POST', 'transit/keys/main/config', { deletion_allowed: true });
      await vault.ok('DELETE', 'transit/keys/main');
      assert.match((await key.health()).reason ?? '', /no Transit key at/);
      // The policy of the documentation does not let Vault make a key that is missing.
      await assert.rejects(works(key), KeyError);
      assert.equal((await vault.call('GET', 'transit/keys/main')).status, 404);
    });
  });
}

/** The part of a Kubernetes API server that Vault asks. */
class TokenReviews implements AsyncDisposable {
  reviews = 0;
  address = '';
  readonly #server = createServer((request, response) => void this.#review(request, response));

  static async start(workspace: Workspace): Promise<TokenReviews> {
    const reviews = workspace.use(new TokenReviews());
    reviews.#server.listen(0, '127.0.0.1');
    await once(reviews.#server, 'listening');
    const address = reviews.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    reviews.address = `http://127.0.0.1:${address.port}`;
    return reviews;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #review(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const review: { readonly spec: { readonly token: string } } = JSON.parse(await text(request));
    this.reviews += 1;
    const [, claims = ''] = review.spec.token.split('.');
    const { sub }: { readonly sub: string } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
    const user = { username: sub, uid: '1234', groups: ['system:serviceaccounts'] };
    const status = { authenticated: true, user, audiences: ['vault'] };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', ...review, status }));
  }
}

/** A token of a service account; whether its signature is right is for the API server to say. */
function serviceAccountToken(namespace: string, name: string): string {
  const claims = {
    iss: 'kubernetes/serviceaccount',
    sub: `system:serviceaccount:${namespace}:${name}`,
    'kubernetes.io/serviceaccount/namespace': namespace,
    'kubernetes.io/serviceaccount/service-account.name': name,
    'kubernetes.io/serviceaccount/service-account.uid': '1234',
  };
  const parts = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return [...parts, Buffer.alloc(256, 1).toString('base64url')].join('.');
}
