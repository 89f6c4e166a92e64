import { hardwareSwitch, isHardwareOff } from '../crypto/cpu-instructions.ts';

/** What of `process` a restart in place needs; tests give another one. */
export type RestartableProcess = Pick<NodeJS.Process, 'arch' | 'env' | 'execPath' | 'execArgv' | 'argv' | 'execve'>;

/**
 * Sees to it that a process with `crypto.hardware: off` does without the CPU's instructions. OpenSSL takes that only from
 * the environment and only when it is loaded, so the process is replaced by itself with the variable set: it keeps its
 * id, its standard streams and its supervisor. Does not return where that happens, so nothing may be open yet.
 * @throws Error where OpenSSL has no switch for this architecture, or this runtime cannot restart in place.
 */
export function applyHardwareSetting(
  { hardware }: { readonly hardware: 'auto' | 'off' },
  process: RestartableProcess = globalThis.process,
): void {
  const { arch, env, execPath, execArgv, argv } = process;
  if (hardware === 'auto' || isHardwareOff(arch, env)) return;
  const off = hardwareSwitch(arch);
  if (off === undefined)
    throw new Error(`crypto.hardware: off is not possible on ${arch}: OpenSSL has no switch for it`);
  if (process.execve === undefined) {
    throw new Error(
      `crypto.hardware: off needs ${off.variable}='${off.value}' in the environment of this process: ` +
        'the runtime cannot restart it with that',
    );
  }
  process.execve(execPath, [execPath, ...execArgv, ...argv.slice(1)], { ...env, [off.variable]: off.value });
}
