import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hardwareSwitch, isHardwareOff, usableInstructions } from '../../../src/crypto/cpu-instructions.ts';

/** As machines say it, without what tells machines apart. */
const cpuinfo = {
  'AMD EPYC 9004': `processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model name	: AMD EPYC
cache size	: 1024 KB
fpu		: yes
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good nopl xtopology nonstop_tsc cpuid extd_apicid tsc_known_freq pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm cmp_legacy cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw topoext vmmcall fsgsbase tsc_adjust bmi1 avx2 smep bmi2 erms invpcid avx512f avx512dq rdseed adx smap avx512ifma clflushopt clwb avx512cd sha_ni avx512bw avx512vl xsaveopt xsavec xgetbv1 xsaves avx512_bf16 clzero xsaveerptr arat avx512vbmi umip avx512_vbmi2 gfni vaes vpclmulqdq avx512_vnni avx512_bitalg avx512_vpopcntdq rdpid fsrm
bugs		: sysret_ss_attrs null_seg spectre_v1 spectre_v2 spec_store_bypass srso spectre_v2_user
bogomips	: 5192.28

processor	: 1
flags		: fpu
`,
  'Intel Xeon E5 v4': `processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx rdtscp lm constant_tsc rep_good nopl xtopology cpuid pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm abm cpuid_fault invpcid_single pti fsgsbase bmi1 avx2 smep bmi2 erms invpcid xsaveopt
`,
  'Intel Core 2': `processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush dts acpi mmx fxsr sse sse2 ss ht tm pbe syscall nx lm constant_tsc arch_perfmon pebs bts rep_good nopl aperfmperf pni dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cx16 xtpr pdcm sse4_1 xsave lahf_lm tpr_shadow vnmi flexpriority
`,
  'AWS Graviton2': `processor	: 0
BogoMIPS	: 243.75
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU part	: 0xd0c
`,
  'Apple M1, Linux': `processor	: 0
BogoMIPS	: 48.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 asimddp sha512 asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint
CPU implementer	: 0x61
`,
  'Raspberry Pi 4': `processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU part	: 0xd08

Hardware	: BCM2835
Model		: Raspberry Pi 4 Model B Rev 1.4
`,
  'Raspberry Pi 4, 32 bits': `processor	: 0
model name	: ARMv7 Processor rev 3 (v7l)
BogoMIPS	: 108.00
Features	: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32
`,
} as const;

const x86 = ['aes', 'pclmulqdq', 'vaes', 'vpclmulqdq', 'sha_ni'];

describe('the instructions of', () => {
  const cases: readonly (readonly [keyof typeof cpuinfo, string, readonly string[]])[] = [
    ['AMD EPYC 9004', 'x64', x86],
    ['Intel Xeon E5 v4', 'x64', ['aes', 'pclmulqdq']],
    ['Intel Core 2', 'x64', []],
    ['AWS Graviton2', 'arm64', ['aes', 'pmull', 'sha1', 'sha2']],
    ['Apple M1, Linux', 'arm64', ['aes', 'pmull', 'sha1', 'sha2', 'sha512']],
    ['Raspberry Pi 4', 'arm64', []],
    ['Raspberry Pi 4, 32 bits', 'arm', []],
  ];
  for (const [machine, arch, expected] of cases) {
    it(machine, () => assert.deepEqual(usableInstructions({ arch, cpuinfo: cpuinfo[machine] }, {}), expected));
  }

  it('the first processor stand for all, whatever another line says', () => {
    const text = 'processor : 0\nflags : fpu\nbugs : aes\nmodel name : aes vaes\n\nprocessor : 1\nflags : fpu aes\n';
    assert.deepEqual(usableInstructions({ arch: 'x64', cpuinfo: text }, {}), []);
  });

  for (const [what, cpu] of [
    ['another system', { arch: 'arm64' }],
    ['a container with an empty cpuinfo', { arch: 'x64', cpuinfo: '' }],
    ['a cpuinfo without the line', { arch: 'x64', cpuinfo: 'processor\t: 0\nmodel name\t: aes\n' }],
    ['a cpuinfo of another architecture', { arch: 'x64', cpuinfo: cpuinfo['AWS Graviton2'] }],
    ['an architecture that is not known here', { arch: 's390x', cpuinfo: 'features\t: esan3 zarch msa\n' }],
  ] as const) {
    it(`${what} are not known`, () => assert.equal(usableInstructions(cpu, {}), undefined));
  }
});

describe('what OpenSSL may use', () => {
  const epyc = { arch: 'x64', cpuinfo: cpuinfo['AMD EPYC 9004'] };
  for (const [value, expected] of [
    ['', x86],
    [':', ['aes', 'pclmulqdq']], // an empty second word is 0
    ['~0x200000000000000', ['pclmulqdq']], // the second word is missing: 0
    ['~0x200000000000000:~0', ['pclmulqdq', 'vaes', 'vpclmulqdq', 'sha_ni']],
    [':~0x60000000000', ['aes', 'pclmulqdq', 'sha_ni']],
    [':~0x20000000', ['aes', 'pclmulqdq', 'vaes', 'vpclmulqdq']],
    ['0x200000000000000:0x20000000000', ['aes', 'vaes']],
    ['144115188075855872:0', ['aes']],
    ['010000000000000000000:0', ['aes']],
    ['0:0', []],
    ['nonsense', []],
    ['~nonsense:~nonsense', x86],
  ] as const) {
    it(`by OPENSSL_ia32cap='${value}'`, () =>
      assert.deepEqual(usableInstructions(epyc, { OPENSSL_ia32cap: value }), expected));
  }

  it('by OPENSSL_armcap, which says all that is left', () => {
    const m1 = { arch: 'arm64', cpuinfo: cpuinfo['Apple M1, Linux'] };
    const usable = (value: string) => usableInstructions(m1, { OPENSSL_armcap: value, OPENSSL_ia32cap: '0:0' });
    assert.deepEqual(usable('0x7d'), ['aes', 'pmull', 'sha1', 'sha2', 'sha512']);
    assert.deepEqual(usable('0x25'), ['aes', 'pmull']);
    assert.deepEqual(usable('0'), []);
  });
});

describe('the switch', () => {
  for (const arch of ['x64', 'ia32', 'arm64', 'arm']) {
    it(`of ${arch} leaves none, and only then are they off`, () => {
      const off = hardwareSwitch(arch);
      assert.ok(off !== undefined);
      const environment = { [off.variable]: off.value };
      assert.equal(isHardwareOff(arch, environment), true);
      assert.deepEqual(usableInstructions({ arch }, environment), []);
      assert.equal(isHardwareOff(arch, {}), false);
      assert.equal(isHardwareOff(arch, { [off.variable]: '' }), false);
      assert.equal(isHardwareOff(arch, { [off.variable]: arch.startsWith('arm') ? '0x3' : '0:0' }), true);
      assert.equal(
        isHardwareOff(arch, { [off.variable]: arch.startsWith('arm') ? '0x5' : '~0x200000000000000' }),
        false,
      );
    });
  }

  it('is missing where OpenSSL has none', () => {
    assert.equal(hardwareSwitch('riscv64'), undefined);
    assert.equal(isHardwareOff('riscv64', { OPENSSL_armcap: '0', OPENSSL_ia32cap: '0:0' }), false);
  });
});
