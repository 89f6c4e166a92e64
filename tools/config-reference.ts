import { configSchema, environmentOverrides, policySchema } from '../src/config/schema.ts';
import { branchesOf, type SchemaNode, toSchemaNode } from '../src/config/schema-walk.ts';

/** One table of the page: a section of the file. */
interface Table {
  readonly title: string;
  readonly description: string;
  readonly rows: Row[];
}

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

const code = (value: string): string => `\`${value.replaceAll('|', '\\|')}\``;

function isSection(node: SchemaNode): boolean {
  return node.properties !== undefined;
}

type SchemaChild = SchemaNode['items'] | SchemaNode['additionalProperties'];

/** A schema inside another one, where it is a single one. */
function childOf(child: SchemaChild): SchemaNode | undefined {
  return typeof child === 'object' && !Array.isArray(child) ? child : undefined;
}

/** The type as a reader wants it: bounds and words included. */
function typeOf(node: SchemaNode): string {
  if (typeof node['kind'] === 'string') return node['kind'];
  const branches = branchesOf(node);
  if (branches.length > 1) return [...new Set(branches.map(typeOf))].join(' or ');
  if (node.const !== undefined) return code(String(node.const));
  if (node.enum !== undefined) return node.enum.map((word) => code(String(word))).join(', ');
  if (node.type === 'integer') return `integer, ${node.minimum} to ${node.maximum}`;
  if (node.type === 'array') return `list of ${typeOf(childOf(node.items) ?? {})}`;
  if (node.type === 'boolean') return '`true`, `false`';
  if (isSection(node)) return 'section';
  return node.type === 'object' ? 'sections by name' : 'text';
}

function defaultOf(node: SchemaNode, required: boolean): string {
  if (required) return 'required';
  if (node.default === undefined) return '';
  return code(typeof node.default === 'string' ? node.default : JSON.stringify(node.default));
}

/** Rows of a section and of everything in it; choices by `type` become tables of their own. */
function describe(node: SchemaNode, path: string, table: Table, tables: Table[]): void {
  for (const branch of branchesOf(node)) {
    const tag = childOf(branch.properties?.['type'])?.const;
    let target = table;
    if (tag !== undefined) {
      target = {
        title: `${code(path)} with ${code(`type: ${String(tag)}`)}`,
        description: branch.description ?? '',
        rows: [],
      };
      tables.push(target);
    }
    for (const [name, property] of Object.entries(branch.properties ?? {})) {
      const child = childOf(property);
      if (child === undefined || (name === 'type' && tag !== undefined && child['notYet'] !== true)) continue;
      describeKey(
        child,
        `${path}${path === '' ? '' : '.'}${name}`,
        branch.required?.includes(name) === true,
        target,
        tables,
      );
    }
  }
}

function describeKey(node: SchemaNode, key: string, required: boolean, table: Table, tables: Table[]): void {
  const sections = branchesOf(node).filter(isSection);
  const items = childOf(node.items);
  const entries = childOf(node.additionalProperties);
  const plain = branchesOf(node).some((branch) => !isSection(branch));
  if (plain || sections.length === 0) {
    const later = node['notYet'] === true ? ' Not supported yet.' : '';
    const meaning = `${node.description ?? ''}${later}`.trim();
    table.rows.push({ key, type: typeOf(node), fallback: defaultOf(node, required), meaning });
  }
  for (const section of sections) describe(section, key, table, tables);
  if (items !== undefined && branchesOf(items).some(isSection)) describe(items, `${key}[]`, table, tables);
  if (entries !== undefined) describe(entries, `${key}.<name>`, table, tables);
}

function renderTable({ title, description, rows }: Table): string {
  const lines = rows.map(({ key, type, fallback, meaning }) => `| ${code(key)} | ${type} | ${fallback} | ${meaning} |`);
  const head = `## ${title}\n\n${description === '' ? '' : `${description}\n\n`}`;
  if (lines.length === 0) return head;
  return `${head}| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n\n`;
}

/** The reference page of the configuration file, made from its schema. */
export function renderConfigReference(): string {
  const root = toSchemaNode(configSchema);
  const policy = toSchemaNode(policySchema);
  const tables: Table[] = [];
  for (const [name, property] of Object.entries(root.properties ?? {})) {
    const node = childOf(property);
    if (node === undefined) continue;
    const table: Table = { title: code(name), description: node.description ?? '', rows: [] };
    tables.push(table);
    if (name === 'policies') {
      table.rows.push({ key: 'policies', type: 'list of policies', fallback: '', meaning: 'The policies themselves.' });
      table.rows.push({
        key: 'policies.dir',
        type: 'text',
        fallback: '',
        meaning: 'Directory of `*.yaml` files with one policy each.',
      });
    } else describeKey(node, name, root.required?.includes(name) === true, table, tables);
  }
  const policyTable: Table = {
    title: 'A policy',
    description: 'An entry of `policies`, or a file of its directory.',
    rows: [],
  };
  describe(policy, '', policyTable, []);
  tables.push(policyTable);
  const overrides = environmentOverrides.map(({ variable, path }) => `| ${code(variable)} | ${code(path.join('.'))} |`);
  return `# Configuration

<!-- Made by \`npm run docs\` from src/config/schema.ts: do not edit. -->

The file is YAML (JSON is YAML); it is named by \`--config FILE\` or \`S3EG_CONFIG\`. Without a file everything has its
default. \`\${VARIABLE}\` and \`\${file:/path}\` are replaced in values. Relative paths start from the directory of the file.
An unknown key, a wrong value and a setting that is not supported yet are errors with line, column and a suggestion.
An empty value counts as not given.

Durations are numbers with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; sizes are bytes, or numbers with \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\`,
\`PiB\` (or \`kB\`, \`MB\`, \`GB\`, \`TB\`, \`PB\` in powers of ten).

${tables.map(renderTable).join('')}## Environment

| Variable | Overrides |
| --- | --- |
| \`S3EG_CONFIG\` | the configuration file |
| \`S3EG_DATA_DIR\` | the data directory, \`./data\`: default place of objects, keyring and credentials |
${overrides.join('\n')}
`;
}
