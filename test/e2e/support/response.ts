import { parseXml, textOf, type Xml } from './xml.ts';

/** An answer to an S3 request. */
export class S3Response {
  readonly status: number;
  /** Lower-case names; UTF-8 values; what came twice is joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: Buffer) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  get text(): string {
    return this.body.toString('utf8');
  }

  get xml(): Xml {
    return parseXml(this.text);
  }

  /** The status, and the code of an error document: what most tests compare, e.g. `200` or `404 NoSuchKey`. */
  get outcome(): string {
    if (this.status < 300 || this.body.length === 0) return String(this.status);
    return `${this.status} ${textOf(this.xml, 'Code')}`;
  }

  get etag(): string {
    return this.headers['etag'] ?? '';
  }
}
