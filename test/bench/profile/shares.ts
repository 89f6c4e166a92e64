import type { CallFrame, Frame } from './cpu-profile.ts';

/** What a sample's time went into, by where its code is. */
export const categories = [
  'ciphers and hashes',
  'sockets: write calls',
  'sockets: read calls and the event loop',
  'HTTP server of Node',
  'HTTP client',
  'streams and promises of Node',
  'memory: buffers',
  'memory: garbage collection',
  'gateway: crypto and envelope',
  'gateway: HTTP, S3, signatures',
  'gateway: backend',
  'gateway: operations, policies, keys',
  'gateway: logs and metrics',
  'other',
] as const;

/** One of them. */
export type Category = (typeof categories)[number];

/** What the code at a place is; the first that matches counts. */
const places: readonly (readonly [RegExp, Category])[] = [
  [/^node:(internal\/)?crypto/, 'ciphers and hashes'],
  [/^node:internal\/(stream_base_commons|js_stream_socket)/, 'sockets: write calls'],
  [/^node:(net|internal\/net|_tls|tls)/, 'sockets: read calls and the event loop'],
  [/^node:(internal\/)?(timers|process\/|async_hooks|callback_trampoline)/, 'sockets: read calls and the event loop'],
  [/^node:(_http_|http|internal\/http)/, 'HTTP server of Node'],
  [/\/node_modules\/undici\/|^node:internal\/deps\/undici/, 'HTTP client'],
  [
    /^node:(internal\/)?(streams|stream|webstreams|events|abort_controller|event_target)/,
    'streams and promises of Node',
  ],
  [/^node:(internal\/)?(buffer|util\/inspect)/, 'memory: buffers'],
  [/\/src\/(crypto|envelope)\//, 'gateway: crypto and envelope'],
  [/\/src\/(http|s3)\//, 'gateway: HTTP, S3, signatures'],
  [/\/src\/store\//, 'gateway: backend'],
  [/\/src\/telemetry\/|\/node_modules\/(pino|sonic-boom|thread-stream)\//, 'gateway: logs and metrics'],
  [/\/src\//, 'gateway: operations, policies, keys'],
];

const special: Readonly<Record<string, Category>> = {
  '(garbage collector)': 'memory: garbage collection',
  // Native code that no JavaScript called: what libuv reads, the parser of HTTP, and what the loop does in between.
  '(program)': 'sockets: read calls and the event loop',
};

/** The category of code at the end of a stack: of its own file, or of the nearest file that called it. */
export function categoryOf(stack: readonly CallFrame[]): Category {
  const last = stack.at(-1);
  const known = last === undefined ? undefined : special[last.functionName];
  if (known !== undefined) return known;
  const url = stack.findLast((call) => call.url !== '')?.url ?? '';
  return places.find(([pattern]) => pattern.test(url))?.[1] ?? 'other';
}

/** The share of each category in a tree's time, which add up to 1. */
export function sharesOf(root: Frame): Readonly<Record<Category, number>> {
  const micros = new Map<Category, number>();
  const visit = (frame: Frame, stack: readonly CallFrame[]): void => {
    const category = categoryOf(stack);
    micros.set(category, (micros.get(category) ?? 0) + frame.selfMicros);
    for (const child of frame.children.values()) visit(child, [...stack, child.call]);
  };
  visit(root, []);
  const shares = categories.map((category) => [category, (micros.get(category) ?? 0) / (root.totalMicros || 1)]);
  return Object.fromEntries(shares);
}
