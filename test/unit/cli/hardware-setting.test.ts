import assert from 'node:assert/strict';
import { test } from 'node:test';

import { applyHardwareSetting, type RestartableProcess } from '../../../src/cli/hardware-setting.ts';

class Replaced extends Error {
  readonly call: readonly unknown[];

  constructor(call: readonly unknown[]) {
    super('the process is another one now');
    this.call = call;
  }
}

const gateway: RestartableProcess = {
  arch: 'x64',
  env: { PATH: '/bin' },
  execPath: '/usr/bin/node',
  execArgv: ['--max-semi-space-size=4'],
  argv: ['/usr/bin/node', '/s3eg/src/main.ts', '--config', 'c.yaml'],
  execve: (...call) => {
    throw new Replaced(call);
  },
};

function restartOf(process: RestartableProcess): readonly unknown[] | undefined {
  try {
    applyHardwareSetting({ hardware: 'off' }, process);
    return undefined;
  } catch (error) {
    if (error instanceof Replaced) return error.call;
    throw error;
  }
}

test('with auto nothing is restarted', () => {
  applyHardwareSetting({ hardware: 'auto' }, gateway);
});

test('with off the process is replaced by itself with the variable set, once', () => {
  const command = ['/usr/bin/node', '--max-semi-space-size=4', '/s3eg/src/main.ts', '--config', 'c.yaml'];
  const env = { PATH: '/bin', OPENSSL_ia32cap: '~0x200000200000000:~0x60020000000' };
  assert.deepEqual(restartOf(gateway), ['/usr/bin/node', command, env]);
  assert.equal(restartOf({ ...gateway, env }), undefined);
  assert.equal(restartOf({ ...gateway, env: { OPENSSL_ia32cap: '0:0' } }), undefined);
  const arm = restartOf({ ...gateway, arch: 'arm64' });
  assert.deepEqual(arm?.[2], { PATH: '/bin', OPENSSL_armcap: '0x1' });
});

test('where off cannot be had, the command fails and says why', () => {
  const { execve: _, ...withoutRestart } = gateway;
  assert.throws(() => restartOf(withoutRestart), /needs OPENSSL_ia32cap='~0x2\S+' in the environment/);
  assert.throws(() => restartOf({ ...gateway, arch: 'riscv64' }), /not possible on riscv64/);
});
