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

/** Digits of a key material's id that stand in a version: 64 bits, and an envelope holds 128 characters. */
const materialDigits = 16;

/** A version as it stands in an envelope, in its parts. */
export interface KmsVersion {
  /** The key's ARN, as `versionOfArn` writes it. */
  readonly key: string;
  /** Beginning of the id of its key material; undefined where the service did not tell. */
  readonly material: string | undefined;
}

/** `ARN#material`, or the ARN alone where the material is not known. */
export function versionText({ key, material }: KmsVersion): string {
  return material === undefined ? key : `${key}#${material}`;
}

/** What `versionText` wrote; whatever else is taken for an ARN, which no key has. */
export function parseVersion(version: string): KmsVersion {
  const [, key, material] = /^([^#]*)#([0-9a-f]{16})$/.exec(version) ?? [];
  return key === undefined ? { key: version, material: undefined } : { key, material };
}

/** The part of a key material's id that stands in a version; undefined where the service tells no id, or none in hexadecimal. */
export function materialOf(keyMaterialId: string | undefined): string | undefined {
  const id = keyMaterialId?.toLowerCase() ?? '';
  return /^[0-9a-f]{16,}$/.test(id) ? id.slice(0, materialDigits) : undefined;
}

/**
 * What stands in an envelope of the key: its ARN. The replicas of a multi-Region key are one key, which opens in
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
