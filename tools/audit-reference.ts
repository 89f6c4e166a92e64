import { auditEvents, auditFields, commonFields } from '../src/audit/audit-event.ts';

interface EventRow {
  readonly says: string;
  readonly outcomes: readonly string[];
  readonly fields: readonly string[];
}

const code = (text: string): string => `\`${text}\``;

function fieldTable(fields: Readonly<Record<string, { readonly says: string }>>): string {
  const rows = Object.entries(fields).map(([name, { says }]) => `| ${code(name)} | ${says} |`);
  return `| Field | Meaning |\n| --- | --- |\n${rows.join('\n')}`;
}

function eventTable(): string {
  const rows = Object.entries<EventRow>(auditEvents).map(([name, { says, outcomes, fields }]) => {
    const [shownOutcomes, shownFields] = [outcomes, fields].map((names) => names.map(code).join(', '));
    return `| ${code(name)} | ${says} | ${shownOutcomes} | ${shownFields} |`;
  });
  return `| Event | Meaning | Outcome | Fields |\n| --- | --- | --- | --- |\n${rows.join('\n')}`;
}

/** The page on audit events, made from their catalogue. */
export function renderAuditReference(): string {
  return `# Audit events

<!-- Made by \`npm run docs\` from src/audit/audit-event.ts: do not edit. -->

What happens to keys is told twice: to the log, for whoever operates the gateway, and as audit events, for whoever has to prove
later who did what. Events are a closed list of lines of JSON, each with the fields below and no others; every field has a bounded
form, and none is there that a key, a token or an object could go into. Requests of S3 clients are in the log, not here.

## Where they go

\`\`\`yaml
audit:
  sinks:
    - { type: stdout } # between the lines of the log, told apart by "audit":true
    - { type: file, file: /var/log/s3eg/audit.jsonl }
\`\`\`

Without \`audit.sinks\` the gateway writes them to standard output; \`[]\` is nowhere. [configuration.md](configuration.md) has the settings.

- **A file** is made with mode 0600 and appended to; every event is on the disk (fsync) before what it tells of goes on. Several
  processes, the gateway and the commands, may append to one file. logrotate may move it away at any time: the next event makes a new
  one; SIGHUP opens it anew too. A gateway that cannot append to it does not start.
- **Commands** (\`s3eg keys rotate\`, \`retire\` and \`destroy\`, \`s3eg rewrap\`, \`s3eg decrypt --recovery-key\`) write to the sinks that
  their configuration names, and nowhere where it names none. \`stdout\` is standard error then, as their report is on standard output.
- **What cannot be written is loud.** A command does not begin (exit code 3), or ends with exit code 1 and a message where the
  beginning was recorded and the end was not. A gateway goes on, logs \`an audit event was not written\` as an error and counts it:
  an alert on \`s3eg_audit_events_total{outcome="failed"}\` is worth having.

Events begin before they end: a \`…_started\` without its \`…_finished\` or \`…_failed\` is a process that was killed in between, and what
became of it is asked of the key service.

## Fields of every event

${fieldTable(commonFields)}

Those that say nothing are left out. A value that does not have the form of its field stands there as \`[not shown]\`.

## Events

${eventTable()}

## Their fields

${fieldTable(auditFields)}

## Who sees what

Each gateway and each command tells what it does itself. Of several replicas with one schedule, one writes \`key_rotation_started\` and
\`key_rotation_finished\`, the others \`key_rotation_skipped\`; every process of theirs that uses the key, each worker too, writes \`key_version_taken_up\` when it finds the
new version, also where somebody rotated in the key service. \`key_unusable\` and \`key_usable\` are noticed when \`/ready\` is asked, which
balancers and orchestrators do all the time. Rotations in AWS KMS or Vault themselves, by whomever, are in their own audit logs.
`;
}
