import type { SecretBytes } from '../crypto/secret-bytes.ts';
import type { Envelope } from './envelope.ts';
import { dekAad, ObjectSecrets } from './object-secrets.ts';

/** Where an object stands, or stood; bucket and key as in the request, percent-decoded. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
}

/** What a wrapped DEK is bound to: it opens with nothing else. */
export interface DekBinding {
  readonly context: { readonly policy: string; readonly bucket: string };
  readonly aad: Uint8Array;
}

/** What opens wrapped DEKs. */
export interface DekOpener {
  unwrap(envelope: Envelope, binding: DekBinding, signal?: AbortSignal): Promise<SecretBytes>;
}

/**
 * The binding of the DEK of an object at a place.
 * @throws RangeError for a name of more than 65 535 bytes.
 */
export function dekBinding(
  { policy, commitment }: Pick<Envelope, 'policy' | 'commitment'>,
  { bucket, key }: ObjectPlace,
): DekBinding {
  return { context: { policy, bucket }, aad: dekAad(bucket, key, commitment) };
}

/**
 * Unwraps the DEK of an envelope that stands, or stood, at a place. Dispose of the secrets.
 * @throws what `opener` throws.
 */
export async function unwrapSecrets(
  opener: DekOpener,
  place: ObjectPlace,
  envelope: Envelope,
  signal?: AbortSignal,
): Promise<ObjectSecrets> {
  return ObjectSecrets.of(await opener.unwrap(envelope, dekBinding(envelope, place), signal), envelope.salt);
}
