import { z } from 'zod';

import { RotationSchedule } from '../keys/rotation-schedule.ts';
import { flag, integer, list, text } from './scalars.ts';

/** Rotation of all keys, or of one. */
export const rotation = z.strictObject({
  schedule: text(256)
    .refine(isSchedule, 'must be five fields of cron that come at some time, such as "0 3 1 * *"')
    .optional()
    .describe('When keys are rotated, by one of the replicas: five fields of cron, in UTC.'),
  readPrevious: integer(0, 1000)
    .optional()
    .describe('How many versions before the current one may still be read; default: 3.'),
});

const keyRotation = rotation.optional().describe('Overrides the section `rotation` for this key.');

/** What every key has that is asked for over the network. */
const service = {
  allowPlainHttp: flag()
    .prefault(false)
    .describe('Allow `http://` to another machine: whoever is on the way then reads keys and tokens.'),
  timeoutMs: integer(1, 60_000)
    .prefault(2000)
    .describe('Longest wait for one answer in milliseconds; a call with all its tries ends after twice that time.'),
  retries: integer(0, 10).prefault(3).describe('Further tries of a call that got no answer.'),
  rotation: keyRotation,
};

/** A keyring file. */
export const localKey = z.strictObject({
  type: z.literal('local'),
  file: text(4096).describe('Keyring file, mode 0600; made where it does not exist.'),
  rotation: keyRotation,
});

const kmsKeyId = text(2048).regex(
  /^(arn:aws[a-z-]*:kms:[a-z0-9-]*:\d{12}:(key|alias)\/[A-Za-z0-9/_-]+|alias\/[A-Za-z0-9/_-]+|[A-Za-z0-9-]+)$/,
  'must be the id, ARN, alias (alias/…) or alias ARN of a key',
);

/** A key of AWS KMS. */
export const awsKmsKey = z.strictObject({
  type: z.literal('aws-kms'),
  keyId: kmsKeyId.describe('Id, ARN, alias (`alias/…`) or alias ARN of the key that wraps.'),
  previousKeyIds: list(kmsKeyId, 100)
    .prefault([])
    .describe('Keys that may still be read with, newest first: what an alias meant before it was switched.'),
  region: text(64)
    .regex(/^[a-z0-9-]+$/, 'must be a Region')
    .optional()
    .describe("Region of the key; default: that of its ARN, else the environment's or the profile's."),
  endpoint: text(2048).optional().describe('Address, where it is not the service of AWS.'),
  credentials: z
    .union([
      z.literal('aws-default'),
      z.strictObject({
        accessKeyId: text(128).describe('Access key id.'),
        secretAccessKey: text(256).describe('Its secret.'),
        sessionToken: text(8192).optional().describe('Session token of temporary credentials.'),
      }),
    ])
    .prefault('aws-default')
    .describe(
      '`aws-default`: what the AWS SDK finds in environment, profile, web identity (IRSA), container or instance.',
    ),
  profile: text(256).optional().describe('Profile of the AWS configuration files, instead of the default one.'),
  assumeRole: z
    .strictObject({
      roleArn: text(2048)
        .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, 'must be the ARN of a role')
        .describe('ARN of the role.'),
      externalId: text(1224).optional().describe('External id that the role asks for.'),
      sessionName: text(64)
        .regex(/^[\w+=,.@-]{2,64}$/, 'must be 2 to 64 letters, digits or one of _+=,.@-')
        .prefault('s3eg')
        .describe('Name of the session, seen in CloudTrail.'),
    })
    .optional()
    .describe('Role to assume with the credentials.'),
  ...service,
});

const printable = (max: number, what: string) =>
  text(max).regex(/^[\x21-\x7e]+$/, `must be ${what}: printable characters without spaces`);

const pathOfVault = (what: string) =>
  text(256).regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, `must be ${what}, without "/" at its ends`);

const vaultAuth = z
  .strictObject({
    method: z.enum(['token', 'approle', 'kubernetes', 'cert']).describe('How to log in.'),
    mount: pathOfVault('a path')
      .optional()
      .describe('Path of the login method without `auth/`; default: the name of the method.'),
    token: printable(8192, 'a token').optional().describe('`token`: the token; renewed where Vault allows that.'),
    tokenFile: text(4096)
      .optional()
      .describe(
        '`token`: file of the token, read again when the token is refused. `kubernetes`: file of the service account’s ' +
          'token; default: `/var/run/secrets/kubernetes.io/serviceaccount/token`.',
      ),
    roleId: text(1024).optional().describe('`approle`: id of the role.'),
    secretId: text(1024).optional().describe('`approle`: secret id, where the role has one.'),
    secretIdFile: text(4096).optional().describe('`approle`: file of the secret id, read at each login.'),
    role: text(256).optional().describe('`kubernetes`: name of the role. `cert`: role, where not any will do.'),
  })
  .describe('Login.');

const vaultTls = z
  .strictObject({
    ca: text(1_048_576)
      .optional()
      .describe("CA certificates of the server (path or PEM text), instead of the system's."),
    cert: text(262_144).optional().describe('Certificate that the gateway shows (path or PEM text).'),
    key: text(262_144).optional().describe('Its private key (path or PEM text).'),
  })
  .describe('TLS.');

/** A key of Vault's or OpenBao's Transit engine. */
export const vaultTransitKey = z.strictObject({
  type: z.literal('vault-transit'),
  address: text(2048).describe('`https://`, host and port of the server.'),
  mount: pathOfVault('a mount path').prefault('transit').describe('Mount path of the engine.'),
  key: text(256)
    .regex(/^[A-Za-z0-9._-]+$/, 'must be the name of a Transit key')
    .describe('Name of the key.'),
  namespace: printable(256, 'a namespace').optional().describe('Namespace.'),
  auth: vaultAuth,
  tls: vaultTls.optional(),
  ...service,
});

function isSchedule(pattern: string): boolean {
  try {
    return new RotationSchedule(pattern).after(0) !== undefined;
  } catch {
    return false;
  }
}
