/** A page in Chromium that uploads and reads across origins, as the bucket's CORS rules allow. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { chromium, type Browser, type Page } from 'playwright-core';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext } from './support/plaintext.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { clientScripts, systemProgram } from './support/tools.ts';
import { digest, listen, type Workspace } from './support/workspace.ts';

const bucket = 'browser';
const uploadBytes = 3_000_001;
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What the page says of an answer that it got, or that the browser kept from it. */
interface Seen {
  readonly refused?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly length?: number;
  readonly sha256?: string;
}

/** A form as boto3 signs it. */
interface SignedForm {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Serves the page at an origin of its own. */
async function startOrigin(workspace: Workspace): Promise<string> {
  const page = await readFile(join(clientScripts, 'browser/page.html'));
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  });
  return await listen(server, workspace);
}

/** Calls a function of the page. */
async function inPage(page: Page, name: string, ...args: readonly unknown[]): Promise<Seen> {
  return await page.evaluate(`${name}(...${JSON.stringify(args)})`);
}

for (const backend of ['embedded', 'versitygw'] as const) {
  describe(`Chromium, ${backend}`, () => {
    const workspace = ownWorkspace();
    const bytes = plaintext('browser', uploadBytes);
    let gateway: Gateway;
    let client: S3Client;
    let browser: Browser;
    let file: string;
    let origins: { readonly allowed: string; readonly other: string };

    before(async () => {
      gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
      client = (await S3Agent.start(workspace)).client(gateway.access);
      origins = { allowed: await startOrigin(workspace), other: await startOrigin(workspace) };
      file = join(await workspace.folder('upload'), 'upload.bin');
      await writeFile(file, bytes);
      await client.createBucket(bucket);
      const rule = {
        AllowedOrigins: [origins.allowed],
        AllowedMethods: ['GET', 'PUT', 'POST'],
        AllowedHeaders: ['content-type', 'x-amz-*'],
        ExposeHeaders: ['ETag', 'Content-Range', 'x-amz-meta-colour'],
        MaxAgeSeconds: 60,
      };
      await client.call('put_bucket_cors', { Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } });
      const home = await workspace.folder('chromium');
      browser = await chromium.launch({
        executablePath: systemProgram('chromium'),
        args: quiet,
        env: { PATH: '/usr/bin:/bin', HOME: home },
      });
      workspace.defer(async () => await browser.close());
    });

    /** The page at an origin, with the file chosen. */
    async function open(origin: string): Promise<Page> {
      const page = await browser.newPage();
      await page.goto(origin);
      await page.setInputFiles('#file', file);
      return page;
    }

    async function signed(ClientMethod: string, Key: string, params: object = {}): Promise<string> {
      const Params = { Bucket: bucket, Key, ...params };
      return await client.call('generate_presigned_url', { ClientMethod, Params, ExpiresIn: 300 });
    }

    async function signedForm(Key: string, fields: Readonly<Record<string, string>> = {}): Promise<SignedForm> {
      const Conditions = [
        ...Object.entries(fields).map(([name, value]) => ({ [name]: value })),
        ['content-length-range', 1, uploadBytes],
      ];
      return await client.call('generate_presigned_post', {
        Bucket: bucket,
        Key,
        Fields: fields,
        Conditions,
        ExpiresIn: 300,
      });
    }

    async function stored(key: string): Promise<void> {
      const { Body } = await client.get(bucket, key);
      assert.deepEqual([Body.length, Body.sha256], [uploadBytes, digest(bytes)], key);
    }

    async function preflights(): Promise<number> {
      return await gateway.metric('s3eg_requests_total', { operation: 'PreflightRequest' });
    }

    test('uploads by a presigned PUT after a preflight, and reads the ETag', async () => {
      const page = await open(origins.allowed);
      const headers = { 'content-type': 'text/x-test', 'x-amz-meta-colour': 'blue' };
      const url = await signed('put_object', 'put', { ContentType: 'text/x-test', Metadata: { colour: 'blue' } });
      const before = await preflights();
      const seen = await inPage(page, 'put', url, headers);
      assert.equal(seen.status, 200, JSON.stringify(seen));
      assert.equal(await preflights(), before + 1);
      await stored('put');
      const head = await client.head(bucket, 'put');
      assert.deepEqual([head.ContentType, head.Metadata], ['text/x-test', { colour: 'blue' }]);
      assert.equal(seen.headers?.['etag'], head.ETag);
    });

    test('uploads by a form with a policy, with a script and without', async () => {
      const page = await open(origins.allowed);
      const { url, fields } = await signedForm('form', { success_action_status: '201' });
      const seen = await inPage(page, 'postForm', url, fields);
      assert.equal(seen.status, 201, JSON.stringify(seen));
      await stored('form');

      const target = `${origins.allowed}/done`;
      const plain = await signedForm('plain form', { success_action_redirect: target });
      await page.evaluate(`submitForm(...${JSON.stringify([plain.url, plain.fields])})`);
      await page.waitForURL(/\/done/);
      const landed = new URL(page.url());
      assert.deepEqual([landed.searchParams.get('bucket'), landed.searchParams.get('key')], [bucket, 'plain form']);
      await stored('plain form');

      const other = await signedForm('too long');
      const small = { ...other.fields, key: 'another key' };
      assert.equal((await inPage(await open(origins.allowed), 'postForm', other.url, small)).status, 403);
    });

    test('reads a range and the headers that the rules expose', async () => {
      await client.put(bucket, 'read', bytes, { Metadata: { colour: 'green' } });
      const page = await open(origins.allowed);
      const url = await signed('get_object', 'read');
      const whole = await inPage(page, 'request', url, {});
      assert.deepEqual([whole.status, whole.length, whole.sha256], [200, uploadBytes, digest(bytes)]);
      const seen = await inPage(page, 'request', url, { headers: { Range: 'bytes=65530-131080' } });
      assert.deepEqual([seen.status, seen.sha256], [206, digest(bytes.subarray(65_530, 131_081))]);
      assert.deepEqual(seen.headers, {
        etag: (await client.head(bucket, 'read')).ETag,
        'content-range': `bytes 65530-131080/${uploadBytes}`,
        'content-length': '65551',
        'x-amz-meta-colour': 'green',
        'x-amz-request-id': null,
      });
    });

    test('is kept from everything at an origin that the rules do not name', async () => {
      await client.put(bucket, 'read', bytes);
      const page = await open(origins.other);
      const refused = { refused: 'TypeError' };
      assert.deepEqual(await inPage(page, 'put', await signed('put_object', 'stranger'), {}), refused);
      assert.deepEqual(await client.list(bucket, { Prefix: 'stranger' }), [], 'the preflight kept it');
      assert.deepEqual(await inPage(page, 'request', await signed('get_object', 'read'), {}), refused);
      // A method that no rule names, from the right origin.
      const url = await signed('delete_object', 'read');
      const deletion = await inPage(await open(origins.allowed), 'request', url, { method: 'DELETE' });
      assert.deepEqual(deletion, refused);
      assert.equal((await client.head(bucket, 'read')).ContentLength, uploadBytes);
    });
  });
}
