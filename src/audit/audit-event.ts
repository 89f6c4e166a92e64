/** What a field may hold; everything else is not written. See `audit-line.ts`. */
export type FieldKind = 'word' | 'name' | 'version' | 'count' | 'flag' | 'label' | 'text';

interface FieldDescription {
  readonly kind: FieldKind;
  readonly says: string;
}

/** Every field that an event can have beside those of all events. There is none that a key, token or object could go into. */
export const auditFields = {
  key_name: { kind: 'name', says: 'Name of the key under `keys`.' },
  key_version: { kind: 'version', says: 'Version that the event is about.' },
  previous_version: { kind: 'version', says: 'Version that was current before.' },
  reason: { kind: 'word', says: 'Why; one word of a closed list.' },
  error_code: { kind: 'word', says: 'Code of the error; the log has its text.' },
  detail: { kind: 'text', says: 'What the key service, or the check, says of it.' },
  backend: { kind: 'name', says: 'Name under `backends`.' },
  bucket: { kind: 'label', says: 'Bucket.' },
  prefix: { kind: 'label', says: 'Beginning of the keys that were looked at, where not the whole bucket was.' },
  shard: { kind: 'label', says: 'Which part of all keys, `i/n`.' },
  dry_run: { kind: 'flag', says: 'Whether nothing was changed.' },
  objects: { kind: 'count', says: 'Objects that it concerns.' },
  old_versions: {
    kind: 'count',
    says: 'Old versions of objects; of a rewrap those that got a new envelope beside them.',
  },
  uploads: { kind: 'count', says: 'Uploads in progress.' },
  rewrapped: { kind: 'count', says: 'Objects that were, or would be, brought under the current version.' },
  current: { kind: 'count', says: 'Objects that were under it already.' },
  locked: { kind: 'count', says: 'Locked versions that stay under an old version.' },
  failed: { kind: 'count', says: 'Objects that it did not succeed with.' },
  bytes: { kind: 'count', says: 'Plaintext bytes.' },
} as const satisfies Record<string, FieldDescription>;

/** The fields of every event. */
export const commonFields = {
  time: { kind: 'label', says: 'When, in UTC.' },
  audit: { kind: 'flag', says: 'Always `true`: tells it from the log, which may go the same way.' },
  event: { kind: 'word', says: 'Which event; the list below.' },
  event_id: { kind: 'label', says: 'Unique; the same in every sink.' },
  outcome: { kind: 'word', says: 'How it ended.' },
  actor: { kind: 'word', says: 'Who: `schedule`, `admin_api`, `cli`, or `gateway` for what it noticed by itself.' },
  actor_name: { kind: 'label', says: '`cli`: the user of the operating system.' },
  remote_address: { kind: 'label', says: '`admin_api`: where the request came from.' },
  request_id: { kind: 'word', says: '`admin_api`: id of the request.' },
  host: { kind: 'label', says: 'Name of the machine or pod.' },
  process_id: { kind: 'count', says: 'Process there.' },
} as const satisfies Record<string, FieldDescription>;

type FieldName = keyof typeof auditFields;

interface EventDescription {
  readonly says: string;
  readonly outcomes: readonly string[];
  readonly fields: readonly FieldName[];
}

const bucketFields = ['backend', 'bucket', 'prefix', 'shard', 'dry_run'] as const;

/** Every event there is. The page of the documentation is made from this table. */
export const auditEvents = {
  key_rotation_started: {
    says: 'A new version of a key is about to be made.',
    outcomes: ['begun'],
    fields: ['key_name'],
  },
  key_rotation_finished: {
    says: 'It is made, and new objects are under it.',
    outcomes: ['ok'],
    fields: ['key_name', 'key_version', 'previous_version'],
  },
  key_rotation_failed: {
    says: 'A rotation that was wanted was not made, or it is not known whether it was.',
    outcomes: ['failed'],
    fields: ['key_name', 'error_code'],
  },
  key_rotation_skipped: {
    says: 'A rotation that was due is left to another replica: `taken` it makes it, `done` it has made it.',
    outcomes: ['skipped'],
    fields: ['key_name', 'reason'],
  },
  key_version_taken_up: {
    says: 'A gateway found another version to be current, whoever made it, and encrypts new objects under it.',
    outcomes: ['ok'],
    fields: ['key_name', 'key_version', 'previous_version'],
  },
  key_unusable: {
    says: 'A check of `/ready` found that a key cannot be used: disabled, to be deleted, sealed, forbidden, missing or away.',
    outcomes: ['failed'],
    fields: ['key_name', 'reason', 'detail'],
  },
  key_usable: {
    says: 'It can be used again.',
    outcomes: ['ok'],
    fields: ['key_name'],
  },
  key_retirement_started: {
    says: 'A version is about to be taken out of use.',
    outcomes: ['begun'],
    fields: ['key_name', 'key_version'],
  },
  key_retirement_finished: {
    says: 'It opens nothing any more, until it is put back in the key service.',
    outcomes: ['ok'],
    fields: ['key_name', 'key_version'],
  },
  key_retirement_failed: {
    says: 'It was not taken out of use, or that is not known.',
    outcomes: ['failed'],
    fields: ['key_name', 'key_version', 'error_code'],
  },
  key_destruction_counted: {
    says: 'Somebody had counted what would become unreadable with a version; nothing was destroyed.',
    outcomes: ['ok'],
    fields: ['key_name', 'key_version', 'objects', 'old_versions', 'uploads', 'failed'],
  },
  key_destruction_started: {
    says: 'A version is about to be destroyed; counted was this.',
    outcomes: ['begun'],
    fields: ['key_name', 'key_version', 'objects', 'old_versions', 'uploads', 'failed'],
  },
  key_destruction_finished: {
    says: 'It is destroyed, or will be after the waiting time of the key service.',
    outcomes: ['ok'],
    fields: ['key_name', 'key_version', 'objects', 'old_versions', 'uploads', 'failed'],
  },
  key_destruction_failed: {
    says: 'It was not destroyed, or that is not known.',
    outcomes: ['failed'],
    fields: ['key_name', 'key_version', 'error_code'],
  },
  rewrap_started: {
    says: 'A rewrap begins, or goes on after it was ended.',
    outcomes: ['begun'],
    fields: bucketFields,
  },
  rewrap_finished: {
    says: 'It is through; `incomplete`: not with every object.',
    outcomes: ['ok', 'incomplete'],
    fields: [...bucketFields, 'rewrapped', 'current', 'old_versions', 'locked', 'failed'],
  },
  rewrap_failed: {
    says: 'It ended before it was through; `stopped`: by a signal.',
    outcomes: ['failed', 'stopped'],
    fields: [...bucketFields, 'error_code'],
  },
  recovery_started: {
    says: 'Somebody opened the private recovery key, which opens every object, and is about to decrypt with it.',
    outcomes: ['begun'],
    fields: ['bucket'],
  },
  recovery_finished: {
    says: 'So much was decrypted with it.',
    outcomes: ['ok', 'incomplete', 'stopped'],
    fields: ['bucket', 'objects', 'bytes', 'failed'],
  },
  recovery_failed: {
    says: 'The decryption broke off.',
    outcomes: ['failed'],
    fields: ['bucket', 'error_code'],
  },
  canary_mismatch: {
    says: 'A key is not the one that a bucket’s objects are encrypted with; nothing was written there.',
    outcomes: ['failed'],
    fields: ['backend', 'bucket', 'key_name', 'error_code', 'detail'],
  },
} as const satisfies Record<string, EventDescription>;

/** Name of an event. */
export type AuditEventName = keyof typeof auditEvents;

/** Who did it. */
export type AuditActor =
  | { readonly actor: 'schedule' | 'gateway' }
  | { readonly actor: 'admin_api'; readonly remote_address?: string; readonly request_id?: string }
  | { readonly actor: 'cli'; readonly actor_name?: string };

interface KindValues {
  readonly word: string;
  readonly name: string;
  readonly version: string;
  readonly count: number;
  readonly flag: boolean;
  readonly label: string;
  readonly text: string;
}

/** What an event says beside who and how it ended; undefined is left out. */
export type AuditEventFields<Name extends AuditEventName> = {
  readonly [Field in (typeof auditEvents)[Name]['fields'][number]]?:
    | KindValues[(typeof auditFields)[Field]['kind']]
    | undefined;
};

/** One event. */
export type AuditEvent = {
  [Name in AuditEventName]: {
    readonly event: Name;
    readonly outcome: (typeof auditEvents)[Name]['outcomes'][number];
  } & AuditEventFields<Name>;
}[AuditEventName] &
  AuditActor;
