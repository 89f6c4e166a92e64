import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { S3Error } from '../../../src/s3/s3-error.ts';
import { element, escapeXml, parseXml, s3Namespace, xmlDocument } from '../../../src/s3/xml.ts';

function refused(source: string | Uint8Array, code = 'MalformedXML'): void {
  assert.throws(
    () => parseXml(source),
    (error) => error instanceof S3Error && error.code === code && error.status === 400,
    typeof source === 'string' ? source.slice(0, 200) : undefined,
  );
}

describe('writing XML', () => {
  it('writes declaration, namespace, nesting and empty elements', () => {
    const document = xmlDocument('Root', s3Namespace, [
      element('A', 'x'),
      element('Left', undefined),
      element('Empty', ''),
      element('N', 12),
      element('B', [element('C', true)]),
    ]);
    assert.equal(
      document,
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A>x</A><Empty/><N>12</N><B><C>true</C></B></Root>',
    );
  });

  it('escapes markup, control characters and line ends', () => {
    assert.equal(escapeXml('a&b<c>d"e\'f'), "a&amp;b&lt;c&gt;d&quot;e'f");
    assert.equal(escapeXml('\0\u0001\t\n\r\u001f'), '&#x0;&#x1;&#x9;&#xA;&#xD;&#x1F;');
    assert.equal(escapeXml('\u007f\u0085\u2028\ufffe'), '&#x7F;&#x85;&#x2028;&#xFFFE;');
    assert.equal(escapeXml('ключ 🗝 \u2029'), 'ключ 🗝 \u2029');
    assert.equal(escapeXml('a\ud800b'), 'a\ufffdb');
  });
});

describe('parsing XML', () => {
  it('finds children, text and local names', () => {
    const root = parseXml(
      '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<!-- c --><s:Delete xmlns:s="urn:x"><s:Object a="1"><Key>a &amp;&#65;&#x42;</Key></s:Object>' +
        '<Object><Key><![CDATA[<&]]>b</Key></Object><Quiet/></s:Delete>\n',
    );
    assert.equal(root.name, 'Delete');
    assert.deepEqual(
      root.children('Object').map((object) => object.textOf('Key')),
      ['a &AB', '<&b'],
    );
    assert.equal(root.textOf('Quiet'), '');
    assert.equal(root.textOf('Missing'), undefined);
    assert.deepEqual(
      root.children().map((child) => child.name),
      ['Object', 'Object', 'Quiet'],
    );
  });

  it('takes bytes with a byte order mark and multi-byte characters', () => {
    assert.equal(parseXml(new TextEncoder().encode('\ufeff<A>é🗝</A>')).text(), 'é🗝');
  });

  it('knows no inherited names', () => {
    const root = parseXml('<A><__proto__>p</__proto__><constructor/></A>');
    assert.equal(root.textOf('__proto__'), 'p');
    assert.equal(root.textOf('constructor'), '');
    assert.equal(root.child('toString'), undefined);
  });

  it('keeps raw characters that XML 1.1 would change', () => {
    const raw = 'a\u0085b\u2028c\u007fd\u009fe';
    assert.equal(parseXml(`<A>${raw}</A>`).text(), raw);
    assert.equal(parseXml(`<A><![CDATA[${raw}]]>-${raw}<![CDATA[<]]></A>`).text(), `${raw}-${raw}<`);
    assert.equal(parseXml(`<A>\u0085<!-- <![CDATA[ --></A>`).text(), '\u0085');
  });

  it('is the inverse of the writer for every text without U+0000', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\u0001', '\r', '\n', '\t', '\u0085', '\u2028', '<', ']]>', '&', '"', 'a') }),
    );
    const names = fc.constantFrom('A', 'Key', '__proto__', 'constructor', 'Prefix');
    fc.assert(
      fc.property(fc.array(fc.tuple(names, texts), { maxLength: 8 }), (pairs) => {
        const fine = pairs.filter(([, text]) => !/[\0\ufffe\uffff]/.test(text));
        const nodes = fine.map(([name, text]) => element(name, text));
        const bytes = new TextEncoder().encode(xmlDocument('R', s3Namespace, [element('In', nodes)]));
        const parsed = parseXml(bytes).child('In')?.children() ?? [];
        assert.deepEqual(
          parsed.map((child) => [child.name, child.text()]),
          fine,
        );
      }),
    );
  });
});

const deep = (levels: number): string => '<a>'.repeat(levels) + '</a>'.repeat(levels);

describe('hostile XML', () => {
  const hostile: [string, string | Uint8Array][] = [
    ['empty', ''],
    ['white space', ' \n'],
    ['text only', 'hello'],
    ['doctype', '<!DOCTYPE A><A/>'],
    ['internal entity', '<!DOCTYPE A [<!ENTITY x "y">]><A>&x;</A>'],
    ['external entity', '<!DOCTYPE A [<!ENTITY x SYSTEM "file:///etc/passwd">]><A>&x;</A>'],
    ['open doctype', '<!DOCTYPE A ['],
    ['unknown entity', '<A>&x;</A>'],
    ['inherited entity', '<A>&__proto__;&toString;</A>'],
    ['two roots', '<A/><A/>'],
    ['text after the root', '<A/>x'],
    ['mismatched tags', '<A><B></A></B>'],
    ['unclosed', '<A><B>'],
    ['raw NUL', '<A>\0</A>'],
    ['reference to NUL', '<A>&#0;</A>'],
    ['raw control character', '<A>\u0001</A>'],
    ['reference out of range', '<A>&#x110000;</A>'],
    ['lone surrogate', '<A>\ud800</A>'],
    ['deep', deep(17)],
    ['very deep', deep(200_000)],
    ['many elements', `<A>${'<b/>'.repeat(200_000)}</A>`],
    ['long text', `<A>${'x'.repeat(65_537)}</A>`],
    ['long text in pieces', `<A>${`${'x'.repeat(1000)}<![CDATA[y]]>`.repeat(70)}</A>`],
    ['many open CDATA', `<A>\u0085${'<![CDATA['.repeat(200_000)}</A>`],
    ['invalid UTF-8', Uint8Array.of(0x3c, 0x41, 0x3e, 0xff, 0x3c, 0x2f, 0x41, 0x3e)],
    ['UTF-16', Buffer.from('\ufeff<A/>', 'utf16le')],
    ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><A/>'],
    ['not XML', '{"a":1}'],
  ];
  for (const [name, source] of hostile) it(`refuses: ${name}`, () => refused(source));

  it('allows what is just within the limits', () => {
    assert.equal(parseXml(deep(16)).name, 'a');
    assert.equal(parseXml(`<A>${'x'.repeat(65_536)}</A>`).text().length, 65_536);
    assert.equal(parseXml(`<A>${'<b/>'.repeat(199_999)}</A>`).children('b').length, 199_999);
  });

  it('refuses a huge document by its length alone', () => {
    refused(new Uint8Array(16 * 1024 * 1024 + 1), 'MaxMessageLengthExceeded');
    assert.throws(() => parseXml('<A>123</A>', { maxBytes: 9 }), { code: 'MaxMessageLengthExceeded' });
  });
});
