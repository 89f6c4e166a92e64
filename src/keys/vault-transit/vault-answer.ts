const maxErrorCharacters = 300;

/** A JSON object of an answer; a field that is missing or of another type reads as undefined. */
export class VaultFields {
  readonly #fields: ReadonlyMap<string, unknown>;

  constructor(value: unknown) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#fields = new Map(isObject ? Object.entries(value) : []);
  }

  section(name: string): VaultFields {
    return new VaultFields(this.#fields.get(name));
  }

  text(name: string): string | undefined {
    const value = this.#fields.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  /** A whole number, 0 or more. */
  count(name: string): number | undefined {
    const value = this.#fields.get(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#fields.get(name) === true;
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields.get(name);
    return Array.isArray(value) ? value : [];
  }
}

/** What Vault answered. */
export interface VaultAnswer {
  readonly status: number;
  readonly fields: VaultFields;
  /** Its error texts in one line, bounded; empty where it gave none. */
  readonly errorText: string;
}

/** Understands any answer: what is not JSON has no fields. */
export function parseAnswer(status: number, bytes: Uint8Array): VaultAnswer {
  const fields = new VaultFields(parseJson(bytes));
  const texts = fields.list('errors').filter((text) => typeof text === 'string');
  const errorText = texts
    .join('; ')
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return { status, fields, errorText: errorText.slice(0, maxErrorCharacters) };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
