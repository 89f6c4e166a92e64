import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import { systemClock, type Clock } from '../base/clock.ts';
import type { AuditEvent, AuditEventName } from './audit-event.ts';
import { auditLine } from './audit-line.ts';

/** Which kinds of sinks there are: a closed set, fit for a metric label. */
export type AuditSinkKind = 'stdout' | 'stderr' | 'file';

/** Port to where events are kept. */
export interface AuditSink {
  readonly kind: AuditSinkKind;
  /** Resolves when the line, given with its line feed, is as safe as the sink can make it. Lines keep their order. */
  write(line: string): Promise<void>;
  /** Opens anew what may have been moved away. */
  reopen?(): void;
  close(): Promise<void>;
}

/** What became of one event in one sink. */
export interface AuditWritten {
  readonly event: AuditEventName;
  readonly sink: AuditSinkKind;
  /** Why it is not there. */
  readonly error?: unknown;
}

/** Sinks, and who hears whether they work; must not throw. */
export interface AuditTrailOptions {
  readonly sinks: readonly AuditSink[];
  readonly onWritten?: (written: AuditWritten) => void;
  readonly clock?: Clock;
}

/** Gives each event to every sink. */
export class AuditTrail implements AsyncDisposable {
  readonly #options: AuditTrailOptions;
  readonly #clock: Clock;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Whether every sink has it; never rejects, since `onWritten` hears of failures. */
  async record(event: AuditEvent): Promise<boolean> {
    const origin = { timeMs: this.#clock.now(), eventId: randomUUID(), host: hostname(), processId: process.pid };
    const line = `${auditLine(event, origin)}\n`;
    const written = await Promise.all(this.#options.sinks.map((sink) => this.#write(sink, event.event, line)));
    return written.every(Boolean);
  }

  /** Opens files anew. */
  reopen(): void {
    for (const sink of this.#options.sinks) sink.reopen?.();
  }

  /** Waits for what is being written. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const sink of this.#options.sinks) await sink.close();
  }

  async #write(sink: AuditSink, event: AuditEventName, line: string): Promise<boolean> {
    try {
      await sink.write(line);
      this.#options.onWritten?.({ event, sink: sink.kind });
      return true;
    } catch (error) {
      this.#options.onWritten?.({ event, sink: sink.kind, error });
      return false;
    }
  }
}
