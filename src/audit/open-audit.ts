import { AuditTrail, type AuditSink, type AuditTrailOptions } from './audit-trail.ts';
import { FileSink } from './sinks/file-sink.ts';
import { streamSink } from './sinks/stream-sink.ts';

/** A sink as the configuration names it. */
export type AuditSinkChoice = { readonly type: 'stdout' } | { readonly type: 'file'; readonly file: string };

/** What the sinks of the configuration come down to. */
export interface OpenAuditOptions extends Pick<AuditTrailOptions, 'onWritten'> {
  /** What `stdout` means: a command whose report goes there writes to stderr. */
  readonly stream: { readonly kind: 'stdout' | 'stderr'; readonly write: (line: string) => void };
}

/**
 * Opens every sink.
 * @throws Error that names the file which cannot be appended to.
 */
export async function openAudit(
  choices: readonly AuditSinkChoice[],
  { stream, onWritten }: OpenAuditOptions,
): Promise<AuditTrail> {
  await using opened = new AsyncDisposableStack();
  const sinks: AuditSink[] = [];
  for (const choice of choices) {
    const sink = choice.type === 'file' ? await fileSink(choice.file) : streamSink(stream.kind, stream.write);
    opened.defer(() => sink.close());
    sinks.push(sink);
  }
  opened.move();
  return new AuditTrail({ sinks, ...(onWritten === undefined ? {} : { onWritten }) });
}

async function fileSink(path: string): Promise<AuditSink> {
  try {
    return await FileSink.open(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`audit events cannot be written to ${path}: ${reason}`, { cause });
  }
}
