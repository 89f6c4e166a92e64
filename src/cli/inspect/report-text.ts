import { byteText } from '../byte-text.ts';
import { printable } from '../cli-io.ts';
import type { EnvelopeReport, ObjectReport, SealedReport } from './inspect-object.ts';

type Line = readonly [name: string, value: string];

const metadataText: Readonly<Record<SealedReport['metadata'], string>> = {
  verified: 'as it was stored',
  not_checked: 'not all of it is known, so it was not checked',
  differs: 'not what was stored',
};

/** A report in lines of text. Pure. */
export function reportText(report: ObjectReport): string {
  const { file, envelope, sealed, problems } = report;
  const lines = [
    ...(file === undefined ? [] : [line(['file', file])]),
    ...[...byteLines(report), ...(envelope === undefined ? [] : envelopeLines(envelope))].map(line),
    ...(sealed === undefined ? [] : sealedLines(sealed)),
    ...problems.map((problem) => line(['problem', problem])),
    ...(sealed === undefined ? ['Nothing of this is verified: that takes --bucket, --key and the keyring.'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function line([name, value]: Line): string {
  return `${name.padEnd(14)}${printable(value)}`;
}

function byteLines({ storedBytes, payloadBytes, firstMessage }: ObjectReport): readonly Line[] {
  return [
    ...(storedBytes === undefined ? [] : [['stored', exact(storedBytes)] as const]),
    ...(payloadBytes === undefined ? [] : [['payload', exact(payloadBytes)] as const]),
    ...(firstMessage === undefined
      ? []
      : [['begins with', `${firstMessage.suite}, segments of ${byteText(firstMessage.segmentSizeBytes)}`] as const]),
  ];
}

function envelopeLines(envelope: EnvelopeReport): readonly Line[] {
  const { version, suite, segmentSizeBytes, layout, policy, kekName, kekVersion, recoveryKey } = envelope;
  return [
    ['format', String(version)],
    ['suite', suite],
    ['segments', byteText(segmentSizeBytes)],
    ['layout', layout],
    ['policy', policy],
    ['key', `${kekName}, version ${kekVersion}`],
    ...(recoveryKey === undefined ? [] : [['recovery key', recoveryKey] as const]),
  ];
}

function sealedLines({ metadata, compression, plaintextBytes, checksums, parts }: SealedReport): readonly string[] {
  return [
    line(['plaintext', exact(plaintextBytes)]),
    ...(compression === undefined ? [] : [line(['compression', compression])]),
    line(['metadata', metadataText[metadata]]),
    ...checksums.map(({ algorithm, type, base64 }) => line([algorithm, `${base64} (${type})`])),
    `${'part'.padEnd(14)}${'bytes'.padStart(16)}${'stored at'.padStart(18)}${'stored bytes'.padStart(18)}`,
    ...parts.map((part) => {
      const numbers = [part.storedOffset, part.storedBytes].map((number) => String(number).padStart(18));
      return `${String(part.partNumber).padEnd(14)}${String(part.plaintextBytes).padStart(16)}${numbers.join('')}`;
    }),
  ];
}

function exact(bytes: number): string {
  return bytes < 1024 ? byteText(bytes) : `${bytes} bytes (${byteText(bytes)})`;
}
