import { z } from 'zod';

/** A schema as plain data (JSON Schema 2020-12), as far as it is needed here. */
export type SchemaNode = z.core.JSONSchema.JSONSchema;

/** The input that a zod schema takes, as JSON Schema. */
export function toSchemaNode(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

/** The branches of a choice; a schema without choices is its own only branch. */
export function branchesOf(node: SchemaNode): readonly SchemaNode[] {
  const branches = node.anyOf ?? node.oneOf;
  return branches === undefined ? [node] : branches.flatMap(branchesOf);
}

function fieldOf(value: unknown, step: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
}

/** Of branches that differ in `type`, those that the value chose; all where it chose none of them. */
function chosenBranches(node: SchemaNode, value: unknown): readonly SchemaNode[] {
  const branches = branchesOf(node);
  const type = fieldOf(value, 'type');
  const chosen = branches.filter((branch) => {
    const tag = branch.properties?.['type'];
    return typeof tag === 'object' && tag.const !== undefined && tag.const === type;
  });
  return chosen.length > 0 ? chosen : branches;
}

function descend(node: SchemaNode, step: PropertyKey): readonly SchemaNode[] {
  const child = typeof step === 'number' ? node.items : (node.properties?.[String(step)] ?? node.additionalProperties);
  return typeof child === 'object' && !Array.isArray(child) ? [child] : [];
}

/** The keys that the section at `path` may have. `value` is the whole document. */
export function knownKeysAt(root: SchemaNode, path: readonly PropertyKey[], value: unknown): readonly string[] {
  let nodes: readonly SchemaNode[] = [root];
  let here = value;
  for (const step of path) {
    nodes = nodes.flatMap((node) => chosenBranches(node, here)).flatMap((node) => descend(node, step));
    here = fieldOf(here, step);
  }
  const sections = nodes.flatMap((node) => chosenBranches(node, here));
  return [...new Set(sections.flatMap((section) => Object.keys(section.properties ?? {})))];
}

/** The value at a path of a document; undefined where there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(fieldOf, value);
}
