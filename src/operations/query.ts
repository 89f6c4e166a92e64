import { s3Error } from '../s3/s3-error.ts';

/** S3's longest page of a listing. */
export const maxKeysLimit = 1000;

/**
 * A number of the query. Undefined where it is missing or empty.
 * @throws S3Error InvalidArgument unless it is an integer from `min` to `largest`; larger ones than `max` count as `max`.
 */
export function boundedNumber(
  query: ReadonlyMap<string, string>,
  name: string,
  { min, max, largest = 2_147_483_647 }: { readonly min: number; readonly max: number; readonly largest?: number },
): number | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min) || value > largest) {
    throw s3Error('InvalidArgument', `Argument ${name} must be an integer between ${min} and ${largest}`, {
      details: { ArgumentName: name, ArgumentValue: text.slice(0, 100) },
    });
  }
  return Math.min(value, max);
}

/** The `encoding-type` of a listing. @throws S3Error InvalidArgument for any but `url`. */
export function encodingType(query: ReadonlyMap<string, string>): 'url' | undefined {
  const text = query.get('encoding-type');
  if (text === undefined || text === '') return undefined;
  if (text === 'url') return text;
  throw s3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', {
    details: { ArgumentName: 'encoding-type', ArgumentValue: text.slice(0, 100) },
  });
}

/** A text parameter; undefined where it is missing or empty, which S3 takes for the same. */
export function textParameter(query: ReadonlyMap<string, string>, name: string): string | undefined {
  const text = query.get(name);
  return text === '' ? undefined : text;
}

/** A text parameter as a property named `field`; no property where it is missing or empty. */
export function optionalText<Field extends string>(
  query: ReadonlyMap<string, string>,
  name: string,
  field: Field,
): { readonly [K in Field]?: string } {
  const text = textParameter(query, name);
  const property: { [K in Field]?: string } = {};
  if (text !== undefined) property[field] = text;
  return property;
}
