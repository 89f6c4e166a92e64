/** The step that looks at the audit events of gateway and operator. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { auditFile, logLines, type LogLine } from './gateway.ts';
import type { Site } from './site.ts';
import type { Services } from './steps-beginning.ts';

const shownFields = ['event', 'outcome', 'actor', 'key_name', 'key_version', 'bucket', 'dry_run', 'rewrapped'];
const longestText = 100;

/** Shows who did what to keys, and looks for secrets in it. */
export async function lookAtAudit(site: Site, { vault, roles }: Services): Promise<void> {
  const { stage } = site;
  stage.step(
    'Audit events',
    `The gateway and the operator's commands appended each step to one file, from a closed list of events, each on the disk before the
    next step. docs/audit.md has them all.`,
  );
  const file = join(site.folder, auditFile);
  const text = await readFile(file, 'utf8');
  const events = logLines(text);
  stage.command(`jq -c '{${shownFields.join(', ')}}' ${auditFile}`);
  stage.output(events.map(shownEvent).join('\n'));
  const has = (wanted: LogLine): boolean =>
    events.some((event) => Object.entries(wanted).every(([name, value]) => event[name] === value));
  const byOperator = { outcome: 'ok', actor: 'cli' };
  const rotated = ['vault', 'aws'].every((name) =>
    has({ event: 'key_rotation_finished', key_name: name, ...byOperator }),
  );
  stage.claim('they tell that the operator rotated both keys', rotated);
  const takenUp = { event: 'key_version_taken_up', actor: 'gateway', key_name: 'vault', key_version: '2' };
  stage.claim('and that the gateway took the new version up', has(takenUp));
  const rewrapped = { event: 'rewrap_finished', bucket: 'letters', dry_run: false, ...byOperator };
  stage.claim('and which bucket was rewrapped', has(rewrapped));
  const retired = { event: 'key_retirement_finished', key_name: 'vault', key_version: '1', ...byOperator };
  stage.claim('and which version was retired', has(retired));
  stage.claim('only its owner may read the file', ((await stat(file)).mode & 0o077) === 0);
  const secrets = [...vault.secrets, roles.gateway.secretId, roles.operator.secretId, site.secretAccessKey];
  stage.claim(
    'no token, secret id or secret key is in it',
    secrets.every((secret) => !text.includes(secret)),
  );
}

function shownEvent(event: LogLine): string {
  const shown = shownFields.flatMap((name) => {
    const value = event[name];
    return value === undefined ? [] : [[name, typeof value === 'string' ? value.slice(0, longestText) : value]];
  });
  return JSON.stringify(Object.fromEntries(shown));
}
