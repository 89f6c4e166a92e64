import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { ConnectionOptions } from 'node:tls';

import { generate } from 'selfsigned';

import { seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { RawConnection } from './support/raw-connection.ts';

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

async function certificate(name: string, ca?: Certificate): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: ca === undefined },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
    ...(ca === undefined ? {} : { ca }),
  });
  return { cert, key };
}

async function request(gateway: Gateway, tls: ConnectionOptions): Promise<string> {
  using s3 = new S3Client(gateway, { tls });
  return (await s3.send({ method: 'GET' })).outcome;
}

describe('TLS', () => {
  let authority: Certificate;
  let stranger: Certificate;
  let server: Certificate;
  before(async () => {
    authority = await certificate('authority');
    stranger = await certificate('stranger');
    server = await certificate('localhost', authority);
  });

  it('carries everything, to clients that know who signed', async () => {
    const tls = { cert: server.cert, key: server.key };
    await using gateway = await Gateway.start({ config: { listen: { host: '127.0.0.1', port: 0, tls } } });
    assert.match(gateway.output, /"address":"https:\/\/127\.0\.0\.1:\d+"/);
    using s3 = new S3Client(gateway, { tls: { ca: authority.cert } });
    await s3.createBucket('bucket');
    const body = seededBytes('tls', 3_000_001);
    assert.equal((await s3.put('bucket', 'k', body)).outcome, '200');
    assert.ok((await s3.get('bucket', 'k')).body.equals(body));
    await assert.rejects(request(gateway, { ca: stranger.cert }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    await assert.rejects(request(gateway, { ca: authority.cert, maxVersion: 'TLSv1.1' }));
    // Plain HTTP gets no answer, and does no harm.
    using plain = await RawConnection.open(gateway.s3);
    plain.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
    await plain.closed();
    assert.equal((await s3.head('bucket', 'k')).status, 200);
  });

  it('takes its certificates from files', async (context) => {
    const directory = await temporaryDirectory();
    context.after(async () => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, 'cert.pem'), server.cert);
    await writeFile(join(directory, 'key.pem'), server.key);
    const tls = { cert: './cert.pem', key: './key.pem' };
    await using gateway = await Gateway.start({ directory, config: { listen: { host: '127.0.0.1', port: 0, tls } } });
    assert.equal(await request(gateway, { ca: authority.cert }), '200');
  });

  it('with a client CA serves only those whom it signed for', async () => {
    const tls = { cert: server.cert, key: server.key, clientCa: authority.cert };
    await using gateway = await Gateway.start({ config: { listen: { host: '127.0.0.1', port: 0, tls } } });
    const { cert, key } = await certificate('client', authority);
    assert.equal(await request(gateway, { ca: authority.cert, cert, key }), '200');
    await assert.rejects(request(gateway, { ca: authority.cert }), 'no certificate');
    const forged = await certificate('client', stranger);
    await assert.rejects(request(gateway, { ca: authority.cert, ...forged }), 'one of somebody else');
    await assert.rejects(request(gateway, { ca: authority.cert, ...stranger }), 'one of its own making');
    // A certificate lets in to ask; who may do what is for the signature to say.
    using s3 = new S3Client(gateway, { tls: { ca: authority.cert, cert, key } });
    assert.equal((await s3.sendRaw({ method: 'GET', target: '/' })).outcome, '403 AccessDenied');
  });
});
