/** URLs that SDKs and tools signed, used by curl: straight, and through a reverse proxy that changes the host. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend, type S3Access } from './support/backends.ts';
import { curl, refusalOf } from './support/curl.ts';
import { Gateway } from './support/gateway.ts';
import { startNginx } from './support/nginx.ts';
import { plaintext } from './support/plaintext.ts';
import {
  awsCliPresigner,
  boto3Presigner,
  jsPresigner,
  minioPyPresigner,
  sdkPresigner,
  type Presigner,
  type UrlRequest,
} from './support/presigners.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { SdkDriver } from './support/sdk-driver.ts';
import { ownWorkspace } from './support/site.ts';
import { digest } from './support/workspace.ts';

const bucket = 'presigned';
const hostName = 's3.test';
const week = 7 * 24 * 3600;
/** The one address of this machine that the gateway believes a forwarded host from. */
const trusted = '127.0.0.2';
const stranger = '127.0.0.3';
const partBytes = 5 * 1024 * 1024;

const names = ['AWS CLI', 'boto3', 'AWS SDK for JavaScript v3', 'AWS SDK for Go v2', 'AWS SDK for Java v2', 'minio-py'];

interface Scene {
  readonly presigner: Presigner;
  readonly access: S3Access;
  readonly key: string;
}

/** One URL for each request. */
async function urls(
  { presigner, access, key }: Scene,
  requests: readonly Partial<UrlRequest>[],
): Promise<readonly string[]> {
  const defaults = { operation: 'GetObject', bucket, key, expiresSeconds: week } as const;
  return await presigner.sign(
    access,
    requests.map((request) => ({ ...defaults, ...request })),
  );
}

for (const backend of ['embedded', 'minio'] as const) {
  describe(`presigned URLs, ${backend}`, { concurrency: false }, () => {
    const workspace = ownWorkspace();
    const presigners = new Map<string, Presigner>();
    let gateway: Gateway;
    let client: S3Client;
    let agents: { readonly boto3: S3Agent; readonly js: S3Agent };
    let small: string;
    let part: string;

    before(async () => {
      const listen = { publicHosts: [hostName], trustedProxies: [trusted] };
      gateway = await Gateway.start({
        workspace,
        backend: await startBackend(backend, workspace),
        settings: { listen },
      });
      agents = { boto3: await S3Agent.start(workspace), js: await S3Agent.startJs(workspace) };
      client = agents.boto3.client(gateway.access);
      const sdks = { 'AWS SDK for Go v2': 'go-v2', 'AWS SDK for Java v2': 'java-v2' } as const;
      for (const [name, sdk] of Object.entries(sdks)) {
        presigners.set(name, sdkPresigner(name, await SdkDriver.start(workspace, sdk)));
      }
      const makers = [
        awsCliPresigner(workspace),
        boto3Presigner(agents.boto3),
        jsPresigner(agents.js),
        minioPyPresigner(agents.boto3),
      ];
      for (const presigner of makers) presigners.set(presigner.name, presigner);
      const folder = await workspace.folder('bodies');
      [small, part] = [join(folder, 'small'), join(folder, 'part')];
      await writeFile(small, plaintext('presigned small', 70_001));
      await writeFile(part, plaintext('presigned part', partBytes));
      await client.createBucket(bucket);
    });

    /** Credentials at the public name on a port: the gateway's own, or a proxy's. */
    function publicAccess(port: number | string, virtualHosted = false): S3Access {
      return { ...gateway.access, endpoint: `http://${hostName}:${port}`, virtualHosted };
    }

    function ownPort(): string {
      return new URL(gateway.access.endpoint).port;
    }

    /** `GET`, whole and a range, of what boto3 stored. */
    async function reads(scene: Scene): Promise<void> {
      const bytes = plaintext('presigned small', 70_001);
      await client.put(bucket, scene.key, bytes);
      const [url = ''] = await urls(scene, [{}]);
      const got = await curl(workspace, url);
      assert.deepEqual([got.status, digest(got.body)], [200, digest(bytes)], got.body.toString('latin1'));
      const range = await curl(workspace, url, { headers: { range: 'bytes=65530-65540' } });
      assert.deepEqual([range.status, range.body], [206, bytes.subarray(65_530, 65_541)]);
    }

    /** `PUT`, `HEAD`, `GET` with another file name, `DELETE`; boto3 sees what came of it. */
    async function writes(scene: Scene): Promise<void> {
      const disposition = 'attachment; filename="a b.txt"';
      const [put = '', head = '', get = '', remove = ''] = await urls(scene, [
        { operation: 'PutObject' },
        { operation: 'HeadObject' },
        { disposition },
        { operation: 'DeleteObject' },
      ]);
      const bytes = plaintext('presigned small', 70_001);
      const stored = await curl(workspace, put, { file: small });
      assert.equal(stored.status, 200, stored.body.toString());
      assert.equal((await client.get(bucket, scene.key)).Body.sha256, digest(bytes));
      const seen = await curl(workspace, head, { method: 'HEAD' });
      assert.deepEqual([seen.status, seen.headers.get('content-length')], [200, '70001']);
      assert.equal(seen.headers.get('etag'), stored.headers.get('etag'));
      const got = await curl(workspace, get);
      assert.deepEqual([got.status, digest(got.body)], [200, digest(bytes)]);
      assert.equal(got.headers.get('content-disposition'), scene.presigner.overrides ? disposition : undefined);
      assert.equal((await curl(workspace, remove, { method: 'DELETE' })).status, 204);
      assert.deepEqual(await client.list(bucket, { Prefix: scene.key }), []);
    }

    /** Two parts, put by curl; boto3 begins and ends the upload. */
    async function writesParts(scene: Scene): Promise<void> {
      const upload = await client.createUpload(bucket, scene.key);
      const partUrls = await urls(
        scene,
        [1, 2].map((number) => ({ operation: 'UploadPart', part: { uploadId: upload.UploadId, number } }) as const),
      );
      const parts = [];
      for (const [index, url] of partUrls.entries()) {
        const answer = await curl(workspace, url, { file: index === 0 ? part : small });
        assert.equal(answer.status, 200, answer.body.toString());
        parts.push({ PartNumber: index + 1, ETag: answer.headers.get('etag') ?? '' });
      }
      await client.complete(upload, parts);
      const whole = Buffer.concat([plaintext('presigned part', partBytes), plaintext('presigned small', 70_001)]);
      assert.equal((await client.get(bucket, scene.key)).Body.sha256, digest(whole));
    }

    async function everything(name: string, accesses: readonly S3Access[]): Promise<void> {
      const presigner = presigners.get(name);
      assert.ok(presigner !== undefined, name);
      for (const access of accesses) {
        const scene = { presigner, access, key: `dir/${name} ü+&=%/$!'()*` };
        await reads(scene);
        if (presigner.operations.length === 1) continue;
        await writes(scene);
        await writesParts(scene);
      }
    }

    for (const name of names) {
      // Whatever lies behind the gateway is the same for a URL as for any request: the way past nginx is enough there.
      if (backend === 'embedded') {
        test(`${name} signs; curl reads and writes, in both styles of address`, async () => {
          await everything(name, [publicAccess(ownPort()), publicAccess(ownPort(), true), gateway.access]);
        });
      }

      test(`${name} signs; curl reads and writes through nginx, which changes the host`, async () => {
        const port = await startNginx(workspace, { upstream: gateway.access.endpoint, from: trusted });
        await everything(name, [publicAccess(port), publicAccess(port, true)]);
      });
    }

    test('takes forms and preflights through nginx, in both styles of address', async () => {
      const port = await startNginx(workspace, { upstream: gateway.access.endpoint, from: trusted });
      const rule = { AllowedOrigins: ['https://app.test'], AllowedMethods: ['PUT'], AllowedHeaders: ['content-type'] };
      for (const access of [publicAccess(port), publicAccess(port, true)]) {
        const key = `form ${access.virtualHosted === true}`;
        const { url, fields }: { url: string; fields: Readonly<Record<string, string>> } = await agents.boto3.call(
          access,
          'generate_presigned_post',
          {
            Bucket: bucket,
            Key: key,
            Fields: { success_action_status: '201' },
            Conditions: [['eq', '$success_action_status', '201']],
          },
        );
        const answer = await curl(workspace, url, { file: small, form: fields });
        assert.equal(answer.status, 201, answer.body.toString());
        // Where the form says that the object is, it is.
        assert.match(answer.headers.get('location') ?? '', new RegExp(`^${url.replace(/\/$/, '')}/form`));
        assert.equal((await client.get(bucket, key)).Body.sha256, digest(plaintext('presigned small', 70_001)));

        // MinIO keeps no rules of a bucket.
        if (backend === 'minio') continue;
        await client.call('put_bucket_cors', { Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } });
        const headers = {
          origin: 'https://app.test',
          'access-control-request-method': 'PUT',
          'access-control-request-headers': 'content-type',
        };
        const preflight = await curl(workspace, `${url}/any`, { method: 'OPTIONS', headers });
        assert.equal(preflight.status, 200, preflight.body.toString());
        assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.test');
      }
    });

    test('believes no forwarded host from a proxy that is not trusted', async () => {
      const port = await startNginx(workspace, { upstream: gateway.access.endpoint, from: stranger });
      await client.put(bucket, 'forwarded', plaintext('forwarded', 100));
      const presigner = boto3Presigner(agents.boto3);
      for (const access of [publicAccess(port), publicAccess(port, true)]) {
        const [url = ''] = await urls({ presigner, access, key: 'forwarded' }, [{}]);
        assert.deepEqual(refusalOf(await curl(workspace, url)), [403, 'SignatureDoesNotMatch']);
      }
      const [url = ''] = await urls({ presigner, access: publicAccess(port), key: 'forwarded' }, [{}]);
      const direct = url.replace(`:${port}/`, `:${ownPort()}/`);
      const headers = { 'x-forwarded-host': `${hostName}:${port}` };
      assert.deepEqual(refusalOf(await curl(workspace, direct, { headers })), [403, 'SignatureDoesNotMatch']);
    });
  });
}
