import { KeyError, type KeyErrorCode } from '../key-provider.ts';

const maxMessageCharacters = 300;

/** What the exceptions of AWS KMS and STS mean for a key, and what to do about them. */
const exceptions: Readonly<Record<string, readonly [code: KeyErrorCode, advice: string]>> = {
  NotFoundException: ['misconfigured', 'there is no such key or alias in this account and Region'],
  InvalidArnException: ['misconfigured', 'the key’s ARN is not one of this Region'],
  InvalidKeyUsageException: ['misconfigured', 'the key is not one for ENCRYPT_DECRYPT'],
  ValidationException: ['misconfigured', 'AWS KMS does not understand the request'],
  UnsupportedOperationException: ['misconfigured', 'the key cannot do that'],
  DisabledException: ['denied', 'the key is disabled: enable it'],
  KMSInvalidStateException: [
    'denied',
    'the state of the key forbids it: it may be pending deletion or import, or have no imported material to rotate to',
  ],
  AccessDeniedException: [
    'denied',
    'the policies of key and role must allow kms:GenerateDataKey, kms:Decrypt and kms:DescribeKey; of who rotates, also ' +
      'kms:RotateKeyOnDemand, kms:GetKeyRotationStatus and kms:UpdateAlias',
  ],
  AccessDenied: ['denied', 'the role may not be assumed with these credentials'],
  UnrecognizedClientException: ['denied', 'AWS does not know these credentials'],
  InvalidClientTokenId: ['denied', 'AWS does not know these credentials'],
  InvalidSignatureException: ['denied', 'the secret access key is not the right one'],
  SignatureDoesNotMatch: ['denied', 'the secret access key is not the right one'],
  MissingAuthenticationTokenException: ['denied', 'there are no credentials'],
  IncompleteSignature: ['denied', 'the credentials are not complete'],
  ExpiredTokenException: ['denied', 'the session token has expired'],
  ExpiredToken: ['denied', 'the session token has expired'],
  OptInRequired: ['denied', 'the account must opt in to this Region'],
  ThrottlingException: ['unavailable', 'AWS KMS throttles: raise its quota, or keep bucket keys for longer'],
  LimitExceededException: [
    'denied',
    'a quota of the key is used up; of rotations on demand it has 25: make a new key, and switch the alias to it (s3eg keys ' +
      'rotate --to)',
  ],
  ConflictException: ['unavailable', 'an automatic rotation is in progress, or begins within 20 minutes: rotate later'],
  CredentialsProviderError: [
    'unavailable',
    'no credentials were found in environment, profile, web identity or instance',
  ],
};

/**
 * A failure of the SDK as a KeyError: the service's refusals by name, everything else as `unavailable`.
 * @param keyId the key as it is configured; stands in the message.
 */
export function toKeyError(
  error: unknown,
  { keyId, what }: { readonly keyId: string; readonly what: string },
): KeyError {
  if (error instanceof KeyError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const known = Object.hasOwn(exceptions, name) ? exceptions[name] : undefined;
  const [code, advice] = known ?? (/region is missing/i.test(message) ? noRegion : noAnswer);
  const said = message.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, maxMessageCharacters);
  return new KeyError(code, `AWS KMS cannot ${what} with key ${keyId}: ${advice} (${name}: ${said})`, { cause: error });
}

const noRegion = ['misconfigured', 'set its region'] as const;
const noAnswer = ['unavailable', 'it gives no answer, or fails'] as const;

/** Whether AWS KMS says that the ciphertext is of another key or context, or altered. */
export function saysWrongKey(error: unknown): boolean {
  return error instanceof Error && /^(InvalidCiphertext|IncorrectKey)Exception$/.test(error.name);
}
