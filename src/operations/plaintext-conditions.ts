import { clientEtag, mayNamePlaintext, namesEntityTag, replaceEntityTag } from '../s3/etag.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { Conditions } from '../store/object-store.ts';
import { authorizeRead } from './authorization.ts';
import { addressOf } from './get-object.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { openObject } from './object-decryption.ts';
import { objectEtag, showsMd5 } from './shown-etag.ts';

/** What the object at a request's key is called now: by the backend, and by clients. */
interface CurrentEtags {
  readonly stored: string;
  readonly shown: string;
}

/** Statuses of a HEAD where there is nothing, or a delete marker. */
const withoutEtag: ReadonlySet<number> = new Set([404, 405]);

const conditionHeaders = ['if-match', 'if-none-match', 'if-range'] as const;

/**
 * Runs an operation under a policy whose ETags are MD5s of plaintext, which the backend does not know: where a condition
 * names one, the object is looked at and the condition is put in terms of the state that was seen, so that the backend
 * still evaluates it atomically. Opaque ETags, as listings have them, are good as they are.
 */
export async function underPlaintextConditions(
  request: ObjectRequest,
  gateway: Gateway,
  operation: {
    readonly isRead: boolean;
    readonly run: (request: ObjectRequest, gateway: Gateway) => Promise<OperationResult>;
  },
): Promise<OperationResult> {
  if (!showsMd5(request)) return await operation.run(request, gateway);
  const asksForPlaintext = conditionHeaders.some((name) => mayNamePlaintext(request.headers[name] ?? ''));
  const current = asksForPlaintext ? await currentEtags(request, gateway) : undefined;
  const headers = asksForPlaintext ? storedForm(request.headers, current, operation.isRead) : request.headers;
  try {
    return await operation.run({ ...request, headers }, gateway);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    throw await withShownEtag(error, current, () => currentEtags(request, gateway).catch(() => undefined));
  }
}

/** Conditions of a read (of a copy's source) in terms of the state that is there now; `request` is to that object. */
export async function plaintextConditions(
  request: ObjectRequest,
  gateway: Gateway,
  conditions: Conditions,
): Promise<Conditions> {
  const { ifMatch, ifNoneMatch } = conditions;
  const asksForPlaintext = showsMd5(request) && [ifMatch, ifNoneMatch].some((tags) => mayNamePlaintext(tags ?? ''));
  const current = asksForPlaintext ? await currentEtags(request, gateway) : undefined;
  if (current === undefined) return conditions;
  return {
    ...conditions,
    ...(ifMatch === undefined ? {} : { ifMatch: renamed(ifMatch, current) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: renamed(ifNoneMatch, current) }),
  };
}

/**
 * Undefined where there is no object, or none that has an MD5.
 * @throws S3Error AccessDenied for who may not read: a condition would tell whether the content is what one guesses.
 */
async function currentEtags(request: ObjectRequest, gateway: Gateway): Promise<CurrentEtags | undefined> {
  authorizeRead(request, gateway, request);
  try {
    const head = await request.backend.store.headObject(addressOf(request), { signal: request.signal });
    const opened = await openObject(gateway, request, head);
    using _secrets = opened?.secrets;
    return { stored: head.etag, shown: await objectEtag(request, gateway, opened, head) };
  } catch (error) {
    if (error instanceof S3Error && (withoutEtag.has(error.status) || error.code === 'ObjectNotEncrypted'))
      return undefined;
    throw error;
  }
}

function storedForm(
  headers: ObjectRequest['headers'],
  current: CurrentEtags | undefined,
  isRead: boolean,
): ObjectRequest['headers'] {
  const mapped: Record<string, string | undefined> = { ...headers };
  for (const name of conditionHeaders) {
    const tags = headers[name];
    if (tags !== undefined && current !== undefined) mapped[name] = renamed(tags, current);
  }
  if (isRead || !mayNamePlaintext(mapped['if-none-match'] ?? '')) return mapped;
  return boundToState(mapped, current);
}

/** A list without plaintext ETags says all that is to be said; one that is left names no current state. */
function renamed(tags: string, { shown, stored }: CurrentEtags): string {
  return replaceEntityTag(tags, shown, clientEtag(stored));
}

/**
 * A write that must not replace content of some MD5: the backend could not see what takes the place of the present state
 * meanwhile, so the write is for just this state, or for none where there is none.
 * @throws S3Error PreconditionFailed where the present state is among those that must not be replaced.
 */
function boundToState(
  headers: Record<string, string | undefined>,
  current: CurrentEtags | undefined,
): Record<string, string | undefined> {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, ...others } = headers;
  const stored = current === undefined ? undefined : clientEtag(current.stored);
  if (stored !== undefined && namesEntityTag(ifNoneMatch ?? '', stored)) throw s3Error('PreconditionFailed');
  // One that names a state binds the write already.
  if (ifMatch !== undefined && ifMatch.trim() !== '*') return { ...others, 'if-match': ifMatch };
  return stored === undefined ? { ...others, 'if-none-match': '*' } : { ...others, 'if-match': stored };
}

/** A 304 names the object's ETag, as its 200 would. Other errors name it where no more has to be asked. */
async function withShownEtag(
  error: S3Error,
  known: CurrentEtags | undefined,
  ask: () => Promise<CurrentEtags | undefined>,
): Promise<S3Error> {
  const { etag, ...others } = error.headers;
  if (etag === undefined) return error;
  const current = known === undefined && error.status === 304 ? await ask() : known;
  const headers = current?.stored === etag ? { ...others, etag: current.shown } : others;
  const { message, cause, status, details } = error;
  return new S3Error(error.code, message, { cause, status, details, headers });
}
