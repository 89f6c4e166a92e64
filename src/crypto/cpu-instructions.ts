/**
 * What a CPU has for the ciphers of the gateway, and what of it OpenSSL is let use. Linux says it in /proc/cpuinfo:
 * `flags` on x86, `Features` on ARM. OpenSSL takes its own limits from OPENSSL_ia32cap and OPENSSL_armcap when a process
 * starts, and never again (OPENSSL_ia32cap(3); crypto/armcap.c).
 */

/** Where a machine's instructions are found out from. */
export interface CpuDescription {
  /** As `process.arch` says it. */
  readonly arch: string;
  /** Text of /proc/cpuinfo; undefined where there is none. */
  readonly cpuinfo?: string;
}

/** Environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How OpenSSL is told at the start of a process to do without the instructions. */
export interface HardwareSwitch {
  readonly variable: string;
  readonly value: string;
}

interface Architecture {
  /** Name of the line of /proc/cpuinfo. */
  readonly line: RegExp;
  /** Instructions by the names that Linux gives them, with their bits in OpenSSL's words. */
  readonly instructions: readonly Instruction[];
  readonly off: HardwareSwitch;
  /** What the variable leaves of each of OpenSSL's words. */
  readonly masksOf: (value: string) => readonly bigint[];
}

interface Instruction {
  readonly name: string;
  readonly word: number;
  readonly bit: bigint;
}

const allBits = 0xffff_ffff_ffff_ffffn;

/** Word 0 is CPUID leaf 1 (EDX, ECX), word 1 is leaf 7 (EBX, ECX). */
const x86: Architecture = {
  line: /^flags\s*:(.*)$/m,
  instructions: [
    { name: 'aes', word: 0, bit: 57n },
    { name: 'pclmulqdq', word: 0, bit: 33n },
    { name: 'vaes', word: 1, bit: 41n },
    { name: 'vpclmulqdq', word: 1, bit: 42n },
    { name: 'sha_ni', word: 1, bit: 29n },
  ],
  // Vector instructions stay: with them ChaCha20 is twice as fast.
  off: { variable: 'OPENSSL_ia32cap', value: '~0x200000200000000:~0x60020000000' },
  masksOf(value) {
    const [first = '', second] = value.split(':');
    // A missing second word turns everything off that it stands for.
    return [first === '' ? allBits : maskOf(first), second === undefined ? 0n : maskOf(second)];
  },
};

const arm: Architecture = {
  line: /^Features\s*:(.*)$/m,
  instructions: [
    { name: 'aes', word: 0, bit: 2n },
    { name: 'pmull', word: 0, bit: 5n },
    { name: 'sha1', word: 0, bit: 3n },
    { name: 'sha2', word: 0, bit: 4n },
    { name: 'sha512', word: 0, bit: 6n },
  ],
  // Only NEON.
  off: { variable: 'OPENSSL_armcap', value: '0x1' },
  masksOf: (value) => [numberOf(value)],
};

const architectures: Readonly<Record<string, Architecture>> = { x64: x86, ia32: x86, arm64: arm, arm };

/** How the instructions are switched off on this architecture; undefined where OpenSSL has no switch for it. */
export function hardwareSwitch(arch: string): HardwareSwitch | undefined {
  return architectures[arch]?.off;
}

/** Whether a process that was started with this environment does without every instruction. */
export function isHardwareOff(arch: string, environment: Environment): boolean {
  const architecture = architectures[arch];
  if (architecture === undefined) return false;
  return architecture.instructions.every((instruction) => !isLetUse(architecture, instruction, environment));
}

/**
 * The instructions for AES, GHASH and SHA that the CPU has and OpenSSL may use, by Linux' names and in a fixed order.
 * Undefined where nothing says what the CPU has: another system than Linux, or a container without /proc/cpuinfo.
 */
export function usableInstructions(cpu: CpuDescription, environment: Environment): readonly string[] | undefined {
  const architecture = architectures[cpu.arch];
  if (architecture === undefined) return undefined;
  if (isHardwareOff(cpu.arch, environment)) return [];
  const [, line] = architecture.line.exec(cpu.cpuinfo ?? '') ?? [];
  if (line === undefined) return undefined;
  const words = new Set(line.trim().split(/\s+/));
  return architecture.instructions
    .filter((instruction) => words.has(instruction.name) && isLetUse(architecture, instruction, environment))
    .map(({ name }) => name);
}

function isLetUse({ off, masksOf }: Architecture, { word, bit }: Instruction, environment: Environment): boolean {
  const value = environment[off.variable];
  if (value === undefined || value === '') return true;
  return (((masksOf(value)[word] ?? 0n) >> bit) & 1n) === 1n;
}

/** `~N` takes bits away, `N` leaves only those. */
function maskOf(text: string): bigint {
  return text.startsWith('~') ? allBits & ~numberOf(text.slice(1)) : numberOf(text);
}

/** A number in C's notation; what is none counts as 0, as for OpenSSL. */
function numberOf(text: string): bigint {
  const [digits] = /^(0x[0-9a-f]{1,16}|0[0-7]{1,22}|\d{1,20})/i.exec(text) ?? ['0'];
  return BigInt.asUintN(64, BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits));
}
