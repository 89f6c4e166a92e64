import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { errorCatalogue } from '../../../src/s3/error-catalogue.ts';
import { renderError } from '../../../src/s3/error-document.ts';
import { S3Error, s3Error } from '../../../src/s3/s3-error.ts';

const context = { resource: '/bucket/a&b', requestId: '4442587FB7D0A2F9', hostId: 'h' };

describe('renderError', () => {
  it('writes the document of the S3 reference', () => {
    const error = s3Error('NoSuchKey', 'The resource you requested does not exist', { details: { Key: 'a\u0001<' } });
    assert.deepEqual(renderError(error, context), {
      status: 404,
      headers: { 'content-type': 'application/xml' },
      body:
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>' +
        '<Message>The resource you requested does not exist</Message><Key>a&#x1;&lt;</Key>' +
        '<Resource>/bucket/a&amp;b</Resource><RequestId>4442587FB7D0A2F9</RequestId><HostId>h</HostId></Error>',
    });
  });

  it('keeps headers, and leaves out details that are no element names', () => {
    const error = new S3Error('Teapot', 'x', {
      status: 418,
      headers: { 'content-range': 'bytes */5' },
      details: { 'a><b': 'x', '': 'y', Fine: 'z' },
    });
    const rendered = renderError(error, context);
    assert.equal(rendered.status, 418);
    assert.deepEqual(rendered.headers, { 'content-range': 'bytes */5', 'content-type': 'application/xml' });
    assert.match(rendered.body, /<Message>x<\/Message><Fine>z<\/Fine><Resource>/);
  });

  it('has status and message for every code', () => {
    for (const [code, entry] of Object.entries(errorCatalogue)) {
      const { status, body } = renderError(new S3Error(code, entry.message, { status: entry.status }), context);
      assert.ok(status >= 300 && status < 600, code);
      assert.match(body, new RegExp(`<Code>${code}</Code><Message>[^<]+</Message>`));
    }
  });
});
