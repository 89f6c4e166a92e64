/** A certificate for 127.0.0.1, and files that make clients trust it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { generate } from 'selfsigned';

import { runOk } from './processes.ts';
import { systemProgram } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** The same certificate as each kind of client wants it. */
export interface TrustFiles {
  readonly pem: string;
  /** Java's own form, which it opens with a password only. */
  readonly store: string;
  readonly password: string;
}

/** A server's certificate and key in PEM, with what its clients need. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  readonly trust: TrustFiles;
}

/** Makes a certificate that signs itself. */
export async function makeCertificate(workspace: Workspace): Promise<ServerCertificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  const cwd = await workspace.folder('certificate');
  const trust = { pem: join(cwd, 'trust.pem'), store: join(cwd, 'trust.p12'), password: 'changeit' };
  await writeFile(trust.pem, cert);
  const args = ['-importcert', '-noprompt', '-alias', 'test', '-file', trust.pem, '-keystore', trust.store];
  const password = ['-storetype', 'PKCS12', '-storepass', trust.password];
  const env = { PATH: '/usr/bin:/bin', HOME: cwd };
  await runOk({ program: systemProgram('keytool'), args: [...args, ...password], cwd, env });
  return { cert, key, trust };
}
