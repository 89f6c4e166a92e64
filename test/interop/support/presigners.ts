/** Makers of presigned URLs: SDKs and tools that sign without asking the server. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { S3Access } from './backends.ts';
import { runOk } from './processes.ts';
import type { S3Agent } from './s3-client.ts';
import type { SdkDriver } from './sdk-driver.ts';
import { tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** What a URL is for. */
export interface UrlRequest {
  readonly operation: 'GetObject' | 'PutObject' | 'HeadObject' | 'DeleteObject' | 'UploadPart';
  readonly bucket: string;
  readonly key: string;
  readonly expiresSeconds: number;
  readonly part?: { readonly uploadId: string; readonly number: number };
  /** `response-content-disposition` of a GET. */
  readonly disposition?: string;
}

/** One maker; the endpoint of the access decides where its URLs point to. */
export interface Presigner {
  readonly name: string;
  readonly operations: readonly UrlRequest['operation'][];
  /** Whether it is asked for `response-*` overrides too. */
  readonly overrides: boolean;
  sign(access: S3Access, requests: readonly UrlRequest[]): Promise<readonly string[]>;
}

const everyOperation = ['GetObject', 'PutObject', 'HeadObject', 'DeleteObject', 'UploadPart'] as const;

function parameters({ bucket, key, part, disposition }: UrlRequest): object {
  return {
    Bucket: bucket,
    Key: key,
    ...(part === undefined ? {} : { UploadId: part.uploadId, PartNumber: part.number }),
    ...(disposition === undefined ? {} : { ResponseContentDisposition: disposition }),
  };
}

/** A maker that signs one URL in one call of an agent. */
function agentPresigner(name: string, agent: S3Agent, callFor: (request: UrlRequest) => readonly [string, object]) {
  const signOne = async (access: S3Access, request: UrlRequest): Promise<string> =>
    await agent.call(access, ...callFor(request));
  const sign = async (access: S3Access, requests: readonly UrlRequest[]): Promise<readonly string[]> =>
    await Promise.all(requests.map(async (request) => await signOne(access, request)));
  return { name, operations: everyOperation, overrides: true, sign };
}

/** boto3, told to use signature version 4. */
export function boto3Presigner(agent: S3Agent): Presigner {
  return agentPresigner('boto3', agent, (request) => {
    const ClientMethod = request.operation.replaceAll(/(?<=.)[A-Z]/g, '_$&').toLowerCase();
    return ['generate_presigned_url', { ClientMethod, Params: parameters(request), ExpiresIn: request.expiresSeconds }];
  });
}

/** `getSignedUrl` of the AWS SDK for JavaScript v3, as it comes: with a checksum of an empty body in URLs for PUT. */
export function jsPresigner(agent: S3Agent): Presigner {
  return agentPresigner('AWS SDK for JavaScript v3', agent, (request) => [
    'presign',
    { command: `${request.operation}Command`, input: parameters(request), expiresIn: request.expiresSeconds },
  ]);
}

const methods = {
  GetObject: 'GET',
  PutObject: 'PUT',
  UploadPart: 'PUT',
  HeadObject: 'HEAD',
  DeleteObject: 'DELETE',
} as const;

/** minio-py, in the process of boto3. */
export function minioPyPresigner(agent: S3Agent): Presigner {
  return agentPresigner('minio-py', agent, ({ operation, bucket, key, expiresSeconds, part, disposition }) => [
    'minio_presign',
    {
      method: methods[operation],
      bucket_name: bucket,
      object_name: key,
      expires: expiresSeconds,
      extra_query_params: part && { uploadId: part.uploadId, partNumber: String(part.number) },
      response_headers: disposition && { 'response-content-disposition': disposition },
    },
  ]);
}

/** One of the compiled SDKs. */
export function sdkPresigner(name: string, driver: SdkDriver): Presigner {
  const signOne = async (access: S3Access, request: UrlRequest): Promise<string> => {
    const { operation, bucket, key, expiresSeconds, part } = request;
    const ofPart = part === undefined ? {} : { uploadId: part.uploadId, partNumber: part.number };
    const call = { operation, bucket, key, expiresSeconds, ...ofPart };
    const { url, headers } = await driver.client(access).presign(call);
    if (Object.keys(headers).length > 0) throw new Error(`${name} signs headers too: ${JSON.stringify(headers)}`);
    return url;
  };
  const sign = async (access: S3Access, requests: readonly UrlRequest[]): Promise<readonly string[]> =>
    await Promise.all(requests.map(async (request) => await signOne(access, request)));
  return { name, operations: everyOperation, overrides: false, sign };
}

/** `aws s3 presign`, which signs GET only. */
export function awsCliPresigner(workspace: Workspace): Presigner {
  return {
    name: 'AWS CLI',
    operations: ['GetObject'],
    overrides: false,
    sign: async (access, requests) => {
      const cwd = await workspace.folder('aws-presign');
      const config = join(cwd, 'config');
      const style = access.virtualHosted === true ? 'virtual' : 'path';
      await writeFile(config, `[default]\ns3 =\n  addressing_style = ${style}\n  signature_version = s3v4\n`);
      const env = {
        PATH: '/usr/bin:/bin',
        HOME: cwd,
        AWS_CONFIG_FILE: config,
        AWS_ACCESS_KEY_ID: access.accessKeyId,
        AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
        AWS_DEFAULT_REGION: 'us-east-1',
      };
      const signOne = async ({ bucket, key, expiresSeconds }: UrlRequest): Promise<string> => {
        const target = [`s3://${bucket}/${key}`, '--expires-in', String(expiresSeconds)];
        const args = ['--endpoint-url', access.endpoint, 's3', 'presign', ...target];
        return (await runOk({ program: tools.aws, args, cwd, env })).stdout.trim();
      };
      return await Promise.all(requests.map(signOne));
    },
  };
}
