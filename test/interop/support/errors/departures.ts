/** Where the expected answer is not MinIO's to the same request, and why. */

/** An answer and the rows that it is expected in, each as `group: name`. */
export interface Departure {
  /**
   * `s3`: MinIO departs from S3, whose answer stands here. `gateway`: the gateway means to differ from both. `embedded`:
   * only the embedded store answers so; in front of MinIO the answer is MinIO's.
   */
  readonly who: 's3' | 'gateway' | 'embedded';
  readonly answer: string;
  readonly because: string;
  readonly rows: readonly string[];
}

const checksums = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'];
const methods = [
  'PATCH of an object',
  'POST of an object',
  'PATCH of a bucket',
  'PUT of the service',
  'DELETE of the service',
  'POST of the service',
];

/** All of them; each is checked to be one. */
export const departures: readonly Departure[] = [
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Unsupported Authorization Type"; MinIO has a code of its own, or none',
    rows: [
      'signature in the header: basic authentication',
      'signature in the header: a bearer token',
      'signature in the header: an Authorization header without fields',
    ],
  },
  {
    who: 's3',
    answer: '400 InvalidRequest',
    because: 'S3: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."',
    rows: ['signature in the header: an algorithm that is none'],
  },
  {
    who: 's3',
    answer: '400 AuthorizationHeaderMalformed',
    because: 'S3 API reference, error responses: "The authorization header that you provided is not valid."',
    rows: [
      'an Authorization header of nonsense',
      'no Credential',
      'no SignedHeaders',
      'no Signature',
      'a Credential of too few pieces',
      'a scope of another service',
      'a scope that ends otherwise',
      'a scope whose date is none',
      'a scope of another day',
      'a signature that is too short',
    ].map((name) => `signature in the header: ${name}`),
  },
  {
    who: 's3',
    answer: '403 AccessDenied',
    because: 'S3: "AWS authentication requires a valid Date or x-amz-date header", and AccessDenied is 403 there',
    rows: ['signature in the header: no date at all', 'signature in the header: a date that is none'],
  },
  {
    who: 's3',
    answer: '403 AccessDenied',
    because: 'S3: "There were headers present in the request which were not signed"; MinIO takes or misnumbers it',
    rows: [
      'signature in the header: an x-amz header that is not signed',
      'signature in the header: a host that is not signed',
      'presigned URL: an x-amz header that is not signed',
    ],
  },
  {
    who: 's3',
    answer: '403 SignatureDoesNotMatch',
    because: 'the signature is wrong, and nothing else of the request is looked at before it',
    rows: [
      'signature in the header: a signed header that is missing',
      'signature in the header: a changed query',
      'signature in the header: no x-amz-content-sha256',
    ],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because:
      'S3: "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256"',
    rows: [
      'signature in the header: an x-amz-content-sha256 that is none',
      'signature in the header: an x-amz-content-sha256 that is none, PUT',
      'body: a kind of streaming that is none',
    ],
  },
  {
    who: 's3',
    answer: '400 InvalidToken',
    because: 'S3 API reference: "The provided token is malformed or otherwise not valid."',
    rows: ['signature in the header: a session token of nobody'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Only one auth mechanism allowed"',
    rows: ['signature in the header: a signature in header and query'],
  },
  {
    who: 's3',
    answer: '400 AuthorizationQueryParametersError',
    because: 'S3: "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, … parameters"',
    rows: ['presigned URL: no credential', 'presigned URL: a scope of another service'],
  },
  {
    who: 's3',
    answer: '400 KeyTooLongError',
    because: 'S3 API reference: "Your key is too long", whatever is asked of it',
    rows: ['key: of 1 025 bytes: GET', 'key: of 1 025 bytes: DELETE', 'copy: a key of 1 025 bytes'],
  },
  {
    who: 's3',
    answer: '400',
    because: 'as for GET',
    rows: ['key: of 1 025 bytes: HEAD'],
  },
  {
    who: 's3',
    answer: '400 InvalidRequest',
    because: 'S3: "The source of a copy request may not specifically refer to a delete marker by version id."',
    rows: ['version: a delete marker: source of a copy'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "A version-id marker cannot be specified without a key marker."',
    rows: ['version: marker without its key', 'listing: versions: version-id-marker alone'],
  },
  {
    who: 's3',
    answer: '400 BadDigest',
    because: 'S3: "The CRC32 you specified did not match the calculated checksum."',
    rows: [
      ...checksums.map((name) => `body: a wrong ${name}`),
      'body: a wrong checksum in a trailer',
      'multipart: part with a wrong checksum',
    ],
  },
  {
    who: 's3',
    answer: '400 InvalidRequest',
    because:
      'S3: "Value for x-amz-checksum-crc32 header is invalid.", "Expecting a single x-amz-checksum- header", "Checksum algorithm provided is unsupported."',
    rows: [
      ...checksums.map((name) => `body: a ${name} that is none`),
      'body: two checksums',
      'body: a checksum that nobody knows',
      'multipart: new upload with a checksum that nobody knows',
      'multipart: new upload with a checksum type that does not go with it',
    ],
  },
  {
    who: 's3',
    answer: '411 MissingContentLength',
    because: 'S3 API reference, chunked uploads: x-amz-decoded-content-length is required',
    rows: ['body: chunks without the length of the content'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'MinIO answers 500 to what the client did wrong',
    rows: [
      'body: a length of the content that is none',
      'read: part x',
      'multipart: complete: a part number that is none',
    ],
  },
  {
    who: 's3',
    answer: '400 IncompleteBody',
    because: 'S3: "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header"',
    rows: ['body: chunks of more than was announced', 'body: chunks of less than was announced'],
  },
  {
    who: 's3',
    answer: '400 InvalidChunkSizeError',
    because: 'the framing is wrong; MinIO has BadRequest for everything',
    rows: ['body: a chunk whose size is none'],
  },
  {
    who: 's3',
    answer: '400 MalformedTrailerError',
    because: 'S3: "The request contained trailing data that was not well-formed"',
    rows: ['body: a trailer that is missing'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because:
      'S3: "The header \'x-amz-tagging\' shall be encoded as UTF-8 then URLEncoded … without tag name duplicates."',
    rows: ['write: a tag twice'],
  },
  {
    who: 'embedded',
    answer: '400 InvalidArgument',
    because: 'S3 refuses a canned ACL that it has not; MinIO takes it silently, and ACLs are the backend’s',
    rows: ['write: an acl that is none'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Part number must be an integer between 1 and 10000, inclusive"; MinIO: InvalidPart, or its own code',
    rows: [
      'multipart: part 0',
      'multipart: part -1',
      'multipart: part x',
      'multipart: complete: part 0',
      'multipart: complete: part 10 001',
      'part copy: part 0',
      'read: part 0',
    ],
  },
  {
    who: 's3',
    answer: '400 MalformedXML',
    because:
      'S3 API reference: "did not validate against our published schema"; MinIO does not read what is another document',
    rows: [
      'multipart: complete: another document',
      'multipart: complete: no parts',
      'tags: no XML',
      'tags: another document',
      'tags: no document',
      'delete objects: an object without key',
      'delete objects: no document',
    ],
  },
  {
    who: 's3',
    answer: '400 InvalidPartOrder',
    because: 'S3: "Parts must be ordered by part number"; MinIO looks at the sizes first',
    rows: ['multipart: complete: a part twice'],
  },
  {
    who: 's3',
    answer: '404 NoSuchUpload',
    because: 'AbortMultipartUpload in the S3 API reference: 404 where there is no such upload; MinIO: 204',
    rows: [
      'multipart: abort: no upload',
      'multipart: abort: an upload id that is none',
      'multipart: abort: another key',
    ],
  },
  {
    who: 's3',
    answer: '416 InvalidRange',
    because: 'RFC 9110 section 14.1.2: no suffix of an empty representation can be satisfied',
    rows: ['read: the last bytes of an empty object'],
  },
  {
    who: 's3',
    answer: '200',
    because: 'RFC 9110 section 14.1.1: such a range is not valid, and is ignored',
    rows: ['read: a range that ends before it begins'],
  },
  {
    who: 's3',
    answer: '400 InvalidURI',
    because: 'S3: "Couldn\'t parse the specified URI"; MinIO takes the bytes for others and the signature for wrong',
    rows: ['read: a path that is not UTF-8'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Argument max-keys must be an integer between 0 and 2147483647"',
    rows: ['listing: max-keys 3 000 000 000'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Invalid Encoding Method specified in Request", in this listing too',
    rows: ['listing: uploads: encoding-type base64'],
  },
  {
    who: 'gateway',
    answer: '400 InvalidArgument',
    because: 'a request is never served as another one',
    rows: ['listing: version 3'],
  },
  {
    who: 'embedded',
    answer: '404 NoSuchPublicAccessBlockConfiguration',
    because: 'S3’s answer; MinIO does not know the sub-resource, and its answer is passed on',
    rows: ['configuration: publicAccessBlock that is not there'],
  },
  {
    who: 'embedded',
    answer: '404 OwnershipControlsNotFoundError',
    because: 'S3’s answer; MinIO does not know the sub-resource, and its answer is passed on',
    rows: ['configuration: ownershipControls that is not there'],
  },
  {
    who: 'gateway',
    answer: '200',
    because: 'the SHA-256 that the client signed guards the document as well as the Content-MD5 that S3 wants',
    rows: ['delete objects: no Content-MD5'],
  },
  {
    who: 's3',
    answer: '400 BadDigest',
    because: 'S3 API reference: "The Content-MD5 … that you specified did not match what the server received."',
    rows: ['delete objects: a wrong Content-MD5'],
  },
  {
    who: 's3',
    answer: '405 MethodNotAllowed',
    because: 'S3 API reference: "The specified method is not allowed against this resource."',
    rows: methods.map((name) => `method: ${name}`),
  },
  {
    who: 'gateway',
    answer: '501 NotImplemented',
    because: 'what is not known is not forwarded, and never served as something else',
    rows: ['method: a sub-resource of an object that is none', 'method: a sub-resource of a bucket that is none'],
  },
  {
    who: 'embedded',
    answer: '200',
    because:
      'RFC 9110 section 13.1.3: where there is If-None-Match, If-Modified-Since is ignored; MinIO’s view is its own',
    rows: ['read: If-None-Match with another ETag, If-Modified-Since the time'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Range specified is not valid for source object of size: 10"',
    rows: ['part copy: a range behind the end'],
  },
  {
    who: 'gateway',
    answer: '501 NotImplemented',
    because: 'keys of the client would be sent to the provider, who must not have any',
    rows: ['method: a key of the client'],
  },
  {
    who: 's3',
    answer: '400 InvalidArgument',
    because: 'S3: "Bucket POST must contain a field named …", "POST requires exactly one file upload per request."',
    rows: ['a credential that is none', 'no signature', 'no policy', 'no key', 'no file'].map(
      (name) => `form: ${name}`,
    ),
  },
  {
    who: 's3',
    answer: '403 AccessDenied',
    because: 'a form without a signature is an anonymous one',
    rows: ['form: no policy and no signature'],
  },
  {
    who: 's3',
    answer: '400 InvalidPolicyDocument',
    because: 'S3 API reference: the policy document is what is wrong',
    rows: ['a policy of nonsense', 'a policy without expiration', 'an expiration that is no date'].map(
      (name) => `form: ${name}`,
    ),
  },
];
