import { z } from 'zod';

import { actions } from '../policy/grants.ts';
import { awsKmsKey, localKey, rotation, vaultTransitKey } from './key-schema.ts';
import { conditionalWrites } from '../store/quirks.ts';
import { addressBlock, duration, flag, integer, list, name, notYet, size, text } from './scalars.ts';

const patterns = (max = 256) => list(text(1024), max);

const tls = z
  .strictObject({
    cert: text(262_144).describe('Certificate chain: path of a PEM file, or the PEM text itself.'),
    key: text(262_144).describe('Private key: path of a PEM file, or the PEM text itself.'),
    clientCa: text(1_048_576)
      .optional()
      .describe(
        'CA certificates (path or PEM text). When given, clients must show a certificate that one of them signed.',
      ),
  })
  .describe('TLS of the S3 listener; without it the listener speaks plain HTTP.');

const listen = z
  .strictObject({
    host: text(255).prefault('127.0.0.1').describe('Address to listen on.'),
    port: integer(0, 65_535).prefault(8080).describe('Port of the S3 listener; 0 takes any free one.'),
    tls: tls.optional(),
    publicHosts: list(
      z
        .string('must be a text')
        .regex(
          /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/,
          'must be a host name',
        ),
      64,
    )
      .prefault([])
      .describe('Host names under which clients reach the gateway; `<bucket>.<name>` is virtual-hosted style.'),
    trustedProxies: list(addressBlock(), 256)
      .prefault([])
      .describe('Addresses or blocks of the proxies whose `X-Forwarded-Host` is believed.'),
    drainTimeout: duration({ min: '0s', max: '1h' })
      .prefault('30s')
      .describe('Longest time that running requests get to end after SIGTERM.'),
  })
  .prefault({})
  .describe('The S3 listener.');

const admin = z
  .strictObject({
    host: text(255).prefault('127.0.0.1').describe('Address to listen on.'),
    port: integer(0, 65_535).prefault(8081).describe('Port of the admin listener.'),
    token: z
      .string('must be a text')
      .min(16, 'must have at least 16 characters')
      .max(1024, 'must have at most 1024 characters')
      .optional()
      .describe('Bearer token of `/api/v1`.'),
  })
  .prefault({})
  .describe('The admin listener: health, metrics.');

const accessKeyId = z
  .string('must be a text')
  .regex(/^[A-Za-z0-9._+@-]{3,128}$/, 'must be 3 to 128 letters, digits, ".", "_", "+", "@" or "-"');

const secretAccessKey = z
  .string('must be a text: put digits in quotes')
  .min(8, 'must have at least 8 characters')
  .max(256, 'must have at most 256 characters');

const grant = z.strictObject({
  buckets: patterns()
    .min(1, 'must have at least one entry')
    .prefault(['*'])
    .describe('Bucket names; `*` stands for any run of characters.'),
  prefixes: list(z.string('must be a text').max(1024, 'must have at most 1024 characters'), 256)
    .min(1, 'must have at least one entry')
    .prefault([''])
    .describe('Beginnings of keys; an empty one is the whole bucket.'),
  actions: list(z.enum(actions), 16)
    .min(1, 'must have at least one entry')
    .describe('What is allowed; `admin` is creating and deleting buckets.'),
});

const credential = z.strictObject({
  accessKeyId: accessKeyId.describe('Access key id that clients sign with.'),
  secretAccessKey: secretAccessKey.describe('Its secret.'),
  allow: list(grant, 256).describe('What it may do; nothing is allowed by default.'),
});

/** Format of a file named by `credentialsFile`. */
export const credentialsFileSchema = z.strictObject({
  credentials: list(credential, 10_000).min(1, 'must have at least one entry'),
});

const quirks = z
  .strictObject({
    ignoresConditions: list(z.enum(conditionalWrites), conditionalWrites.length)
      .prefault([])
      .describe(
        'Operations that the provider does though their If-Match or If-None-Match does not hold: refused with 501.',
      ),
    equalPartSizes: flag()
      .prefault(false)
      .describe('All parts of an upload but the last must have one size: others wait beside the upload for its end.'),
  })
  .prefault({})
  .describe('Where the provider differs from S3; `s3eg doctor` finds out.');

const s3Backend = z.strictObject({
  type: z.literal('s3'),
  endpoint: text(2048).describe('`http://` or `https://`, host and port.'),
  region: z
    .string('must be a text')
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be a region name')
    .prefault('us-east-1')
    .describe('Region that requests are signed for.'),
  pathStyle: flag().prefault(true).describe('Put the bucket into the path instead of the host name.'),
  credentials: z
    .union([
      notYet(z.literal('aws-default')),
      z.strictObject({
        accessKeyId: text(128).describe('Access key id at the provider.'),
        secretAccessKey: text(256).describe('Its secret.'),
        sessionToken: text(8192).optional().describe('Session token of temporary credentials.'),
      }),
    ])
    .describe('Credentials at the provider; `aws-default` is not supported yet.'),
  ca: text(1_048_576).optional().describe("CA certificates of the provider (path or PEM text), beside the system's."),
  maxConnections: integer(1, 10_000).prefault(256).describe('Connections kept to this backend.'),
  connectTimeout: duration({ min: '100ms', max: '1m' }).prefault('5s').describe('Longest time to connect.'),
  headersTimeout: duration({ min: '1s', max: '1h' })
    .prefault('60s')
    .describe('Longest wait for the head of an answer.'),
  bodyTimeout: duration({ min: '1s', max: '1h' }).prefault('120s').describe('Longest silence within a body.'),
  retries: integer(0, 10).prefault(3).describe('Further tries of a request that can be repeated.'),
  quirks,
});

const filesystemBackend = z.strictObject({
  type: z.literal('filesystem'),
  root: text(4096).describe('Directory of the objects; made where it does not exist.'),
});

const suite = z.enum(['auto', 'aes-256-gcm', 'chacha20-poly1305']);

const encryption = z
  .strictObject({
    mode: z.enum(['required', 'off']).prefault('required').describe('`off` stores and reads objects as they are.'),
    key: text(64).optional().describe('Name under `keys`; default: the first one.'),
    suite: suite.optional().describe('Cipher of new objects; default: `crypto.suite`.'),
    segmentSize: size({ min: '64KiB', max: '1MiB' })
      .refine((bytes) => Number.isInteger(Math.log2(bytes)), 'must be a power of two')
      .prefault('64KiB')
      .describe(
        'Plaintext bytes that are sealed together: a power of two. Larger ones cost less CPU for whole objects and more for ' +
          'small ranges (PERFORMANCE.md has the figures).',
      ),
    unencryptedReads: z
      .enum(['deny', 'allow'])
      .prefault('deny')
      .describe('Whether an object that is not encrypted by the gateway may be read.'),
    etag: z
      .enum(['opaque', 'md5'])
      .prefault('opaque')
      .describe(
        "ETag of objects: opaque, or the plaintext's MD5 for clients that insist on it (listings stay opaque).",
      ),
  })
  .prefault({})
  .describe('How objects are encrypted.');

const compression = z.strictObject({
  algorithm: notYet(z.enum(['none', 'gzip', 'zstd']), (algorithm) => algorithm === 'none')
    .prefault('none')
    .describe('Only `none`.'),
  minBytes: size({ min: '0', max: '1GiB' }).prefault('1KiB').describe('Smaller objects are not compressed.'),
  types: list(text(256), 256).prefault([]).describe('Media types that are compressed.'),
});

const maxObjectBytes = size({ min: '1', max: '50TiB' });
const limits = z
  .strictObject({
    maxObjectBytes: maxObjectBytes.prefault('5TiB').describe('Largest object.'),
    requestsPerSecond: notYet(integer(1, 1_000_000)).optional().describe('Requests per second.'),
    bytesPerSecond: notYet(size({ min: '1', max: '1PiB' }))
      .optional()
      .describe('Bytes per second.'),
    concurrentRequests: notYet(integer(1, 1_000_000)).optional().describe('Requests at once.'),
  })
  .prefault({})
  .describe('Limits of requests under this policy.');

/** One policy: an entry of `policies`, or a file of its directory. */
export const policySchema = z.strictObject({
  name: name().describe('Unique name; stands in every object that is encrypted under it.'),
  match: z
    .strictObject({
      buckets: patterns().prefault([]).describe('Bucket names; `*` stands for any run of characters; empty: all.'),
      prefixes: list(z.string('must be a text').max(1024, 'must have at most 1024 characters'), 256)
        .prefault([])
        .describe('Beginnings of keys; empty: all.'),
      accessKeys: patterns().prefault([]).describe('Access key ids; empty: all.'),
    })
    .prefault({})
    .describe('Which requests the policy is for. The narrowest policy wins: by bucket, then prefix, then access key.'),
  backend: text(64).optional().describe('Name under `backends`; default: the first one.'),
  encryption,
  compression: compression.optional().describe('Compression before encryption.'),
  limits,
});

const stdoutSink = z
  .strictObject({ type: z.literal('stdout') })
  .describe('Lines of JSON between those of the log; from a command, whose report is there, on standard error.');

const fileSink = z
  .strictObject({
    type: z.literal('file'),
    file: text(4096).describe('File that lines of JSON are appended to; made with mode 0600 where it does not exist.'),
  })
  .describe('A file of its own, synced at each event. It may be moved away at any time, as logrotate does.');

/** The configuration file. Reference page, suggestions and checks are all made from this. */
export const configSchema = z.strictObject({
  listen,
  admin,
  workers: z
    .union([z.literal('auto'), integer(1, 1024)])
    .prefault('auto')
    .describe('Processes that serve S3, each on a core; `auto` is 1. With 2 or more, another one supervises them.'),
  credentials: list(credential, 10_000).optional().describe('Who may use the gateway.'),
  credentialsFile: text(4096).optional().describe('File with a list `credentials`, instead of or beside the section.'),
  backends: z
    .record(name(), z.discriminatedUnion('type', [s3Backend, filesystemBackend], 'must be a section with a type'))
    .optional()
    .describe('Where objects are stored, by name. Default: `embedded`, a filesystem store in the data directory.'),
  keys: z
    .record(
      name(),
      z.discriminatedUnion('type', [localKey, awsKmsKey, vaultTransitKey], 'must be a section with a type'),
    )
    .optional()
    .describe('Key-encryption keys, by name. Default: `local`, a keyring in the data directory.'),
  dataKeyCache: z
    .strictObject({
      ttl: duration({ min: '0s', max: '1d' }).prefault('5m').describe('Longest use of one data key for new objects.'),
      maxObjects: integer(1, 2_147_483_648).prefault(100_000).describe('Most objects under one data key.'),
      maxBytes: size({ min: '1MiB', max: '1PiB' })
        .prefault('1TiB')
        .describe(
          'Most bytes under one data key; uploads in parts, whose size is not known in advance, count as objects only.',
        ),
      offlineTtl: duration({ min: '0s', max: '7d' })
        .prefault('1h')
        .describe('How long cached keys carry on while the key service is away.'),
    })
    .prefault({})
    .describe('How long data keys are kept in memory.'),
  crypto: z
    .strictObject({
      suite: suite
        .prefault('auto')
        .describe(
          'Cipher of new objects of policies that name none; `auto` is `aes-256-gcm`, but on a machine that has no ' +
            'instructions for it and is clearly faster with `chacha20-poly1305`. Every gateway reads both.',
        ),
      hardware: z
        .enum(['auto', 'off'])
        .prefault('auto')
        .describe(
          "`off` does without the CPU's instructions for AES, GHASH and SHA, TLS included: the gateway starts itself anew " +
            'with `OPENSSL_ia32cap` or `OPENSSL_armcap` set. To tell whether they are to blame; it costs most of the speed.',
        ),
      threads: z
        .union([z.literal('auto'), integer(0, 64)])
        .prefault('auto')
        .describe(
          'Threads that encrypt and decrypt parts of large bodies beside the event loop. `auto`: none where the cipher does more ' +
            'than 1.5 GB/s on one core, and else up to 2, used only while the event loop is busy and other processes leave a ' +
            'core idle. A number: so many, used for every large body; 0: none.',
        ),
    })
    .prefault({})
    .describe('Ciphers and what computes them; `s3eg_crypto_info` shows what is in use.'),
  recovery: z
    .strictObject({
      publicKeyFile: text(16_384).describe(
        'Public recovery key (path of a PEM file, or the PEM text): every new object can also be opened with its private half.',
      ),
    })
    .optional()
    .describe('Recovery without gateway and key service.'),
  rotation: rotation.prefault({}).describe('Rotation of all keys.'),
  multipart: z
    .strictObject({
      ledger: notYet(z.enum(['store', 'valkey']), (ledger) => ledger === 'store')
        .prefault('store')
        .describe('Only `store`.'),
      prefix: z
        .string('must be a text')
        .regex(/^[^/\s][^\s]{0,62}\/$/, 'must be a key prefix that ends in "/" and does not begin with it')
        .prefault('.s3eg/')
        .describe('Reserved prefix in every bucket, or in `bucket`.'),
      bucket: text(63).optional().describe("Bucket for the state of uploads, instead of the object's own."),
      url: notYet(text(2048)).optional().describe('Address of the Valkey server.'),
    })
    .prefault({})
    .describe('State of multipart uploads.'),
  policies: z
    .union([
      list(policySchema, 10_000).min(1, 'must have at least one entry'),
      z.strictObject({ dir: text(4096).describe('Directory of `*.yaml` files with one policy each.') }),
    ])
    .optional()
    .describe('Policies, inline or in a directory. Default: one for every bucket, with the first backend and key.'),
  telemetry: z
    .strictObject({
      logLevel: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .prefault('info')
        .describe('Finest level that is logged.'),
      otlpEndpoint: notYet(text(2048)).optional().describe('Collector of traces.'),
      metrics: z
        .strictObject({
          bucketLabels: list(text(255), 200).prefault([]).describe('Buckets that get metrics of their own.'),
        })
        .prefault({})
        .describe('Metrics.'),
    })
    .prefault({})
    .describe('Logs and metrics.'),
  audit: z
    .strictObject({
      sinks: list(z.discriminatedUnion('type', [stdoutSink, fileSink], 'must be a section with a type'), 16)
        .optional()
        .describe(
          'Where events go; `[]`: nowhere. Default: standard output of the gateway, and nowhere from commands.',
        ),
    })
    .prefault({})
    .describe('Audit events (docs/audit.md).'),
});

/** The file as it was understood: defaults filled in, units converted. */
export type ConfigFile = z.output<typeof configSchema>;

/** A policy as it was understood. */
export type PolicyFile = z.output<typeof policySchema>;

/** A backend as it was understood. */
export type BackendSection = NonNullable<ConfigFile['backends']>[string];

/** A key as it was understood. */
export type KeySection = NonNullable<ConfigFile['keys']>[string];

/** Environment variables that override the file. */
export const environmentOverrides: readonly { variable: string; path: readonly string[] }[] = [
  { variable: 'S3EG_LISTEN_HOST', path: ['listen', 'host'] },
  { variable: 'S3EG_LISTEN_PORT', path: ['listen', 'port'] },
  { variable: 'S3EG_ADMIN_HOST', path: ['admin', 'host'] },
  { variable: 'S3EG_ADMIN_PORT', path: ['admin', 'port'] },
  { variable: 'S3EG_LOG_LEVEL', path: ['telemetry', 'logLevel'] },
];
