/**
 * What a missing capability means:
 * - `required`: the gateway does not work without it.
 * - `setting`: the gateway has to be told, by `quirks` of the backend.
 * - `feature`: what clients ask for by that name fails with the backend's own error; all else works.
 * - `compensated`: the gateway does it itself, at least for encrypted objects.
 */
export type CapabilityNeed = 'required' | 'setting' | 'feature' | 'compensated';

/** A capability of a backend. */
export interface Capability {
  readonly need: CapabilityNeed;
  /** What it is, in a few words. */
  readonly title: string;
  /** What its lack means for clients of the gateway. */
  readonly without: string;
  /** The entry of `quirks` that says so to the gateway. */
  readonly setting?: string;
}

const backendError = 'refused with the error of the backend';

/** By name; the provider files of `test/providers` use the same names. */
export const capabilities = {
  bucketCreation: { need: 'feature', title: 'creating and deleting buckets', without: backendError },
  objects: { need: 'required', title: 'objects with 2 KiB of metadata', without: 'nothing works' },
  rangeReads: { need: 'required', title: 'ranges', without: 'nothing works' },
  conditionalReads: {
    need: 'required',
    title: 'If-Match and If-None-Match on reads',
    without: 'an object that is replaced while it is read may be refused as damaged',
  },
  listings: { need: 'required', title: 'listings v1 and v2, pages, delimiter', without: 'listings fail' },
  markerPages: { need: 'feature', title: 'pages of listings v1', without: 'clients that use v1 miss or repeat keys' },
  multipleDeletes: { need: 'feature', title: 'DeleteObjects', without: backendError },
  multipart: { need: 'required', title: 'multipart uploads', without: 'uploads in parts fail' },
  partsOfAnySize: {
    need: 'setting',
    title: 'parts of different sizes',
    without: 'parts of another size than the first wait beside the upload until it is completed',
    setting: 'equalPartSizes: true',
  },
  partNumberReads: {
    need: 'compensated',
    title: 'GET by partNumber',
    without: 'answered by the gateway for encrypted objects; 501 for others',
  },
  copies: { need: 'feature', title: 'CopyObject', without: backendError },
  selfCopies: { need: 'feature', title: 'CopyObject onto itself', without: 'metadata cannot be replaced in place' },
  partCopies: {
    need: 'compensated',
    title: 'UploadPartCopy',
    without: 'answered by the gateway for encrypted objects; refused for others',
  },
  conditionalCopySources: {
    need: 'feature',
    title: 'x-amz-copy-source-if-match',
    without: 'an object that is replaced while it is copied may give a copy that cannot be read',
  },
  conditionalCreations: {
    need: 'setting',
    title: 'If-None-Match on PutObject',
    without: '501 for a PutObject with a condition',
    setting: 'ignoresConditions: [PutObject]',
  },
  conditionalReplacements: {
    need: 'setting',
    title: 'If-Match on PutObject',
    without: '501 for a PutObject with a condition',
    setting: 'ignoresConditions: [PutObject]',
  },
  conditionalCopies: {
    need: 'compensated',
    title: 'If-None-Match on CopyObject',
    without: 'evaluated by the gateway just before the copy, so two copies at one moment may both succeed',
  },
  conditionalCompletions: {
    need: 'setting',
    title: 'If-None-Match on CompleteMultipartUpload',
    without: '501 for a CompleteMultipartUpload with a condition',
    setting: 'ignoresConditions: [CompleteMultipartUpload]',
  },
  conditionalDeletes: {
    need: 'setting',
    title: 'If-Match on DeleteObject',
    without: '501 for a DeleteObject with a condition',
    setting: 'ignoresConditions: [DeleteObject]',
  },
  tagging: { need: 'feature', title: 'object tags', without: backendError },
  versions: { need: 'feature', title: 'versions and delete markers', without: backendError },
  objectLock: { need: 'feature', title: 'object lock', without: backendError },
  cors: { need: 'feature', title: 'CORS rules of buckets', without: 'browsers of other origins are refused' },
  lifecycle: { need: 'feature', title: 'lifecycle rules', without: backendError },
  bucketPolicies: { need: 'feature', title: 'bucket policies', without: backendError },
  checksums: {
    need: 'compensated',
    title: 'verification of x-amz-checksum-*',
    without: 'verified by the gateway in any case',
  },
  doubleSlashKeys: { need: 'feature', title: 'keys with `//`', without: backendError },
  dotKeys: { need: 'feature', title: 'keys with `/./` and `/../`', without: backendError },
  slashKeys: { need: 'feature', title: 'keys that end in `/` with content', without: backendError },
  controlCharacterKeys: { need: 'feature', title: 'keys with control characters', without: backendError },
} as const satisfies Readonly<Record<string, Capability>>;

/** Name of a capability. */
export type CapabilityName = keyof typeof capabilities;
