import type { AeadSuite } from '../../src/crypto/aead.ts';

import { isBun } from '../../src/base/runtime.ts';

/**
 * What the code, or a test of it, asks of a runtime and Bun 1.4 has not. That the first three are still so is seen by
 * `test/unit/tools/gaps.test.ts`; a new version of Bun is a reason to try without the others.
 */
const bunLacks = {
  chacha: 'BoringSSL gives it no ChaCha20-Poly1305 (oven-sh/bun#8072)',
  liveBuiltins: 'what replaces a function of node:crypto does not reach those who imported it (syncBuiltinESMExports)',
  consoleTable: 'the table of a Console of node:console throws on objects',
  loadHooks: 'node:module has no registerHooks, which says what modules are loaded',
  onread: 'its sockets call back for `onread` without the socket, and the gateway does without it there',
  adoptedTls: 'its TLS server does not speak TLS on a connection that it is given: `workers` take no TLS there',
  adoptedHeads: 'its HTTP server does not watch over the time of a head on a connection that it is given',
  untouched: 'its HTTP server does not know connections that never sent a byte, so that a drain cannot close them',
  ownGrace: 'its HTTP server cannot stop to listen without closing idle connections of its own',
  uncork: 'its HTTP server sends what was written, uncorked or not, at the end of the turn',
  oldKeepAlive: 'its HTTP server closes after each answer in HTTP/1.0',
} as const;

/** What a test may be skipped for, on Bun alone. */
export type Gap = keyof typeof bunLacks;

/**
 * Options of a test, or of a group, that a runtime cannot pass by its nature: skipped there, with the reason in the output, and run on
 * every other.
 */
export function needs(gap: Gap): { readonly skip: string | false } {
  if (!isBun) return { skip: false };
  console.log(`skipped on Bun: ${bunLacks[gap]}`);
  return { skip: bunLacks[gap] };
}

/** The suites that this runtime has, where a test goes through all of them; that one is left out is said. */
export function suitesHere(): readonly AeadSuite[] {
  if (!isBun) return ['aes-256-gcm', 'chacha20-poly1305'];
  console.log(`AES-256-GCM alone on Bun: ${bunLacks.chacha}`);
  return ['aes-256-gcm'];
}
