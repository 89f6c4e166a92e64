import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { S3Error } from '../../../src/s3/s3-error.ts';
import { defaultXmlLimits, parseXml, parseXmlEntries, type XmlElement } from '../../../src/s3/xml.ts';
import { parsePlainXml } from '../../../src/s3/plain-xml.ts';

/** White space alone does not make a document other than plain; a comment does. */
const comment = '<!-- for the other parser -->';

function shape(element: XmlElement): unknown {
  return [element.name, element.text(), element.children().map(shape)];
}

function outcome(document: string): unknown {
  try {
    return shape(parseXml(document, { maxTextLength: 20, maxDepth: 5, maxElements: 30 }));
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

const names = fc.constantFrom('Key', 'ETag', 'Contents', 'a', 'B2');
const pieces = fc.constantFrom(
  'x',
  ' ',
  '\n',
  '&amp;',
  '&lt;',
  '&#34;',
  '&quot;',
  '&#39;',
  '&gt;',
  '>',
  '"',
  '%2F',
  '&#x41;',
);
const text = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));

const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.tuple(names, text).map(([name, inner]) => `<${name}>${inner}</${name}>`),
    names.map((name) => `<${name}/>`),
    fc
      .tuple(names, fc.array(fc.oneof(tie('tree'), text), { maxLength: 5 }))
      .map(([name, inner]) => `<${name}>${inner.join('')}</${name}>`),
  ),
}));
const document = fc
  .tuple(fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>\n'), tree)
  .map(([declaration, root]) => declaration + root);

describe('the parser of plain documents', () => {
  it('reads what the whole parser reads, and refuses what it refuses', () => {
    const damaged = fc
      .tuple(document, fc.nat(), fc.constantFrom('', '<', '>', '&', '/', ']]>', 'é', '<!', '</a>', '<a>', '\r'))
      .map(([whole, at, piece]) => {
        const position = at % (whole.length + 1);
        return whole.slice(0, position) + piece + whole.slice(position + (piece === '' ? 1 : 0));
      });
    fc.assert(
      fc.property(fc.oneof(document, damaged), (source) => {
        assert.deepEqual(outcome(source), outcome(source + comment));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes the documents that servers send', () => {
    const entry = '<Contents><Key>a%2Fb</Key><ETag>&#34;0a&#34;</ETag><Size>1</Size><Owner/></Contents>';
    const listing = `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>${entry}</ListBucketResult>\n`;
    const root = parsePlainXml(listing, defaultXmlLimits, () => false);
    assert.equal(root?.child('Contents')?.textOf('ETag'), '"0a"');
  });

  it('hands out entries one by one, as the whole parser does', () => {
    const listing = '<R><A>1</A><E><K>a</K></E><E><K>b</K></E><E/><A>2</A><X><E><K>inner</K></E></X></R>';
    for (const source of [listing, listing + comment]) {
      const { root, entries } = parseXmlEntries(source, 'E', (element) => element.textOf('K'));
      assert.deepEqual(entries, ['a', 'b', undefined]);
      assert.deepEqual(
        root.children('A').map((element) => element.text()),
        ['1', '2'],
      );
    }
  });

  it('hands out each entry once where it finds late that a document is not plain', () => {
    const { entries } = parseXmlEntries('<R><E>1</E><E>2</E><!-- x --></R>', 'E', (element) => element.text());
    assert.deepEqual(entries, ['1', '2']);
  });
});
