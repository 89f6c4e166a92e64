import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';

import { verifyForm } from '../../../src/s3/post-policy.ts';

const now = Date.parse('2026-03-04T05:06:07Z');
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const credential = 'AKIDEXAMPLE/20260304/eu-central-1/s3/aws4_request';

/** The signature as the S3 API reference describes it. */
function sign(policy: string): string {
  const steps = ['20260304', 'eu-central-1', 's3', 'aws4_request'];
  let key: string | Buffer = `AWS4${secret}`;
  for (const step of steps) key = createHmac('sha256', key).update(step).digest();
  return createHmac('sha256', key).update(policy).digest('hex');
}

const signed = {
  'x-amz-algorithm': 'AWS4-HMAC-SHA256',
  'x-amz-credential': credential,
  'x-amz-date': '20260304T050000Z',
};
const signedConditions = Object.entries(signed).map(([name, value]) => ({ [name]: value }));

interface Form {
  readonly fields?: Readonly<Record<string, string>>;
  readonly conditions?: readonly unknown[];
  readonly expiration?: string;
  readonly policy?: string;
}

function fieldsOf({ fields = {}, conditions = [], expiration = '2026-03-04T06:00:00.000Z', policy }: Form) {
  const document = policy ?? JSON.stringify({ expiration, conditions: [...signedConditions, ...conditions] });
  const encoded = Buffer.from(document).toString('base64');
  return new Map(Object.entries({ ...signed, policy: encoded, 'x-amz-signature': sign(encoded), ...fields }));
}

function verify(form: Form) {
  return verifyForm(fieldsOf(form), {
    bucket: 'photos',
    lookup: (id) => (id === 'AKIDEXAMPLE' ? secret : undefined),
    now,
  });
}

const keyA = { fields: { key: 'user/a' }, conditions: [{ bucket: 'photos' }, ['starts-with', '$key', 'user/']] };

describe('verifyForm', () => {
  it('knows who signed, and how long the file may be', () => {
    const unlimited = { accessKeyId: 'AKIDEXAMPLE', minBytes: 0, maxBytes: Number.POSITIVE_INFINITY };
    assert.deepEqual(verify(keyA), unlimited);
    const conditions = [...keyA.conditions, ['content-length-range', 10, '20'], ['Content-Length-Range', 5, 15]];
    assert.deepEqual(verify({ ...keyA, conditions }), { accessKeyId: 'AKIDEXAMPLE', minBytes: 10, maxBytes: 15 });
  });

  it('takes fields that begin with x-ignore-, and any case of names in conditions', () => {
    const fields = { key: 'k', 'x-ignore-me': '1', 'content-type': 'image/png,image/gif' };
    verify({ fields, conditions: [{ KEY: 'k' }, ['starts-with', '$Content-Type', 'image/']] });
  });

  it('asks for a key before it looks at conditions', () => {
    for (const fields of [{}, { key: '' }]) {
      const form = { ...keyA, fields };
      assert.throws(() => verify(form), { code: 'InvalidArgument', message: /field named 'key'/ });
    }
  });

  const denied: [string, Form, RegExp][] = [
    ['a key outside of its prefix', { ...keyA, fields: { key: 'other/a' } }, /Condition failed/],
    ['another bucket', { fields: { key: 'k' }, conditions: [{ bucket: 'other' }, { key: 'k' }] }, /Condition failed/],
    ['a field without a condition', { ...keyA, fields: { ...keyA.fields, acl: 'public-read' } }, /Extra input fields/],
    ['a condition without its field', { ...keyA, conditions: [...keyA.conditions, { acl: 'x' }] }, /Condition failed/],
    ['an expired policy', { ...keyA, expiration: '2026-03-04T05:06:06Z' }, /expired/],
    [
      'a list of types of which one does not begin so',
      {
        fields: { key: 'k', 'content-type': 'image/png,text/html' },
        conditions: [{ key: 'k' }, ['starts-with', '$content-type', 'image/']],
      },
      /Condition failed/,
    ],
  ];
  for (const [what, form, message] of denied) {
    it(`denies ${what}`, () => assert.throws(() => verify(form), { code: 'AccessDenied', status: 403, message }));
  }

  const refused: [string, Form, string][] = [
    ['no JSON', { policy: 'nonsense' }, 'InvalidPolicyDocument'],
    ['a list for a policy', { policy: '[]' }, 'InvalidPolicyDocument'],
    ['no expiration', { policy: '{"conditions":[]}' }, 'InvalidPolicyDocument'],
    ['an expiration in words', { expiration: 'tomorrow' }, 'InvalidPolicyDocument'],
    ['no conditions', { policy: '{"expiration":"2030-01-01T00:00:00Z"}' }, 'InvalidPolicyDocument'],
    ['an unknown operator', { conditions: [['ends-with', '$key', 'x']] }, 'InvalidPolicyDocument'],
    ['a condition on no field', { conditions: [['eq', 'key', 'x']] }, 'InvalidPolicyDocument'],
    ['a value that is no text', { conditions: [{ key: 5 }] }, 'InvalidPolicyDocument'],
    ['a negative length', { conditions: [['content-length-range', -1, 5]] }, 'InvalidPolicyDocument'],
    ['201 conditions', { conditions: Array.from({ length: 201 }, () => ({ key: 'k' })) }, 'InvalidPolicyDocument'],
    [
      'another signature',
      { ...keyA, fields: { ...keyA.fields, 'x-amz-signature': '0'.repeat(64) } },
      'SignatureDoesNotMatch',
    ],
    ['a short signature', { ...keyA, fields: { ...keyA.fields, 'x-amz-signature': 'ab' } }, 'SignatureDoesNotMatch'],
    [
      'an unknown access key',
      { ...keyA, fields: { ...keyA.fields, 'x-amz-credential': credential.replace('AKID', 'AKIX') } },
      'InvalidAccessKeyId',
    ],
    [
      'another region in the credential',
      { ...keyA, fields: { ...keyA.fields, 'x-amz-credential': credential.replace('eu-central-1', 'us-east-1') } },
      'SignatureDoesNotMatch',
    ],
    ['a malformed credential', { fields: { 'x-amz-credential': 'AKIDEXAMPLE' } }, 'InvalidArgument'],
    ['a date of another day', { fields: { 'x-amz-date': '20260305T000000Z' } }, 'InvalidArgument'],
    ['another algorithm', { fields: { 'x-amz-algorithm': 'AWS4-ECDSA-P256-SHA256' } }, 'InvalidArgument'],
    ['a session token', { fields: { 'x-amz-security-token': 't' } }, 'InvalidToken'],
    ['signature version 2', { fields: { awsaccesskeyid: 'a', signature: 's' } }, 'InvalidRequest'],
  ];
  for (const [what, form, code] of refused) it(`refuses ${what}`, () => assert.throws(() => verify(form), { code }));

  it('shows a condition as it stands in the policy', () => {
    const fields = { key: 'k' };
    const shown = /Policy Condition failed: \["eq", "\$key", "a"\]$/;
    assert.throws(() => verify({ fields, conditions: [{ key: 'a' }] }), { message: shown });
    const listed = /Policy Condition failed: \["eq","\$Key","a"\]$/;
    assert.throws(() => verify({ fields, conditions: [['eq', '$Key', 'a']] }), { message: listed });
  });

  it('shows what was signed where the signature does not match', () => {
    const fields = { key: 'k', 'x-amz-signature': '0'.repeat(64), policy: 'e30=' };
    const details = {
      AWSAccessKeyId: 'AKIDEXAMPLE',
      StringToSign: 'e30=',
      SignatureProvided: '0'.repeat(64),
      StringToSignBytes: '65 33 30 3d',
    };
    assert.throws(() => verify({ fields }), { code: 'SignatureDoesNotMatch', details });
  });

  it('denies a form without a policy, and asks for what is missing', () => {
    const context = { bucket: 'photos', lookup: () => secret, now };
    assert.throws(() => verifyForm(new Map([['key', 'k']]), context), { code: 'AccessDenied' });
    for (const name of [...Object.keys(signed), 'x-amz-signature', 'policy']) {
      const fields = fieldsOf(keyA);
      fields.delete(name);
      assert.throws(() => verifyForm(fields, context), { code: 'InvalidArgument', details: { ArgumentName: name } });
    }
  });
});
