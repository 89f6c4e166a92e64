/** Uploads by an HTML form, signed as the S3 API reference describes it ("POST Object", "POST policy"). */
import { amzDate, hmac, signingKey } from '../../../e2e/support/signing.ts';
import type { ErrorRow } from './row.ts';
import type { Call, Stage } from './stage.ts';

const boundary = '----formOfTheTests';

interface Form {
  readonly fields?: Readonly<Record<string, string | undefined>>;
  readonly conditions?: readonly unknown[];
  readonly file?: string | null;
  readonly policy?: string;
  readonly expiration?: string;
  readonly secretAccessKey?: string;
  readonly cutTo?: number;
}

/** A form; a field that is undefined is left out, whatever else says that it is there. */
const form =
  (form: Form) =>
  (stage: Stage): Call => {
    const whole = encode(form, stage);
    const body = whole.slice(0, form.cutTo ?? whole.length);
    return {
      method: 'POST',
      how: 'unsigned',
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body,
    };
  };

function encode(form: Form, { access, bucket }: Stage): string {
  const now = new Date();
  const credentials = { ...access, secretAccessKey: form.secretAccessKey ?? access.secretAccessKey };
  const signed: Record<string, string> = {
    bucket,
    key: 'posted',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${access.accessKeyId}/${amzDate(now).slice(0, 8)}/us-east-1/s3/aws4_request`,
    'x-amz-date': amzDate(now),
  };
  const equal = Object.entries(signed).map(([name, value]) => ({ [name]: value }));
  const expiration = form.expiration ?? new Date(now.getTime() + 60_000).toISOString();
  const text = form.policy ?? JSON.stringify({ expiration, conditions: [...equal, ...(form.conditions ?? [])] });
  const policy = Buffer.from(text).toString('base64');
  const signature = hmac(signingKey({ credentials, at: now }), policy).toString('hex');
  const fields = Object.entries({ ...signed, policy, 'x-amz-signature': signature, ...form.fields })
    .map(([name, value]) => (value === undefined ? '' : field(name, value)))
    .join('');
  const file = form.file === null ? '' : field('file"; filename="a.bin', form.file ?? 'content');
  return `${fields}${file}--${boundary}--\r\n`;
}

function field(name: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

/** Forms. */
export const formRows: readonly ErrorRow[] = [
  { name: 'expired', call: form({ expiration: new Date(Date.now() - 60_000).toISOString() }) },
  { name: 'a wrong secret key', call: form({ secretAccessKey: 'wrong-secret-key' }) },
  {
    name: 'an unknown access key',
    call: form({
      fields: { 'x-amz-credential': `NOBODYKNOWS/${amzDate(new Date()).slice(0, 8)}/us-east-1/s3/aws4_request` },
    }),
  },
  { name: 'a credential that is none', call: form({ fields: { 'x-amz-credential': 'x' } }) },
  { name: 'no signature', call: form({ fields: { 'x-amz-signature': undefined } }) },
  { name: 'no policy', call: form({ fields: { policy: undefined } }) },
  {
    name: 'no policy and no signature',
    call: form({
      fields: {
        policy: undefined,
        'x-amz-signature': undefined,
        'x-amz-credential': undefined,
        'x-amz-algorithm': undefined,
        'x-amz-date': undefined,
      },
    }),
  },
  { name: 'no key', call: form({ fields: { key: undefined } }) },
  { name: 'no file', call: form({ file: null }) },
  { name: 'a policy of nonsense', call: form({ policy: 'nonsense' }) },
  { name: 'a policy without expiration', call: form({ policy: '{"conditions":[]}' }) },
  { name: 'a policy that is not base64', call: form({ fields: { policy: '!!!' } }) },
  { name: 'an expiration that is no date', call: form({ expiration: 'soon' }) },
  { name: 'a key that the policy does not allow', call: form({ fields: { key: 'other' } }) },
  { name: 'a field that the policy does not name', call: form({ fields: { 'x-amz-meta-a': 'x' } }) },
  {
    name: 'a field that does not begin as it must',
    call: form({ conditions: [['starts-with', '$x-amz-meta-a', 'b']], fields: { 'x-amz-meta-a': 'x' } }),
  },
  { name: 'a file that is too large', call: form({ conditions: [['content-length-range', 0, 3]] }) },
  { name: 'a file that is too small', call: form({ conditions: [['content-length-range', 100, 200]] }) },
  { name: 'a form that breaks off', call: form({ cutTo: 150 }) },
  { name: 'a bucket that is not there', call: (stage) => ({ ...form({})(stage), bucket: 'there-is-no-such-bucket' }) },
];
