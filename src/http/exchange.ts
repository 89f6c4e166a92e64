import type { ByteStream } from '../base/byte-stream.ts';
import { CodedError } from '../base/coded-error.ts';

/** Header fields by lower-case name, in an object without prototype; fields sent several times are joined by `,`. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** One request as the listener hands it over: nothing is decoded, the body is not read yet. */
export interface HttpRequest {
  readonly method: string;
  /** The request target as it was sent: raw path and query, never normalised. */
  readonly target: string;
  readonly headers: RequestHeaders;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  /**
   * May be iterated once. The first pull sends `100 Continue` where the client waits for it.
   * Throws HttpBodyError when the client goes away, stalls or breaks the framing.
   */
  readonly body: ByteStream;
  /** 16 upper-case hexadecimal digits; also sent as `x-amz-request-id`. */
  readonly requestId: string;
  readonly remoteAddress: string;
  /** Whether the client's connection is TLS. */
  readonly secure: boolean;
  /** Aborted when the client goes away or the drain deadline passes. */
  readonly signal: AbortSignal;
}

/**
 * The answer to one request; header names in lower case. A stream without `content-length` is sent chunked. The connection is broken, not ended,
 * when a stream throws or does not keep to its `content-length`. `date`, `connection` and `x-amz-request-id` are added.
 */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | ByteStream;
}

/** Answers one request. A rejection is answered 500 and reported to `onError`. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** Why a request body ended before its end. */
export type HttpBodyErrorCode =
  | 'aborted' // the client went away, or the drain deadline passed
  | 'idle_timeout' // no byte came for the idle timeout; the client may still be answered
  | 'malformed'; // the chunked framing is broken

/** The request body could not be read to its end. */
export class HttpBodyError extends CodedError<HttpBodyErrorCode> {}

/** What went wrong on our side of an exchange, for `onError`. */
export type HttpServerErrorCode =
  | 'handler_failed' // the handler rejected: answered 500
  | 'response_refused' // status or headers that cannot be sent: answered 500
  | 'body_failed' // the response body threw: connection broken
  | 'body_length_mismatch'; // the response body had not the announced length: connection broken

/** A failed exchange; the cause is kept. */
export class HttpServerError extends CodedError<HttpServerErrorCode> {}
