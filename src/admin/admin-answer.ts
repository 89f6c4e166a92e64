/** The part of a request that this listener looks at; the HTTP server's request fits. */
export interface AdminRequest {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly requestId?: string;
  readonly remoteAddress?: string;
}

/** An answer; the HTTP server's response takes it. */
export interface AdminResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer that is never cached. */
export function jsonAnswer(status: number, body: unknown): AdminResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: `${JSON.stringify(body)}\n`,
  };
}
