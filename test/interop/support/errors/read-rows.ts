/** Reads: ranges, conditions, parts, attributes; and listings. */
import type { ErrorRow } from './row.ts';
import type { Call } from './stage.ts';

const earlier = new Date(Date.now() - 86_400_000).toUTCString();
const get = (headers: Readonly<Record<string, string>>, key = 'k'): Call => ({ key, headers });
const head = (headers: Readonly<Record<string, string>>, key = 'k'): Call => ({ method: 'HEAD', key, headers });

/** Ranges and conditions. */
export const readRows: readonly ErrorRow[] = [
  { name: 'a range behind the end', call: get({ range: 'bytes=10-' }) },
  { name: 'a range far behind the end', call: get({ range: 'bytes=100-200' }) },
  { name: 'a range behind the end, HEAD', call: head({ range: 'bytes=10-' }) },
  { name: 'the last zero bytes', call: get({ range: 'bytes=-0' }) },
  { name: 'a range of an empty object', call: get({ range: 'bytes=0-0' }, 'empty') },
  { name: 'the last bytes of an empty object', call: get({ range: 'bytes=-5' }, 'empty') },
  { name: 'a range that ends before it begins', call: get({ range: 'bytes=5-2' }) },
  { name: 'a range of letters', call: get({ range: 'bytes=a-b' }) },
  { name: 'a range of another unit', call: get({ range: 'lines=0-1' }) },
  { name: 'two ranges', call: get({ range: 'bytes=0-1,4-5' }) },
  { name: 'If-Match with another ETag', call: get({ 'if-match': '"other"' }) },
  { name: 'If-Match with another ETag, HEAD', call: head({ 'if-match': '"other"' }) },
  { name: 'If-None-Match with the ETag', call: ({ etag }) => get({ 'if-none-match': etag }) },
  { name: 'If-None-Match with the ETag, HEAD', call: ({ etag }) => head({ 'if-none-match': etag }) },
  { name: 'If-None-Match: *', call: get({ 'if-none-match': '*' }) },
  { name: 'If-Modified-Since the time', call: ({ modified }) => get({ 'if-modified-since': modified }) },
  { name: 'If-Unmodified-Since before', call: get({ 'if-unmodified-since': earlier }) },
  { name: 'If-Unmodified-Since before, HEAD', call: head({ 'if-unmodified-since': earlier }) },
  { name: 'If-Modified-Since of no date', call: get({ 'if-modified-since': 'yesterday' }) },
  {
    name: 'If-Match with the ETag, If-Unmodified-Since before',
    call: ({ etag }) => get({ 'if-match': etag, 'if-unmodified-since': earlier }),
  },
  {
    name: 'If-None-Match with another ETag, If-Modified-Since the time',
    call: ({ modified }) => get({ 'if-none-match': '"other"', 'if-modified-since': modified }),
  },
  { name: 'part 2 of an object of one', call: { key: 'k', query: { partNumber: '2' } } },
  { name: 'part 2 of an object of one, HEAD', call: { method: 'HEAD', key: 'k', query: { partNumber: '2' } } },
  { name: 'part 0', call: { key: 'k', query: { partNumber: '0' } } },
  { name: 'part 10 001', call: { key: 'k', query: { partNumber: '10001' } } },
  { name: 'part x', call: { key: 'k', query: { partNumber: 'x' } } },
  { name: 'a part and a range', call: { key: 'k', query: { partNumber: '1' }, headers: { range: 'bytes=0-1' } } },
  { name: 'attributes without saying which', call: { key: 'k', query: { attributes: '' } } },
  {
    name: 'attributes that are none',
    call: { key: 'k', query: { attributes: '' }, headers: { 'x-amz-object-attributes': 'Colour' } },
  },
  { name: 'a path that is not UTF-8', call: ({ bucket }) => ({ rawPath: `/${bucket}/%ff%fe` }) },
];

const list = (query: Readonly<Record<string, string>>): Call => ({ query });
const list2 = (query: Readonly<Record<string, string>>): Call => ({ query: { 'list-type': '2', ...query } });

/** Arguments of listings. */
export const listingRows: readonly ErrorRow[] = [
  { name: 'max-keys -1', call: list({ 'max-keys': '-1' }) },
  { name: 'max-keys x', call: list({ 'max-keys': 'x' }) },
  { name: 'max-keys 3 000 000 000', call: list({ 'max-keys': '3000000000' }) },
  { name: 'max-keys 0', call: list({ 'max-keys': '0' }) },
  { name: 'encoding-type base64', call: list({ 'encoding-type': 'base64' }) },
  { name: 'version 2: max-keys -1', call: list2({ 'max-keys': '-1' }) },
  { name: 'version 2: max-keys x', call: list2({ 'max-keys': 'x' }) },
  { name: 'version 2: encoding-type base64', call: list2({ 'encoding-type': 'base64' }) },
  { name: 'version 2: an empty continuation-token', call: list2({ 'continuation-token': '' }) },
  { name: 'version 2: a continuation-token of nonsense', call: list2({ 'continuation-token': '!!!' }) },
  { name: 'version 3', call: list({ 'list-type': '3' }) },
  { name: 'versions: max-keys -1', call: list({ versions: '', 'max-keys': '-1' }) },
  { name: 'versions: encoding-type base64', call: list({ versions: '', 'encoding-type': 'base64' }) },
  { name: 'versions: version-id-marker alone', call: list({ versions: '', 'version-id-marker': 'x' }) },
  { name: 'uploads: max-uploads -1', call: list({ uploads: '', 'max-uploads': '-1' }) },
  { name: 'uploads: max-uploads x', call: list({ uploads: '', 'max-uploads': 'x' }) },
  { name: 'uploads: encoding-type base64', call: list({ uploads: '', 'encoding-type': 'base64' }) },
];
