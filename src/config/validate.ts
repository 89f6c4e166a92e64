import type { z } from 'zod';

import type { ConfigProblem } from './problem.ts';
import { knownKeysAt, toSchemaNode, valueAt } from './schema-walk.ts';
import { suggest } from './suggest.ts';
import type { YamlSource } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;

/** What a document says, or its mistakes. */
export type Validated<Value> =
  | { readonly value: Value; readonly problems?: never }
  | { readonly value?: never; readonly problems: readonly ConfigProblem[] };

/** Checks a document against a schema; every mistake gets its position and, where possible, a suggestion. */
export function validate<Schema extends z.ZodType>(schema: Schema, source: YamlSource): Validated<z.output<Schema>> {
  if (source.problems.length > 0) return { problems: source.problems };
  const result = schema.safeParse(source.value);
  if (result.success) return { value: result.data };
  const context: Context = { schema, source };
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, [], context));
  return { problems: problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)) };
}

interface Context {
  readonly schema: z.ZodType;
  readonly source: YamlSource;
}

function problemsOf(issue: Issue, prefix: readonly PropertyKey[], context: Context): ConfigProblem[] {
  const { source } = context;
  const path = [...prefix, ...issue.path];
  const missing = valueAt(source.value, path) === undefined;
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(issue.keys, path, context);
    case 'invalid_value':
      return [choiceProblem(issue.values, path, context)];
    case 'invalid_union':
      return unionProblems(issue, path, context);
    case 'invalid_key':
      return [source.problemAt(path, issue.issues[0]?.message ?? issue.message, { at: 'key' })];
    case 'invalid_type':
      return [source.problemAt(path, missing ? 'is missing' : typeMessage(issue))];
    case 'too_small':
    case 'too_big':
      return [source.problemAt(path, boundMessage(issue))];
    default:
      return [source.problemAt(path, missing ? 'is missing' : issue.message)];
  }
}

function unknownKeys(
  keys: readonly string[],
  path: readonly PropertyKey[],
  { schema, source }: Context,
): ConfigProblem[] {
  const known = knownKeysAt(toSchemaNode(schema), path, source.value);
  return keys.map((key) => {
    const suggestion = suggest(key, known);
    const message = `unknown key "${key.slice(0, 64)}"`;
    return source.problemAt([...path, key], message, {
      at: 'key',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  });
}

function choiceProblem(values: readonly unknown[], path: readonly PropertyKey[], { source }: Context): ConfigProblem {
  const words = values.map(String);
  const given = valueAt(source.value, path);
  if (given === undefined) return source.problemAt(path, `is missing: one of ${words.join(', ')}`);
  const suggestion = typeof given === 'string' ? suggest(given, words) : undefined;
  const message = words.length === 1 ? `must be ${words[0]}` : `must be one of ${words.join(', ')}`;
  return source.problemAt(path, message, suggestion === undefined ? {} : { suggestion });
}

type UnionIssue = z.core.$ZodIssueInvalidUnion;

/** Of the branches of a choice the one counts that the value was meant for: the one whose own type fits. */
function unionProblems(issue: UnionIssue, path: readonly PropertyKey[], context: Context): ConfigProblem[] {
  const { discriminator } = issue;
  if (discriminator !== undefined) {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
    return [choiceProblem(options, path, context)];
  }
  if (valueAt(context.source.value, path) === undefined) return [context.source.problemAt(path, 'is missing')];
  const chosen = issue.errors.find((branch) => !branch.some(isWrongKind));
  if (chosen !== undefined) return chosen.flatMap((inner) => problemsOf(inner, path, context));
  const literals = issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []));
  const given = valueAt(context.source.value, path);
  const suggestion = typeof given === 'string' ? suggest(given, literals.map(String)) : undefined;
  const kinds = issue.errors
    .flat()
    .map((inner) => (inner.code === 'invalid_value' ? inner.values.join(', ') : typeName(inner)));
  const message = `must be ${kinds.join(' or ')}`;
  return [context.source.problemAt(path, message, suggestion === undefined ? {} : { suggestion })];
}

/** Whether an issue says that the value as a whole is of another kind than a branch wants. */
function isWrongKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function typeName(issue: Issue): string {
  if (issue.code !== 'invalid_type') return 'something else';
  if (issue.expected === 'object' || issue.expected === 'record') return 'a section';
  return issue.expected === 'array' ? 'a list' : `a ${issue.expected}`;
}

function typeMessage(issue: Extract<Issue, { code: 'invalid_type' }>): string {
  // Messages of our own say more than the library's, which all begin alike.
  return issue.message.startsWith('Invalid input') ? `must be ${typeName(issue)}` : issue.message;
}

function boundMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  if (issue.origin !== 'number' && issue.origin !== 'int') return issue.message;
  return issue.code === 'too_small' ? `must be at least ${issue.minimum}` : `must be at most ${issue.maximum}`;
}
