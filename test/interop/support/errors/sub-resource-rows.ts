/** Sub-resources, batches of deletes, and methods that S3 does not have. */
import { md5Of } from '../../../e2e/support/checksums.ts';
import type { ErrorRow } from './row.ts';
import type { Call } from './stage.ts';

const withMd5 = (body: string): Pick<Call, 'body' | 'headers'> => ({
  body,
  headers: { 'content-md5': md5Of(Buffer.from(body)) },
});

const tagging = (tags: readonly (readonly [string, string])[]): string =>
  `<Tagging><TagSet>${tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`;
const tagged = (body: string, key = 'k'): Call => ({ method: 'PUT', key, query: { tagging: '' }, ...withMd5(body) });

/** Tags of objects. */
export const taggingRows: readonly ErrorRow[] = [
  { name: 'eleven', call: tagged(tagging(Array.from({ length: 11 }, (_, index) => [`k${index}`, 'v']))) },
  {
    name: 'one twice',
    call: tagged(
      tagging([
        ['a', '1'],
        ['a', '2'],
      ]),
    ),
  },
  { name: 'a name of 129 characters', call: tagged(tagging([['k'.repeat(129), 'v']])) },
  { name: 'a value of 257 characters', call: tagged(tagging([['k', 'v'.repeat(257)]])) },
  { name: 'an empty name', call: tagged(tagging([['', 'v']])) },
  { name: 'no XML', call: tagged('nonsense') },
  { name: 'another document', call: tagged('<Other/>') },
  { name: 'no document', call: { method: 'PUT', key: 'k', query: { tagging: '' } } },
  { name: 'of an absent object', call: tagged(tagging([['a', '1']]), 'absent') },
  { name: 'deleted of an absent object', call: { method: 'DELETE', key: 'absent', query: { tagging: '' } } },
];

const configurations = [
  'policy',
  'lifecycle',
  'cors',
  'website',
  'replication',
  'encryption',
  'tagging',
  'object-lock',
  'publicAccessBlock',
  'ownershipControls',
] as const;

/** Configurations of buckets: none of them is there. */
export const configurationRows: readonly ErrorRow[] = [
  ...configurations.map((name) => ({ name: `${name} that is not there`, call: { query: { [name]: '' } } })),
  ...(['policy', 'lifecycle', 'versioning', 'tagging', 'object-lock', 'encryption', 'replication'] as const).map(
    (name): ErrorRow => ({
      name: `${name} of nonsense`,
      call: { method: 'PUT', query: { [name]: '' }, ...withMd5('nonsense') },
      needsVersions: true,
    }),
  ),
  { name: 'retention without locks', call: { key: 'k', query: { retention: '' } }, needsVersions: true },
  { name: 'legal hold without locks', call: { key: 'k', query: { 'legal-hold': '' } }, needsVersions: true },
];

const batch = (body: string): Call => ({ method: 'POST', query: { delete: '' }, ...withMd5(body) });
const object = (key: string): string => `<Object><Key>${key}</Key></Object>`;

/** DeleteObjects. */
export const deleteRows: readonly ErrorRow[] = [
  { name: 'no XML', call: batch('nonsense') },
  { name: 'another document', call: batch('<Other/>') },
  { name: 'no object', call: batch('<Delete></Delete>') },
  { name: 'an object without key', call: batch('<Delete><Object></Object></Delete>') },
  {
    name: '1 001 objects',
    call: batch(`<Delete>${Array.from({ length: 1001 }, (_, index) => object(`absent-${index}`)).join('')}</Delete>`),
  },
  { name: 'no Content-MD5', call: { method: 'POST', query: { delete: '' }, body: `<Delete>${object('x')}</Delete>` } },
  {
    name: 'a wrong Content-MD5',
    call: {
      method: 'POST',
      query: { delete: '' },
      body: `<Delete>${object('x')}</Delete>`,
      headers: { 'content-md5': md5Of(Buffer.from('x')) },
    },
  },
  { name: 'no document', call: batch('') },
];

/** Methods and sub-resources that S3 does not have. */
export const methodRows: readonly ErrorRow[] = [
  { name: 'PATCH of an object', call: { method: 'PATCH', key: 'k', body: 'x' } },
  { name: 'POST of an object', call: { method: 'POST', key: 'k', body: 'x' } },
  { name: 'PATCH of a bucket', call: { method: 'PATCH' } },
  { name: 'PUT of the service', call: { method: 'PUT', bucket: null } },
  { name: 'DELETE of the service', call: { method: 'DELETE', bucket: null } },
  { name: 'POST of the service', call: { method: 'POST', bucket: null } },
  { name: 'a sub-resource of an object that is none', call: { key: 'k', query: { colour: '' } } },
  { name: 'a sub-resource of a bucket that is none', call: { query: { colour: '' } } },
  { name: 'a torrent', call: { key: 'k', query: { torrent: '' } } },
  {
    name: 'a key of the client',
    call: {
      method: 'PUT',
      key: 'written',
      body: 'x',
      headers: { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' },
    },
  },
];
