import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { corsHeaders, parseCorsConfiguration } from '../../../src/s3/cors.ts';

function configuration(...rules: readonly string[]): string {
  return `<CORSConfiguration>${rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join('')}</CORSConfiguration>`;
}

const site =
  '<AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>' +
  '<AllowedHeader>X-Amz-*</AllowedHeader><AllowedHeader>content-type</AllowedHeader>' +
  '<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds>';
const everybody = '<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>';

describe('corsHeaders', () => {
  const rules = parseCorsConfiguration(configuration(site, everybody));

  it('answers the origin that a rule allows, with what it exposes', () => {
    const origin = 'https://app.example.org';
    assert.deepEqual(corsHeaders(rules, { origin, method: 'PUT', requestHeaders: ['x-amz-date', 'content-type'] }), {
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'PUT, GET',
      'access-control-allow-headers': 'x-amz-date, content-type',
      'access-control-expose-headers': 'ETag',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
  });

  it('answers * without credentials where every origin is allowed', () => {
    assert.deepEqual(corsHeaders(rules, { origin: 'https://other.net', method: 'GET' }), {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
  });

  const refused = [
    { origin: 'https://other.net', method: 'PUT' },
    { origin: 'https://example.org.evil.net', method: 'PUT' },
    { origin: 'https://.example.orgx', method: 'PUT' },
    { origin: 'https://app.example.org', method: 'DELETE' },
    { origin: 'https://app.example.org', method: 'PUT', requestHeaders: ['x-other'] },
    { origin: 'https://other.net', method: 'GET', requestHeaders: ['range'] },
  ];
  for (const request of refused) {
    it(`allows nothing to ${JSON.stringify(request)}`, () => assert.equal(corsHeaders(rules, request), undefined));
  }

  it('does not let the two halves of a pattern overlap', () => {
    const [rule] = parseCorsConfiguration(
      configuration('<AllowedOrigin>http://aa*aa</AllowedOrigin><AllowedMethod>GET</AllowedMethod>'),
    );
    assert.ok(rule !== undefined);
    assert.equal(corsHeaders([rule], { origin: 'http://aaa', method: 'GET' }), undefined);
    assert.ok(corsHeaders([rule], { origin: 'http://aaaa', method: 'GET' }) !== undefined);
  });
});

describe('parseCorsConfiguration', () => {
  const origin = '<AllowedOrigin>*</AllowedOrigin>';
  const refused: [string, string][] = [
    ['', 'MalformedXML'],
    ['<CORSConfiguration/>', 'MalformedXML'],
    [`<Other><CORSRule>${everybody}</CORSRule></Other>`, 'MalformedXML'],
    [configuration(origin), 'MalformedXML'],
    [configuration('<AllowedMethod>GET</AllowedMethod>'), 'MalformedXML'],
    [configuration(`${everybody}<MaxAgeSeconds>soon</MaxAgeSeconds>`), 'MalformedXML'],
    [configuration(...Array.from({ length: 101 }, () => everybody)), 'MalformedXML'],
    [configuration(`${origin}<AllowedMethod>PATCH</AllowedMethod>`), 'InvalidRequest'],
    [configuration('<AllowedOrigin>http://*.a.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>'), 'InvalidRequest'],
  ];
  for (const [document, code] of refused) {
    it(`refuses ${document.slice(0, 90)}`, () => assert.throws(() => parseCorsConfiguration(document), { code }));
  }

  it('takes 100 rules', () => {
    const rules = parseCorsConfiguration(configuration(...Array.from({ length: 100 }, () => everybody)));
    assert.equal(rules.length, 100);
  });
});
