import { relative, sep } from 'node:path';

import type { AwsKmsKeySettings, Settings } from '../../config/settings.ts';

/** Settings that work and are risky, or that were hardly meant; in words. Pure. */
export function findRisks(settings: Settings): readonly string[] {
  return [
    ...policyRisks(settings),
    ...keyRisks(settings),
    ...unusedBackends(settings),
    ...credentialRisks(settings),
    ...proxyRisks(settings),
  ];
}

function policyRisks({ policies }: Settings): string[] {
  return policies.flatMap(({ name, encryption }) => {
    if (encryption.mode === 'off') return [`policy "${name}": encryption.mode off stores objects in clear`];
    if (encryption.unencryptedReads === 'deny') return [];
    return [
      `policy "${name}": encryption.unencryptedReads allow hands out objects that are not encrypted, so whoever can ` +
        'write to the backend can plant them',
    ];
  });
}

function keyRisks({ keys, backends, rotationSchedules }: Settings): string[] {
  const risks: string[] = [];
  for (const [name, key] of keys) {
    if (key.type === 'local') risks.push(...misplacedKeyring(name, key.file, backends));
    if (key.type === 'aws-kms') risks.push(...unreadableKeys(name, key));
    if (key.type === 'aws-kms' && rotationSchedules.has(name)) risks.push(scarceRotations(name));
    if (key.readPrevious > 0) continue;
    risks.push(`keys.${name}: with rotation.readPrevious 0 a rotation makes every older object unreadable`);
  }
  return risks;
}

function misplacedKeyring(name: string, file: string, backends: Settings['backends']): string[] {
  const around = [...backends].filter(([, backend]) => backend.type === 'filesystem' && isWithin(file, backend.root));
  return around.map(
    ([backend]) => `keys.${name}.file: the keyring lies among the objects of backend "${backend}": keep it apart`,
  );
}

function unreadableKeys(name: string, { keyId, previousKeyIds, readPrevious }: AwsKmsKeySettings): string[] {
  const previous = previousKeyIds.filter((other) => other !== keyId).length;
  if (previous <= readPrevious) return [];
  return [
    `keys.${name}: previousKeyIds has ${previous} keys, of which rotation.readPrevious lets ${readPrevious} be read`,
  ];
}

function scarceRotations(name: string): string {
  return (
    `keys.${name}: rotation.schedule uses up the 25 rotations on demand that AWS allows for a key: let AWS rotate it ` +
    'automatically, which the gateway follows'
  );
}

function isWithin(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}

function unusedBackends({ backends, policies }: Settings): string[] {
  const used = new Set(policies.map(({ backend }) => backend));
  return [...backends.keys()].filter((name) => !used.has(name)).map((name) => `backends.${name}: no policy uses it`);
}

function credentialRisks({ credentials }: Settings): string[] {
  return credentials
    .filter(({ allow }) => allow.length === 0)
    .map(({ accessKeyId }) => `credentials: access key "${accessKeyId}" may do nothing: its allow is empty`);
}

function proxyRisks({ listen }: Settings): string[] {
  return listen.trustedProxies
    .filter((proxy) => /\/0+$/.test(proxy))
    .map((proxy) => `listen.trustedProxies: ${proxy} believes the X-Forwarded-Host of every client`);
}
