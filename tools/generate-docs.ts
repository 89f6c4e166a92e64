import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { renderAuditReference } from './audit-reference.ts';
import { renderCliReference } from './cli-reference.ts';
import { renderConfigReference } from './config-reference.ts';
import { renderErrorsReference } from './errors-reference.ts';
import { renderMetricsReference } from './metrics-reference.ts';
import { renderPerformance } from './performance-page.ts';
import { renderProvidersReference } from './providers-reference.ts';
import { renderS3Reference } from './s3-reference.ts';

const root = join(import.meta.dirname, '..');

/** Every page that is made from code: text by path from the root of the repository. */
export async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/audit.md', renderAuditReference()],
    ['docs/cli.md', await renderCliReference()],
    ['docs/configuration.md', renderConfigReference()],
    ['docs/errors.md', renderErrorsReference()],
    ['docs/metrics.md', renderMetricsReference()],
    ['docs/providers.md', renderProvidersReference()],
    ['docs/s3-compatibility.md', renderS3Reference()],
    ...renderPerformance(root),
  ]);
}

if (import.meta.main) {
  for (const [path, text] of await generatedDocs()) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
