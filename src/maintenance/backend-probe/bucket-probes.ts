import { createHash } from 'node:crypto';

import { S3Error } from '../../s3/s3-error.ts';
import { expect, IgnoredError, type ProbeClient } from './probe.ts';

const dayMs = 86_400_000;

/** A document of a bucket's sub-resource. */
interface Document {
  readonly operation: string;
  readonly query: string;
  readonly contentType?: string;
  readonly text: string;
}

async function putDocument(client: ProbeClient, { operation, query, contentType, text }: Document): Promise<void> {
  const document = Buffer.from(text);
  const headers = {
    'content-type': contentType ?? 'application/xml',
    'content-md5': createHash('md5').update(document).digest('base64'),
  };
  const { bucket } = client;
  await client.store.subResource(
    { operation, method: 'PUT', bucket, query: { [query]: '' }, headers, document },
    client.options,
  );
}

async function getDocument(client: ProbeClient, operation: string, query: string): Promise<string> {
  const { bucket } = client;
  const document = new Uint8Array();
  const answer = await client.store.subResource(
    { operation, method: 'GET', bucket, query: { [query]: '' }, headers: {}, document },
    client.options,
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Two versions and a delete marker. */
export async function probeVersions(client: ProbeClient): Promise<void> {
  await putDocument(client, {
    operation: 'PutBucketVersioning',
    query: 'versioning',
    text: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  });
  const first = await client.put('versioned', 'first');
  await client.put('versioned', 'second');
  const versionId = first.headers['x-amz-version-id'];
  if (versionId === undefined) throw new IgnoredError('versioning was accepted, but answers have no version id');
  expect((await client.get('versioned', { versionId })).bytes.toString() === 'first', 'a version has other bytes');
  await client.store.deleteObject(client.at('versioned'), client.options);
  const { versions } = await client.store.listVersions({ bucket: client.bucket }, client.options);
  const kinds = versions.map(({ kind }) => kind).toSorted();
  expect(kinds.join() === 'deleteMarker,version,version', 'the versions are not all listed');
}

/** Longer than what goes to the backend in one piece, so that its checksum follows in a trailer. */
const lockedBytes = 100_000;

/** A version under governance, which must not be deleted until it is allowed explicitly. */
export async function probeObjectLock(client: ProbeClient): Promise<void> {
  const headers = {
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + dayMs).toISOString(),
  };
  const content = Buffer.alloc(lockedBytes, 'locked');
  const { headers: answer } = await client.put('locked', content, { headers });
  const versionId = answer['x-amz-version-id'];
  if (versionId === undefined) throw new IgnoredError('the lock was accepted, but the object has no version');
  expect((await client.get('locked', { versionId })).bytes.equals(content), 'a locked object has other bytes');
  const locked = { ...client.at('locked'), versionId };
  const wasDeleted = await client.store.deleteObject(locked, client.options).then(
    () => true,
    (error: unknown) => {
      if (error instanceof S3Error && error.status < 500) return false;
      throw error;
    },
  );
  if (wasDeleted) throw new IgnoredError('a locked version was deleted');
}

/** Rules for browsers. */
export async function probeCors(client: ProbeClient): Promise<void> {
  const origin = 'https://probe.example.org';
  await putDocument(client, {
    operation: 'PutBucketCors',
    query: 'cors',
    text: `<CORSConfiguration><CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`,
  });
  expect((await getDocument(client, 'GetBucketCors', 'cors')).includes(origin), 'the rules are not given back');
}

/** A rule that expires objects. */
export async function probeLifecycle(client: ProbeClient): Promise<void> {
  await putDocument(client, {
    operation: 'PutBucketLifecycleConfiguration',
    query: 'lifecycle',
    text: '<LifecycleConfiguration><Rule><ID>probe</ID><Filter><Prefix>none/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>',
  });
  const found = await getDocument(client, 'GetBucketLifecycleConfiguration', 'lifecycle');
  expect(found.includes('<ID>probe</ID>'), 'the rules are not given back');
}

/** A policy that denies what nobody does. */
export async function probeBucketPolicies(client: ProbeClient): Promise<void> {
  const statement = {
    Sid: 'probe',
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: `arn:aws:s3:::${client.bucket}/none/*`,
  };
  await putDocument(client, {
    operation: 'PutBucketPolicy',
    query: 'policy',
    contentType: 'application/json',
    text: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
  });
  expect((await getDocument(client, 'GetBucketPolicy', 'policy')).includes('probe'), 'the policy is not given back');
}
