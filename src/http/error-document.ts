/** The errors that the listener itself answers, before or without a handler; codes and messages are S3's own. */
export const listenerErrors = {
  BadRequest: { status: 400, message: 'The request could not be parsed.' },
  RequestTimeout: {
    status: 400,
    message: 'Your socket connection to the server was not read from or written to within the timeout period.',
  },
  ExpectationFailed: { status: 417, message: 'The Expect header is not supported.' },
  RequestHeaderSectionTooLarge: {
    status: 431,
    message: 'Your request header section exceeds the maximum allowed request header section size.',
  },
  InternalError: { status: 500, message: 'We encountered an internal error. Please try again.' },
} as const;

/** Codes of the errors that the listener itself answers. */
export type ListenerErrorCode = keyof typeof listenerErrors;

/** Status and XML body of a listener error. The texts hold no character that XML would need escaped. */
export function listenerError(code: ListenerErrorCode, requestId: string): { status: number; body: string } {
  const { status, message } = listenerErrors[code];
  const body =
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>` +
    `<RequestId>${requestId}</RequestId></Error>`;
  return { status, body };
}
