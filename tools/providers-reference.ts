import { capabilities, type Capability } from '../src/maintenance/backend-probe/capabilities.ts';
import { allProviders, variablesOf, type Provider } from '../test/providers/support/provider-file.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

const meanings: Readonly<Record<Capability['need'], string>> = {
  required: 'needed: the gateway does not work without it',
  setting: 'a setting: where it is missing the gateway has to be told, by `quirks` of the backend',
  feature: 'a feature: where it is missing, what asks for it is refused',
  compensated: 'made up for: the gateway does it itself, at least for encrypted objects',
};

function capabilityRows(): readonly string[] {
  return Object.entries(capabilities).map(([name, capability]: readonly [string, Capability]) => {
    const { need, title, without, setting } = capability;
    const set = setting === undefined ? '' : `; \`quirks: { ${setting} }\``;
    return `| \`${name}\` | ${cell(title)} | ${need} | ${cell(without)}${set} |`;
  });
}

function quirksText({ quirks }: Provider): string {
  if (Object.keys(quirks).length === 0) return 'none';
  const lines = Object.entries(quirks).map(([name, value]) => `${name}: ${[value].flat().join(', ')}`);
  return `\`${lines.join('`, `')}\``;
}

function access(provider: Provider): string {
  if (provider.start !== undefined) return 'It is started by the tests, and tried with every change.';
  const [endpoint, accessKey, secretKey, region, prefix] = variablesOf(provider).map((name) => `\`${name}\``);
  return (
    `Tried where ${endpoint} (as in \`${provider.endpoint ?? ''}\`), ${accessKey} and ${secretKey} are set; ${region} ` +
    `(default \`${provider.region ?? 'us-east-1'}\`) and ${prefix} (default \`s3eg-test\`) may be.`
  );
}

function section(provider: Provider): string {
  const { title, name, flags, lacks } = provider;
  const rows = Object.entries(lacks)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([capability, reason]) => `| \`${capability}\` | ${cell(reason)} |`);
  const source =
    flags === 'measured'
      ? 'What stands here was found by `s3eg doctor`, and is compared with every change.'
      : 'What stands here is what the provider documents: it has not been tried. `s3eg doctor` says what is true of an account.';
  return `## ${title} (\`${name}\`)

${access(provider)}
${source} Quirks to set: ${quirksText(provider)}.

${rows.length === 0 ? 'Nothing is known to be missing.' : `| Missing | Why |\n| --- | --- |\n${rows.join('\n')}`}
`;
}

/** The page about providers, made from what the doctor probes and from the files of the provider tests. */
export function renderProvidersReference(): string {
  const needs = Object.entries(meanings).map(([name, meaning]) => `- *${name}*: ${meaning}.`);
  return `# Providers

<!-- Made by \`npm run docs\` from src/maintenance/backend-probe and test/providers/providers: do not edit. -->

\`s3eg doctor --config FILE\` finds out by real requests what a provider can do, in temporary buckets that it removes again, and says
what to set. \`npm run test:providers -- --provider NAME\` tries what users do through the gateway, with encryption and without; what a
provider is said to lack has to fail there, and what it is not said to lack has to work.

## What is probed

${needs.join('\n')}

| Name | Capability | Need | Without it |
| --- | --- | --- | --- |
${capabilityRows().join('\n')}

${allProviders().map(section).join('\n')}`;
}
