/** What a request's path names. */
export type OperationLevel = 'service' | 'bucket' | 'object';

/** What a credential must be allowed to do for an operation. */
export type OperationAction = 'read' | 'write' | 'delete' | 'list' | 'admin';

/** What makes a request an operation of S3. */
export interface OperationShape {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  readonly level: OperationLevel;
  /** Query parameters that make it this operation: `true` for any value, else the exact value. */
  readonly query: Readonly<Record<string, true | string>>;
  /** Header (lower-case) that makes it this operation. */
  readonly header?: string;
  readonly action: OperationAction;
}

/** `GET` etc. with the sub-resources that make the request, e.g. `PUT bucket acl` or `GET bucket metrics id`. */
export type Route = `${OperationShape['method']} ${OperationLevel}${string}`;

/** The shape that a route writes in short. @throws TypeError where it is none. */
export function shapeOf(route: Route): Pick<OperationShape, 'method' | 'level' | 'query'> {
  const [method = '', level = '', ...parameters] = route.split(' ');
  if (!isMethod(method) || !isLevel(level)) throw new TypeError(`not a route: ${route}`);
  return { method, level, query: Object.fromEntries(parameters.map((parameter) => [parameter, true])) };
}

function isMethod(text: string): text is OperationShape['method'] {
  return ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'].includes(text);
}

function isLevel(text: string): text is OperationLevel {
  return ['service', 'bucket', 'object'].includes(text);
}
