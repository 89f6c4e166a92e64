const keyArn = /^arn:(aws[a-z-]*):kms:([a-z0-9-]*):(\d{12}):key\/([A-Za-z0-9-]+)$/;

/** The ARN of a key, in its parts. */
export interface KeyArn {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly keyId: string;
}

/** Undefined for whatever is no ARN of a key: ids, aliases and their ARNs. */
export function parseKeyArn(text: string): KeyArn | undefined {
  const [, partition, region, account, keyId] = keyArn.exec(text) ?? [];
  if (partition === undefined || region === undefined || account === undefined || keyId === undefined) return undefined;
  return { partition, region, account, keyId };
}

/** Whether a name for a key is an alias, which can come to mean another key at any time. */
export function isAlias(keyId: string): boolean {
  return /(^|:)alias\//.test(keyId);
}

/**
 * What stands in an envelope as the version: the key's ARN. The replicas of a multi-Region key are one key, which opens in
 * each Region what was wrapped in any, so its ARN is written without a Region.
 */
export function versionOfArn(arn: string): string {
  const parsed = parseKeyArn(arn);
  return parsed?.keyId.startsWith('mrk-') === true ? arnIn(parsed, '') : arn;
}

/** The ARN to ask for: that of the replica in `region` where the key has one in each. */
export function localArn(arn: string, region: string): string {
  const parsed = parseKeyArn(arn);
  return parsed?.keyId.startsWith('mrk-') === true ? arnIn(parsed, region) : arn;
}

function arnIn({ partition, account, keyId }: KeyArn, region: string): string {
  return `arn:${partition}:kms:${region}:${account}:key/${keyId}`;
}
