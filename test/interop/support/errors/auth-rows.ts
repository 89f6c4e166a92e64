/** Who asks, and how it is proven. */
import type { ErrorRow } from './row.ts';
import { content, type Call, type Sent } from './stage.ts';

const minuteMs = 60_000;

/** The Authorization header with one piece of it changed. */
function authorization(from: RegExp | string, to: string): (sent: Sent) => Sent {
  return (sent) => {
    const before = sent.headers['authorization'] ?? '';
    const changed = before.replace(from, to);
    if (changed === before) throw new Error(`nothing to change in ${before}`);
    return { ...sent, headers: { ...sent.headers, authorization: changed } };
  };
}

/** The presigned query with one piece of it changed. */
function presigned(name: string, from: RegExp | string, to: string): ErrorRow['call'] {
  return {
    key: 'k',
    how: 'presigned',
    tamper: (sent) => {
      const target = sent.target.replace(from, to);
      if (target === sent.target) throw new Error(`${name}: nothing to change in ${target}`);
      return { ...sent, target };
    },
  };
}

function without(...names: readonly string[]): (sent: Sent) => Sent {
  return (sent) => ({
    ...sent,
    headers: Object.fromEntries(Object.entries(sent.headers).filter(([name]) => !names.includes(name))),
  });
}

function withHeader(name: string, value: string): (sent: Sent) => Sent {
  return (sent) => ({ ...sent, headers: { ...sent.headers, [name]: value } });
}

const read: Call = { key: 'k' };
const raw = (value: string): Call => ({ key: 'k', how: 'unsigned', headers: { authorization: value } });

/** Signatures in the Authorization header. */
export const headerRows: readonly ErrorRow[] = [
  { name: 'no signature', call: { ...read, how: 'unsigned' } },
  { name: 'no signature, HEAD', call: { ...read, method: 'HEAD', how: 'unsigned' } },
  { name: 'no signature, PUT', call: { ...read, method: 'PUT', how: 'unsigned', body: 'x' } },
  { name: 'no signature, list of buckets', call: { bucket: null, how: 'unsigned' } },
  { name: 'a wrong secret key', call: { ...read, secretAccessKey: 'wrong-secret-key' } },
  { name: 'a wrong secret key, HEAD', call: { ...read, method: 'HEAD', secretAccessKey: 'wrong-secret-key' } },
  { name: 'an unknown access key', call: { ...read, accessKeyId: 'NOBODYKNOWSTHISKEY1' } },
  { name: 'a clock 20 minutes late', call: { ...read, at: new Date(Date.now() - 20 * minuteMs) } },
  { name: 'a clock 20 minutes early', call: { ...read, at: new Date(Date.now() + 20 * minuteMs) } },
  { name: 'a signature of two days ago', call: { ...read, at: new Date(Date.now() - 2880 * minuteMs) } },
  { name: 'basic authentication', call: raw('Basic dXNlcjpwYXNz') },
  { name: 'a bearer token', call: raw('Bearer abc') },
  { name: 'an algorithm that is none', call: { ...read, tamper: authorization('AWS4-HMAC-SHA256', 'AWS5-HMAC') } },
  { name: 'an Authorization header without fields', call: raw('AWS4-HMAC-SHA256') },
  { name: 'an Authorization header of nonsense', call: raw('AWS4-HMAC-SHA256 nonsense') },
  { name: 'no Credential', call: { ...read, tamper: authorization(/Credential=[^,]+, */, '') } },
  { name: 'no SignedHeaders', call: { ...read, tamper: authorization(/SignedHeaders=[^,]+, */, '') } },
  { name: 'no Signature', call: { ...read, tamper: authorization(/, *Signature=[0-9a-f]+/, '') } },
  { name: 'a Credential of too few pieces', call: { ...read, tamper: authorization('/s3/aws4_request', '') } },
  { name: 'a scope of another service', call: { ...read, tamper: authorization('/s3/', '/ec2/') } },
  { name: 'a scope that ends otherwise', call: { ...read, tamper: authorization('aws4_request', 'aws3_request') } },
  { name: 'a scope whose date is none', call: { ...read, tamper: authorization(/\/\d{8}\//, '/notadate/') } },
  { name: 'a scope of another day', call: { ...read, tamper: authorization(/\/\d{8}\//, '/20200101/') } },
  { name: 'a signature of other digits', call: { ...read, tamper: authorization(/[0-9a-f]{64}$/, 'a'.repeat(64)) } },
  { name: 'a signature that is too short', call: { ...read, tamper: authorization(/[0-9a-f]{60}$/, '') } },
  { name: 'no date at all', call: { ...read, tamper: without('x-amz-date') } },
  { name: 'a date that is none', call: { ...read, tamper: withHeader('x-amz-date', 'yesterday') } },
  { name: 'no x-amz-content-sha256', call: { ...read, tamper: without('x-amz-content-sha256') } },
  { name: 'an x-amz-content-sha256 that is none', call: { ...read, payloadHash: 'nonsense' } },
  {
    name: 'an x-amz-content-sha256 that is none, PUT',
    call: { ...read, method: 'PUT', body: 'x', payloadHash: 'abc' },
  },
  { name: 'an x-amz header that is not signed', call: { ...read, tamper: withHeader('x-amz-meta-added', 'x') } },
  {
    name: 'a host that is not signed',
    call: { ...read, tamper: authorization('SignedHeaders=host;', 'SignedHeaders=') },
  },
  { name: 'a signed header that is missing', call: { ...read, tamper: authorization('=host;', '=absent;host;') } },
  { name: 'a changed path', call: { ...read, tamper: (sent) => ({ ...sent, target: `${sent.target}x` }) } },
  { name: 'a changed query', call: { ...read, tamper: (sent) => ({ ...sent, target: `${sent.target}?versionId=x` }) } },
  { name: 'a changed method', call: { ...read, tamper: (sent) => ({ ...sent, method: 'DELETE' }) } },
  { name: 'a session token of nobody', call: { ...read, headers: { 'x-amz-security-token': 'token' } } },
  {
    name: 'a signature in header and query',
    call: { ...read, how: 'presigned', tamper: withHeader('authorization', 'AWS4-HMAC-SHA256 Credential=x') },
  },
];

const hour = 'X-Amz-Expires=3600';

/** Presigned URLs. */
export const presignedRows: readonly ErrorRow[] = [
  { name: 'expired', call: { ...read, how: 'presigned', expiresSeconds: 1, at: new Date(Date.now() - minuteMs) } },
  {
    name: 'expired, HEAD',
    call: { ...read, method: 'HEAD', how: 'presigned', expiresSeconds: 1, at: new Date(Date.now() - minuteMs) },
  },
  { name: 'not valid yet', call: { ...read, how: 'presigned', at: new Date(Date.now() + 20 * minuteMs) } },
  { name: 'a wrong secret key', call: { ...read, how: 'presigned', secretAccessKey: 'wrong-secret-key' } },
  { name: 'an unknown access key', call: { ...read, how: 'presigned', accessKeyId: 'NOBODYKNOWSTHISKEY1' } },
  { name: 'more than seven days', call: presigned('week', hour, 'X-Amz-Expires=604801') },
  { name: 'a negative time', call: presigned('negative', hour, 'X-Amz-Expires=-1') },
  { name: 'a time that is none', call: presigned('text', hour, 'X-Amz-Expires=soon') },
  { name: 'no time', call: presigned('no time', /X-Amz-Expires=3600&?/, '') },
  { name: 'no date', call: presigned('no date', /X-Amz-Date=[^&]*&?/, '') },
  { name: 'a date that is none', call: presigned('date', /X-Amz-Date=[^&]*/, 'X-Amz-Date=yesterday') },
  { name: 'no credential', call: presigned('no credential', /X-Amz-Credential=[^&]*&?/, '') },
  { name: 'a credential that is none', call: presigned('credential', /X-Amz-Credential=[^&]*/, 'X-Amz-Credential=x') },
  { name: 'no signed headers', call: presigned('headers', /X-Amz-SignedHeaders=[^&]*&?/, '') },
  { name: 'no signature', call: presigned('no signature', /X-Amz-Signature=[^&]*&?/, 'x-id=GetObject') },
  { name: 'another signature', call: presigned('signature', /X-Amz-Signature=.{4}/, 'X-Amz-Signature=0000') },
  { name: 'another algorithm', call: presigned('algorithm', 'AWS4-HMAC-SHA256', 'AWS4-HMAC-MD5') },
  { name: 'a scope of another service', call: presigned('service', '%2Fs3%2F', '%2Fec2%2F') },
  { name: 'a changed time', call: presigned('changed time', hour, 'X-Amz-Expires=7200') },
  { name: 'a parameter more', call: presigned('parameter', '?', '?response-content-type=text%2Fhtml&') },
  {
    name: 'another method',
    call: { ...read, how: 'presigned', tamper: (sent) => ({ ...sent, method: 'PUT', body: content }) },
  },
  {
    name: 'an x-amz header that is not signed',
    call: { ...read, how: 'presigned', tamper: withHeader('x-amz-meta-added', 'x') },
  },
];
