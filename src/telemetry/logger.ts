import { type DestinationStream, pino } from 'pino';

import { LineBatch, standardOutput, type SharingOptions } from './line-batch.ts';

/** How much is logged. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The fields that a log line may have; whatever is not in this list cannot be logged. */
export const logFieldNames = [
  'request_id',
  'trace_id',
  'access_key_id',
  'remote_address',
  'method',
  'operation',
  'bucket',
  'key',
  'upload_id',
  'policy',
  'status',
  'outcome',
  'duration_ms',
  'bytes_in',
  'bytes_out',
  'event',
  'sink',
  'key_name',
  'key_version',
  'previous_version',
  'backend',
  'attempt',
  'reason',
  'error_code',
  'error_message',
  'error_causes',
  'address',
  'file',
  'signal',
  'worker',
  'pid',
  'delay_ms',
  'version',
  'count',
  'suite',
  'hardware',
  'instructions',
  'aes_mb_per_second',
  'chacha_mb_per_second',
] as const;

/** Name of a log field. */
export type LogField = (typeof logFieldNames)[number];

/** What one line says beside its message. */
export type LogFields = { readonly [Field in LogField]?: string | number | boolean | undefined };

/** The log, as the rest of the program sees it: JSON lines with a message and allowed fields. */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether lines of this level are written: for fields that are dear to make. */
  enabled(level: Exclude<LogLevel, 'silent'>): boolean;
  /** Writes out what is buffered: before the process ends. */
  flush(): void;
}

const maxFieldLength = 2048;
const allowedNames: ReadonlySet<string> = new Set(logFieldNames);

function isAllowed(name: string): name is (typeof logFieldNames)[number] {
  return allowedNames.has(name);
}

type LineFields = Record<string, string | number | boolean>;

/**
 * Copies the allowed fields, bounded. Whatever the types say, no other name reaches the log library, and no object, in which
 * there might be anything: so lines need no redaction, which would walk each of them.
 */
function allowedFields(fields: LogFields): LineFields {
  const line: LineFields = {};
  for (const name of Object.keys(fields)) {
    if (!isAllowed(name)) continue;
    const value: unknown = fields[name];
    if (typeof value === 'string') line[name] = value.length > maxFieldLength ? shortened(value) : value;
    else if (typeof value === 'number' || typeof value === 'boolean') line[name] = value;
  }
  return line;
}

function shortened(text: string): string {
  return `${text.slice(0, maxFieldLength)}…`;
}

/** Code, message and causes of an error, as log fields; causes go five deep. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error_message: String(error) };
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(`${cause.name}: ${cause.message}`);
  }
  return {
    error_code: 'code' in error && typeof error.code === 'string' ? error.code : error.name,
    error_message: error.message,
    error_causes: causes.length === 0 ? undefined : causes.join(' < '),
  };
}

/** Which of several worker processes writes the lines: it stands in each of them. */
export interface LoggerOptions {
  readonly worker?: number;
}

/**
 * A logger that writes JSON lines to `destination`, by default to standard output without blocking, warnings and errors at
 * once and others within a moment.
 */
export function createLogger(level: LogLevel, destination?: DestinationStream, { worker }: LoggerOptions = {}): Logger {
  const stream = destination ?? standardLines();
  const log = pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      messageKey: 'message',
      timestamp: () => `,"time":"${isoTime(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const write = (name: Exclude<LogLevel, 'silent'>) => (message: string, fields?: LogFields) => {
    if (!log.isLevelEnabled(name)) return;
    if (fields === undefined) log[name](message);
    else log[name](allowedFields(fields), message);
    if (name === 'warn' || name === 'error') log.flush();
  };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    enabled: (name) => log.isLevelEnabled(name),
    flush: () => log.flush(),
  };
}

let lastSecond = Number.NaN;
let secondText = '';

/** As `toISOString`, whose date and clock are those of every line of a second. */
function isoTime(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== lastSecond) {
    secondText = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
    lastSecond = second;
  }
  return `${secondText}${String(timeMs - second * 1000).padStart(3, '0')}Z`;
}

/** Lines on standard output, for whoever writes there beside the log: all must have the same ones. */
export function standardLines(options: SharingOptions = {}): LineBatch {
  return new LineBatch(standardOutput(options), options);
}

const nothing = (): void => {};

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  enabled: () => false,
  flush: nothing,
};
