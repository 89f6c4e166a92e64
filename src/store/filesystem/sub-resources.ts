import { streamOf } from '../../base/streams.ts';
import { parseCorsConfiguration } from '../../s3/cors.ts';
import { S3Error, s3Error } from '../../s3/s3-error.ts';
import { parseTaggingDocument, renderTaggingDocument } from '../../s3/tagging.ts';
import { element, s3Namespace, XmlNode, xmlDocument } from '../../s3/xml.ts';
import type { SubResourceAnswer, SubResourceRequest } from '../object-store.ts';
import { checkVersion, keyBytes } from './names.ts';
import type { ObjectRow } from './object-index.ts';
import { noSuchKey, type StoreParts } from './store-parts.ts';
import { checkAcl, parseHeaders, tagsOf, withTags } from './stored-headers.ts';

/** Bucket sub-resources that this store keeps, and S3's error where a bucket has none. */
const keptDocuments: Readonly<
  Record<string, { readonly check: (document: Uint8Array) => void; readonly none: () => Error }>
> = {
  tagging: {
    check: (document) => parseTaggingDocument(document, 'Bucket'),
    none: () => notConfigured('NoSuchTagSet', 'The TagSet does not exist'),
  },
  cors: {
    check: parseCorsConfiguration,
    none: () => notConfigured('NoSuchCORSConfiguration', 'The CORS configuration does not exist'),
  },
};

/** What S3 answers for a bucket that never had the sub-resource: an empty document … */
const emptyDocuments: Readonly<Record<string, string>> = {
  accelerate: 'AccelerateConfiguration',
  analytics: 'ListBucketAnalyticsConfigurationResult',
  'intelligent-tiering': 'ListBucketIntelligentTieringConfigurationsResult',
  inventory: 'ListInventoryConfigurationsResult',
  logging: 'BucketLoggingStatus',
  metrics: 'ListMetricsConfigurationsResult',
  notification: 'NotificationConfiguration',
  versioning: 'VersioningConfiguration',
};

/** … or an error. */
const absent: Readonly<Record<string, readonly [code: string, message: string]>> = {
  encryption: [
    'ServerSideEncryptionConfigurationNotFoundError',
    'The server side encryption configuration was not found',
  ],
  lifecycle: ['NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist'],
  'object-lock': ['ObjectLockConfigurationNotFoundError', 'Object Lock configuration does not exist for this bucket'],
  ownershipControls: ['OwnershipControlsNotFoundError', 'The bucket ownership controls were not found'],
  policy: ['NoSuchBucketPolicy', 'The bucket policy does not exist'],
  policyStatus: ['NoSuchBucketPolicy', 'The bucket policy does not exist'],
  publicAccessBlock: ['NoSuchPublicAccessBlockConfiguration', 'The public access block configuration was not found'],
  replication: ['ReplicationConfigurationNotFoundError', 'The replication configuration was not found'],
  website: ['NoSuchWebsiteConfiguration', 'The specified bucket does not have a website configuration'],
};

const owner = [element('ID', 's3eg'), element('DisplayName', 's3eg')];

/**
 * Sub-resources of buckets and objects. Tags and CORS rules are kept; of everything else this store says that it is not
 * configured, and refuses to configure what it could not honour.
 */
export class SubResources {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** @throws S3Error NotImplemented for what the store cannot honour; S3's own error for what is not configured. */
  run(request: SubResourceRequest): SubResourceAnswer {
    return request.key === undefined ? this.#ofBucket(request) : this.#ofObject(request, request.key);
  }

  #ofBucket(request: SubResourceRequest): SubResourceAnswer {
    const { database, buckets } = this.#parts;
    database.read(() => buckets.require(request.bucket));
    const name = subResourceName(request);
    const kept = keptDocuments[name];
    if (kept !== undefined) return this.#keptDocument(request, name, kept);
    if (name === 'acl') return aclAnswer(request);
    if (request.method === 'DELETE') return { status: 204, headers: {} };
    if (request.method !== 'GET') throw notImplemented(request);
    return unconfigured(request, name);
  }

  #keptDocument(
    request: SubResourceRequest,
    name: string,
    { check, none }: (typeof keptDocuments)[string],
  ): SubResourceAnswer {
    const { database, buckets } = this.#parts;
    const { method, bucket, document } = request;
    if (method === 'GET') {
      const stored = database.read(() => buckets.document(buckets.require(bucket).id, name));
      if (stored === undefined) throw none();
      return xmlAnswer(stored);
    }
    if (method === 'DELETE') {
      database.transaction(() => buckets.deleteDocument(buckets.require(bucket).id, name));
      return { status: 204, headers: {} };
    }
    check(document);
    const text = Buffer.from(document).toString('utf8');
    database.transaction(() => buckets.putDocument(buckets.require(bucket).id, name, text));
    return { status: name === 'tagging' ? 204 : 200, headers: {} };
  }

  #ofObject(request: SubResourceRequest, key: string): SubResourceAnswer {
    const name = subResourceName(request);
    const row = this.#parts.database.read(() => this.#find(request, key));
    switch (name) {
      case 'tagging':
        return this.#tagging(request, key, row);
      case 'acl':
        return aclAnswer(request);
      case 'retention':
      case 'legal-hold':
        throw s3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
      case 'restore':
        throw new S3Error('InvalidObjectState', "Restore is not allowed for the object's current storage class", {
          status: 403,
        });
      default:
        throw notImplemented(request);
    }
  }

  #tagging(request: SubResourceRequest, key: string, row: ObjectRow): SubResourceAnswer {
    const { database, objects } = this.#parts;
    if (request.method === 'GET') return xmlAnswer(renderTaggingDocument(tagsOf(parseHeaders(row.headers))));
    const tags = request.method === 'DELETE' ? [] : parseTaggingDocument(request.document, 'Object');
    database.transaction(() => {
      const current = this.#find(request, key);
      objects.setHeaders(current.id, JSON.stringify(withTags(parseHeaders(current.headers), tags)));
    });
    return { status: request.method === 'DELETE' ? 204 : 200, headers: {} };
  }

  #find(request: SubResourceRequest, key: string): ObjectRow {
    const { buckets, objects } = this.#parts;
    checkVersion(request.query['versionId']);
    const row = objects.find(buckets.require(request.bucket).id, keyBytes(key));
    if (row === undefined) throw noSuchKey(key);
    return row;
  }
}

function subResourceName({ query }: SubResourceRequest): string {
  return Object.keys(query).find((name) => name !== 'id' && name !== 'versionId') ?? '';
}

function unconfigured(request: SubResourceRequest, name: string): SubResourceAnswer {
  if (name === 'requestPayment') {
    return xmlAnswer(xmlDocument('RequestPaymentConfiguration', s3Namespace, [element('Payer', 'BucketOwner')]));
  }
  const error = absent[name];
  if (error !== undefined) throw notConfigured(...error);
  if (request.query['id'] !== undefined) {
    throw notConfigured('NoSuchConfiguration', 'The specified configuration does not exist.');
  }
  const root = emptyDocuments[name];
  if (root === undefined) throw notImplemented(request);
  const isList = root.startsWith('List');
  return xmlAnswer(xmlDocument(root, s3Namespace, isList ? [element('IsTruncated', false)] : ''));
}

/** The store has one owner, who may do everything. */
function aclAnswer(request: SubResourceRequest): SubResourceAnswer {
  const { method, headers, document } = request;
  if (method === 'GET') {
    const grantee = new XmlNode(
      `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">${owner.map(({ xml }) => xml).join('')}</Grantee>`,
    );
    const grant = element('Grant', [grantee, element('Permission', 'FULL_CONTROL')]);
    return xmlAnswer(
      xmlDocument('AccessControlPolicy', s3Namespace, [element('Owner', owner), element('AccessControlList', [grant])]),
    );
  }
  const canned = headers['x-amz-acl'];
  if (canned === undefined || document.length > 0) throw notImplemented(request);
  checkAcl(canned);
  return { status: 200, headers: {} };
}

function xmlAnswer(document: string): SubResourceAnswer {
  const bytes = Buffer.from(document);
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: streamOf(bytes),
    lengthBytes: bytes.length,
  };
}

function notConfigured(code: string, message: string): Error {
  return new S3Error(code, message, { status: 404 });
}

function notImplemented({ operation }: SubResourceRequest): Error {
  return s3Error('NotImplemented', `The embedded store does not implement ${operation}.`, {
    details: { Operation: operation },
  });
}
