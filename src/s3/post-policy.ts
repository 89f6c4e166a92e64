import { s3Error, type S3Error } from './s3-error.ts';
import { parseCredential } from './sigv4-claims.ts';
import { equalSignatures, signatureOf, signingKey, sigv4Algorithm } from './sigv4-key.ts';

/** The fields of an upload form, lower-case names, without the file. */
export type FormFields = ReadonlyMap<string, string>;

/** What a verified form says of who sends it and how long the file may be. */
export interface VerifiedForm {
  readonly accessKeyId: string;
  /** Of the file in bytes; 0 and infinity where the policy has no `content-length-range`. */
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Fields that a policy need not name ("POST Policy" in the S3 API reference). */
const freeFields = new Set(['file', 'policy', 'x-amz-signature']);
const signatureFields = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'];
const maxConditions = 200;

type Condition =
  | {
      readonly kind: 'eq' | 'starts-with';
      readonly field: string;
      readonly value: string;
      /** As it stands in the policy; S3 spells out an equality that is given as a property. */
      readonly shown: string;
    }
  | { readonly kind: 'content-length-range'; readonly minBytes: number; readonly maxBytes: number };

/**
 * Verifies an upload form (SigV4, "Browser-based uploads using POST"): the policy's signature, its expiration, and that
 * every field is allowed by it. The file's length is for the caller to check.
 * @throws S3Error AccessDenied, InvalidArgument, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidToken,
 * InvalidPolicyDocument, InvalidRequest.
 */
export function verifyForm(
  fields: FormFields,
  context: {
    readonly bucket: string;
    readonly lookup: (accessKeyId: string) => string | undefined;
    readonly now: number;
  },
): VerifiedForm {
  const encoded = fields.get('policy');
  if (encoded === undefined) {
    throw signatureFields.some((name) => fields.has(name)) ? missingField('policy') : s3Error('AccessDenied');
  }
  const accessKeyId = verifySignature(fields, encoded, context.lookup);
  const { expirationMs, conditions } = parsePolicy(encoded);
  if (context.now > expirationMs) throw denied('Policy expired.');
  if ((fields.get('key') ?? '') === '') throw missingField('key');
  const values = new Map([...fields, ['bucket', context.bucket]]);
  for (const condition of conditions) checkCondition(condition, values);
  checkAllNamed(fields, conditions);
  const ranges = conditions.filter((condition) => condition.kind === 'content-length-range');
  return {
    accessKeyId,
    minBytes: Math.max(0, ...ranges.map(({ minBytes }) => minBytes)),
    maxBytes: Math.min(Number.POSITIVE_INFINITY, ...ranges.map(({ maxBytes }) => maxBytes)),
  };
}

function verifySignature(
  fields: FormFields,
  policy: string,
  lookup: (accessKeyId: string) => string | undefined,
): string {
  if (fields.has('x-amz-security-token')) throw s3Error('InvalidToken');
  if (fields.has('signature')) {
    throw s3Error(
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    );
  }
  const required = (name: string): string => {
    const value = fields.get(name);
    if (value !== undefined && value !== '') return value;
    throw missingField(name);
  };
  const algorithm = required('x-amz-algorithm');
  if (algorithm !== sigv4Algorithm) {
    throw invalidField('X-Amz-Algorithm', algorithm, 'Only AWS4-HMAC-SHA256 is supported');
  }
  const credential = required('x-amz-credential');
  const malformed = (message: string): S3Error => invalidField('x-amz-credential', credential, message);
  const { accessKeyId, scope } = parseCredential(credential, malformed);
  const time = required('x-amz-date');
  if (!/^\d{8}T\d{6}Z$/.test(time)) {
    throw invalidField('X-Amz-Date', time, 'X-Amz-Date must be formated via ISO8601 Long format');
  }
  if (!time.startsWith(scope.date)) {
    throw malformed('Invalid credential date. This date is not the same as X-Amz-Date.');
  }
  const signature = required('x-amz-signature');
  const secret = lookup(accessKeyId);
  const expected = signatureOf(signingKey(secret ?? 'the secret of nobody', scope), policy);
  const details = { AWSAccessKeyId: accessKeyId };
  if (secret === undefined) throw s3Error('InvalidAccessKeyId', undefined, { details });
  if (!equalSignatures(expected, signature)) {
    throw s3Error('SignatureDoesNotMatch', undefined, {
      details: {
        ...details,
        StringToSign: policy,
        SignatureProvided: signature.slice(0, 64),
        StringToSignBytes: Buffer.from(policy)
          .toString('hex')
          .replaceAll(/..(?=.)/g, '$& '),
      },
    });
  }
  return accessKeyId;
}

function missingField(name: string): S3Error {
  const hint = 'If it is specified, please check the order of the fields.';
  return invalidField(name, '', `Bucket POST must contain a field named '${name}'.  ${hint}`);
}

function invalidField(name: string, value: string, message: string): S3Error {
  return s3Error('InvalidArgument', message, {
    details: { ArgumentName: name, ...(value === '' ? {} : { ArgumentValue: value.slice(0, 256) }) },
  });
}

function parsePolicy(encoded: string): {
  readonly expirationMs: number;
  readonly conditions: readonly Condition[];
} {
  if (encoded === '') throw invalidPolicy("Expecting '{' but found End-of-Input");
  let policy: unknown;
  try {
    policy = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  } catch (cause) {
    throw invalidPolicy('Invalid JSON.', cause);
  }
  if (!isRecord(policy)) throw invalidPolicy('A policy is a JSON object.');
  const { expiration, conditions } = policy;
  const isTime = typeof expiration === 'string' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/.test(expiration);
  const expirationMs = isTime ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(expirationMs)) throw invalidPolicy("Invalid 'expiration' value.");
  if (!Array.isArray(conditions) || conditions.length > maxConditions)
    throw invalidPolicy("Invalid 'conditions' value.");
  return { expirationMs, conditions: conditions.flatMap(parseConditions) };
}

/** `{"field": "value", …}`, `["eq" | "starts-with", "$field", "value"]` or `["content-length-range", min, max]`. */
function parseConditions(condition: unknown): readonly Condition[] {
  if (isRecord(condition)) {
    return Object.entries(condition).map(([field, value]) => ({
      kind: 'eq',
      field: field.toLowerCase(),
      value: conditionText(value),
      shown: `["eq", ${JSON.stringify(`$${field}`)}, ${JSON.stringify(value)}]`,
    }));
  }
  if (!Array.isArray(condition) || condition.length !== 3) throw invalidPolicy('Invalid condition.');
  const [kind, first, second]: readonly unknown[] = condition;
  const operator = typeof kind === 'string' ? kind.toLowerCase() : '';
  if (operator === 'content-length-range') {
    return [{ kind: operator, minBytes: conditionNumber(first), maxBytes: conditionNumber(second) }];
  }
  const field = conditionText(first);
  if ((operator !== 'eq' && operator !== 'starts-with') || !field.startsWith('$'))
    throw invalidPolicy('Invalid condition.');
  const shown = JSON.stringify(condition);
  return [{ kind: operator, field: field.slice(1).toLowerCase(), value: conditionText(second), shown }];
}

function conditionText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalidPolicy('Invalid condition: a text is wanted.');
}

function conditionNumber(value: unknown): number {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalidPolicy('Invalid condition: a number of bytes is wanted.');
}

function checkCondition(condition: Condition, values: ReadonlyMap<string, string>): void {
  if (condition.kind === 'content-length-range') return;
  const { kind, field, value, shown } = condition;
  const given = values.get(field) ?? '';
  const holds = kind === 'eq' ? given === value : startsWith(field, given, value);
  if (!holds) throw denied(`Policy Condition failed: ${shown}`);
}

/** Content types come as a list separated by commas, each of which must begin so. */
function startsWith(field: string, given: string, prefix: string): boolean {
  if (field !== 'content-type') return given.startsWith(prefix);
  return given.split(',').every((type) => type.trim().startsWith(prefix));
}

function checkAllNamed(fields: FormFields, conditions: readonly Condition[]): void {
  const named = new Set(conditions.flatMap((condition) => ('field' in condition ? [condition.field] : [])));
  const extra = [...fields.keys()].find(
    (name) => !freeFields.has(name) && !name.startsWith('x-ignore-') && !named.has(name),
  );
  if (extra !== undefined) throw denied(`Extra input fields: ${extra.slice(0, 64)}`);
}

function denied(reason: string): S3Error {
  return s3Error('AccessDenied', `Invalid according to Policy: ${reason}`);
}

function invalidPolicy(reason: string, cause?: unknown): S3Error {
  return s3Error('InvalidPolicyDocument', `Invalid Policy: ${reason}`, { cause });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
