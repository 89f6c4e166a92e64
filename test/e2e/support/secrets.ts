/** Texts that no log may show: secret keys and every signature that a test made. */
const secrets = new Set<string>();

/** Marks a text as secret for the rest of the run. */
export function rememberSecret(secret: string): void {
  secrets.add(secret);
}

/** All that was marked. */
export function knownSecrets(): ReadonlySet<string> {
  return secrets;
}
