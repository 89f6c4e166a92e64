import { once } from 'node:events';

import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';

import type { ByteStream } from '../base/byte-stream.ts';
import type { FormFields } from './post-policy.ts';
import { s3Error, type S3Error } from './s3-error.ts';

/** An upload form up to its file. */
export interface UploadForm {
  /** What stood before the file, by lower-case name. */
  readonly fields: FormFields;
  /** The file's name as the browser gave it, without a folder. */
  readonly fileName: string;
  /** The file's content; ends when the whole form has been read, and throws where the form is malformed or cut short. */
  readonly file: ByteStream;
  /** Bytes of the body that were read when the file began: not fewer than those before the file. */
  readonly bytesRead: number;
  /** Gives up the rest; to be called where the file is not consumed. Never throws. */
  discard(): Promise<void>;
}

/** S3's limit of what may stand before the file, in bytes. */
const maxFieldsBytes = 20 * 1024;
/** What may stand behind a large file in bytes, such as the submit button of a form. */
export const maxBytesBehindFile = 64 * 1024;

const limits = {
  fieldNameSize: 256,
  fieldSize: maxFieldsBytes,
  fields: 200,
  files: 1,
  parts: 201,
  headerPairs: 16,
  headerSize: 4096,
};

/**
 * Reads the fields of a `multipart/form-data` body until the file begins (RFC 7578; S3's "POST Object": the file is the
 * last field that counts). Consume the file or call `discard`.
 * @throws S3Error MalformedPOSTRequest, InvalidArgument (no file), MaxPostPreDataLengthExceededError; the body's own.
 */
export async function readForm(body: ByteStream, contentType: string): Promise<UploadForm> {
  const reader = new FormReader(body, openParser(contentType));
  return await reader.start();
}

function openParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits,
      isPartAFile: (name) => name?.toLowerCase() === 'file',
    });
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Drives the parser with the body's chunks; the parser calls back with fields and the file. */
class FormReader {
  readonly #parser: BusboyInstance;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #fields = new Map<string, string>();
  #bytesRead = 0;
  #fieldsBytes = 0;
  #file: { readonly name: string; readonly content: BusboyFileStream } | undefined;
  #isWhole = false;
  #error: unknown;
  #drained: Promise<unknown> | undefined;

  constructor(body: ByteStream, parser: BusboyInstance) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#parser = parser;
    // An exception in a listener would end the process. The types promise more than the parser keeps: a part may come
    // without a name or a value.
    parser.on('field', (name: string | undefined, value: string | undefined, nameTruncated, valueTruncated) => {
      if (name === undefined || value === undefined) this.#fail(malformed(new Error('a field without a name')));
      else this.#field(name.toLowerCase(), value, nameTruncated || valueTruncated);
    });
    parser.on('file', (_name, content, fileName: string | undefined) => {
      this.#file ??= { name: fileName ?? '', content };
    });
    for (const event of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) {
      parser.on(event, () => this.#fail(onlyOneFile()));
    }
    parser.on('error', (cause) => this.#fail(malformed(cause)));
    parser.on('finish', () => {
      this.#isWhole = true;
    });
  }

  async start(): Promise<UploadForm> {
    while (this.#file === undefined) {
      await this.#feed();
      if (this.#bytesRead > 2 * maxFieldsBytes + 64 * 1024 && this.#file === undefined) throw tooManyFields();
      if (this.#isWhole) throw onlyOneFile();
    }
    const { name, content } = this.#file;
    return {
      fields: this.#fields,
      fileName: name,
      file: this.#content(content),
      bytesRead: this.#bytesRead,
      discard: async () => await this.#release(content),
    };
  }

  async #release(content: BusboyFileStream): Promise<void> {
    this.#fail(malformed(undefined));
    content.on('error', () => {}).destroy();
    await this.#chunks.return?.();
  }

  async *#content(content: BusboyFileStream): AsyncGenerator<Uint8Array, void, undefined> {
    const pump = this.#pump(content);
    try {
      for await (const chunk of content) {
        if (chunk instanceof Uint8Array) yield chunk;
      }
      await pump;
      this.#throwIfFailed();
    } catch (error) {
      throw this.#error ?? malformed(error);
    } finally {
      await this.#release(content);
    }
  }

  /** Feeds the rest of the body while the content is read; what fails ends the content. */
  async #pump(content: BusboyFileStream): Promise<void> {
    try {
      while (!this.#isWhole) await this.#feed();
    } catch (error) {
      this.#fail(error);
      content.destroy(error instanceof Error ? error : undefined);
    }
  }

  /** Gives the parser one more chunk as soon as it takes one: it waits while the file's content is not consumed. */
  async #feed(): Promise<void> {
    await this.#drained;
    this.#throwIfFailed();
    const { done, value } = await this.#chunks.next();
    if (done === true) {
      this.#parser.end();
      if (!this.#isWhole) await settled(this.#parser, 'finish');
    } else {
      this.#bytesRead += value.length;
      if (!this.#parser.write(value)) this.#drained = settled(this.#parser, 'drain');
    }
    this.#throwIfFailed();
  }

  #field(name: string, value: string, isTruncated: boolean): void {
    if (this.#file !== undefined) return; // "Any fields below it are ignored."
    this.#fieldsBytes += name.length + Buffer.byteLength(value);
    if (isTruncated || this.#fieldsBytes > maxFieldsBytes) return this.#fail(tooManyFields());
    if (this.#fields.has(name)) {
      return this.#fail(s3Error('InvalidArgument', `POST requires exactly one field named '${name.slice(0, 64)}'.`));
    }
    this.#fields.set(name, value);
  }

  #fail(error: unknown): void {
    this.#error ??= error;
  }

  #throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

/** Waits for an event of the parser, or for its error, which its listener keeps. */
async function settled(parser: BusboyInstance, event: 'finish' | 'drain'): Promise<void> {
  await once(parser, event).catch(() => {});
}

function onlyOneFile(): S3Error {
  return s3Error('InvalidArgument', 'POST requires exactly one file upload per request.', {
    details: { ArgumentName: 'file' },
  });
}

function tooManyFields(): S3Error {
  return s3Error('MaxPostPreDataLengthExceededError');
}

function malformed(cause: unknown): S3Error {
  return s3Error('MalformedPOSTRequest', undefined, { cause });
}
