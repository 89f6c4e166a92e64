/** Keys of an AWS user, instead of the default chain. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A role that is assumed with the credentials at hand. */
export interface AssumedRole {
  readonly roleArn: string;
  readonly externalId?: string;
  readonly sessionName: string;
}

/** Which key of AWS KMS, and how to get at it. */
export interface AwsKmsOptions {
  /** Name under `keys:` of the configuration. */
  readonly name: string;
  /** Id, ARN, alias (`alias/…`) or alias ARN of the key to wrap with. */
  readonly keyId: string;
  /** Keys that are still unwrapped with, newest first; the current one may be among them. */
  readonly previousKeyIds: readonly string[];
  /** By default that of the key's ARN, else that of the environment or the profile. */
  readonly region?: string;
  /** Address, where it is not the service of AWS. */
  readonly endpoint?: string;
  /** By default the SDK's chain: environment, profile, web identity (IRSA), container, instance. */
  readonly credentials?: AwsKeys;
  readonly profile?: string;
  readonly assumeRole?: AssumedRole;
  /** Longest wait for one answer; a call with all its tries ends after twice that time. */
  readonly timeoutMs: number;
  /** Further tries of a call that got no answer, or was throttled. */
  readonly retries: number;
}
