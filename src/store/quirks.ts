/**
 * Writes whose conditions are left to the store (S3 API reference, "Add preconditions to S3 operations"); those of a copy
 * are evaluated by the gateway.
 */
export const conditionalWrites = ['PutObject', 'CompleteMultipartUpload', 'DeleteObject'] as const;

/** A write that can have a condition. */
export type ConditionalWrite = (typeof conditionalWrites)[number];

/** Where a store differs from S3 in a way that the gateway has to know. */
export interface StoreQuirks {
  /** Writes that the store does whether or not their condition holds. */
  readonly ignoresConditions: readonly ConditionalWrite[];
  /** All parts of an upload but the last must have the same size, and the last must not be larger. */
  readonly equalPartSizes: boolean;
}

/** Of a store that does what S3 does. */
export const noQuirks: StoreQuirks = { ignoresConditions: [], equalPartSizes: false };
