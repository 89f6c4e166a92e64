import { auditEvents, auditFields, commonFields, type AuditEvent, type FieldKind } from './audit-event.ts';

/** What stands in place of a value that does not have the form of its field. */
const unfit = '[not shown]';

const maxTextLength = 256;

/** Where an event was noted. */
export interface AuditOrigin {
  readonly timeMs: number;
  readonly eventId: string;
  readonly host: string;
  readonly processId: number;
}

type FieldValue = string | number | boolean;

const forms: Readonly<Record<FieldKind, (value: unknown) => FieldValue>> = {
  word: (value) => matching(value, /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/),
  name: (value) => matching(value, /^[A-Za-z0-9._-]{1,64}$/),
  version: (value) => matching(value, /^[\x21-\x7e]{1,128}$/),
  count: (value) => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : unfit),
  flag: (value) => (typeof value === 'boolean' ? value : unfit),
  // Names that people give; a control character in them is written as JSON writes it.
  label: (value) => (typeof value === 'string' ? bounded(value) : unfit),
  // What others say, and may quote.
  text: (value) => (typeof value === 'string' ? bounded(withoutSecrets(value)) : unfit),
};

/**
 * One event as a line of JSON without its line feed, of at most 8 KiB. Only fields that its event has are taken, each only
 * in its form.
 */
export function auditLine(event: AuditEvent, { timeMs, eventId, host, processId }: AuditOrigin): string {
  const given: ReadonlyMap<string, unknown> = new Map(Object.entries(event));
  const line: Record<string, FieldValue> = { time: new Date(timeMs).toISOString(), audit: true };
  const own = { event_id: eventId, host, process_id: processId };
  const values = new Map<string, unknown>([...given, ...Object.entries(own)]);
  const kinds: Readonly<Record<string, { readonly kind: FieldKind }>> = { ...commonFields, ...auditFields };
  for (const name of [...Object.keys(commonFields), ...auditEvents[event.event].fields]) {
    const value = values.get(name);
    const kind = kinds[name]?.kind;
    if (value !== undefined && kind !== undefined) line[name] = forms[kind](value);
  }
  return JSON.stringify(line);
}

function matching(value: unknown, form: RegExp): string {
  return typeof value === 'string' && form.test(value) ? value : unfit;
}

function bounded(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}…`;
}

/** What looks like a key and is the name of one: the ends of ARNs. */
const nameOfKey = /(?:key\/(?:mrk-)?[0-9a-f-]{32,36}|alias\/[a-z0-9_/-]+)(?![\w+/=-])/;

/** Forms of what must never be told: PEM texts, tokens of Vault, and everything that may be a key in base64 or hex. */
const secretForms = new RegExp(
  [
    String.raw`-----BEGIN[\s\S]*`,
    String.raw`\bhv[sbr]\.[\w.-]+`,
    String.raw`\b[sbr]\.[A-Za-z0-9]{24}\b(?:\.\w+)?`,
    String.raw`(?<![\w+/-])(?!${nameOfKey.source})[A-Za-z0-9+/_-]{40,}={0,2}`,
  ].join('|'),
  'g',
);

/** A net: no message that is taken as a text quotes a secret on purpose. */
function withoutSecrets(text: string): string {
  return text.replace(secretForms, unfit);
}
