import { closeSync, openSync, readSync } from 'node:fs';

import type { AeadSuite } from './aead.ts';
import { usableInstructions, type Environment } from './cpu-instructions.ts';
import { chooseSuite, measureSuites, type SuiteRates } from './suite-choice.ts';

/** What encrypts in this process. */
export interface CryptoInUse {
  /** Of new objects whose policy names none. */
  readonly suite: AeadSuite;
  /** Of the CPU, for ciphers and hashes; undefined where the system does not say. */
  readonly instructions: readonly string[] | undefined;
  /** Measured on one core. */
  readonly bytesPerSecond: SuiteRates;
}

/** What a process runs on; tests give another one. */
export interface CryptoSurroundings {
  readonly arch: string;
  readonly environment: Environment;
  readonly cpuinfoFile: string;
  readonly measure: () => SuiteRates;
}

/** The first processor is described in less; a machine with hundreds has megabytes. */
const maxCpuinfoBytes = 64 * 1024;

/** Finds out what this process encrypts with; takes the 50 ms of `measureSuites`. `suite` is the setting `crypto.suite`. */
export function cryptoInUse(
  { suite }: { readonly suite: AeadSuite | 'auto' },
  { arch, environment, cpuinfoFile, measure }: CryptoSurroundings = surroundings(),
): CryptoInUse {
  const cpuinfo = readStart(cpuinfoFile);
  const instructions = usableInstructions({ arch, ...(cpuinfo === undefined ? {} : { cpuinfo }) }, environment);
  const bytesPerSecond = measure();
  return { suite: suite === 'auto' ? chooseSuite(instructions, bytesPerSecond) : suite, instructions, bytesPerSecond };
}

function surroundings(): CryptoSurroundings {
  return { arch: process.arch, environment: process.env, cpuinfoFile: '/proc/cpuinfo', measure: measureSuites };
}

function readStart(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.alloc(maxCpuinfoBytes);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
