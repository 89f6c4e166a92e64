import { capabilities, type Capability } from '../../maintenance/backend-probe/capabilities.ts';
import type { Finding } from '../../maintenance/backend-probe/probe-backend.ts';
import { printable } from '../cli-io.ts';
import type { BackendExamination, KeyExamination } from './examine.ts';

/** What was examined. */
export interface DoctorReport {
  /** Whether nothing has to be changed. */
  readonly ok: boolean;
  readonly backends: readonly BackendExamination[];
  readonly keys: readonly KeyExamination[];
}

const marks = { works: 'works    ', lacks: 'fails    ', ignored: 'ignored  ', unknown: 'not tried' } as const;

/** One finding in a line. */
export function findingText({ capability, outcome, reason }: Finding): string {
  const { title, without }: Capability = capabilities[capability];
  const said = reason === undefined ? '' : ` (${printable(reason)})`;
  const meaning = outcome === 'lacks' || outcome === 'ignored' ? `: ${without}` : '';
  return `  ${marks[outcome]}  ${title}${said}${meaning}`;
}

/** The report in lines of text. */
export function doctorText({ ok, backends, keys }: DoctorReport): string {
  const lines = [
    ...backends.flatMap((backend) => [
      `Backend ${backend.name}: ${backend.type}, ${printable(backend.at)}`,
      ...backend.findings.map(findingText),
      ...remarks(backend),
    ]),
    ...keys.flatMap((key) => [keyText(key), ...remarks(key)]),
    ok ? 'Nothing has to be changed.' : 'See the problems above.',
  ];
  return `${lines.join('\n')}\n`;
}

function keyText({ name, type, versions, roundTripMs }: KeyExamination): string {
  if (versions === undefined || roundTripMs === undefined) return `Key ${name}: ${type}`;
  const held = `${versions} ${versions === 1 ? 'version' : 'versions'}`;
  return `Key ${name}: ${type}, ${held}, wrapped and unwrapped in ${roundTripMs.toFixed(1)} ms`;
}

function remarks({ problems, advice }: Pick<BackendExamination, 'problems' | 'advice'>): readonly string[] {
  return [
    ...problems.map((problem) => `  problem: ${printable(problem)}`),
    ...advice.map((hint) => `  advice: ${printable(hint)}`),
  ];
}
