/**
 * AWS SDK for JavaScript v3 on a leash, with the protocol of `s3_agent.py`: calls come as JSON lines on standard input,
 * answers go as JSON lines to standard output.
 *
 * Usage: s3-agent.mjs FOLDER, where FOLDER has the SDK in its `node_modules`.
 *
 * Methods have boto3's names (`put_object` is PutObjectCommand; parameters are the same). Beside them there are
 * `upload`, which is Upload of lib-storage, and `presign`: {command, input, expiresIn, signedAt?, signableHeaders?} to
 * a URL. All settings
 * are the SDK's own but endpoint, credentials, region, path style and the number of attempts, which is one.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [folder = '.'] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const sdk = require('@aws-sdk/client-s3');
const { Upload } = require('@aws-sdk/lib-storage');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');

const clients = new Map();

/** One client an endpoint, credential and style of address. */
function clientOf({ endpoint, accessKeyId, secretAccessKey, virtualHosted = false }) {
  const name = JSON.stringify([endpoint, accessKeyId, virtualHosted]);
  const settings = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: !virtualHosted,
    maxAttempts: 1,
  };
  if (!clients.has(name)) clients.set(name, new sdk.S3Client(settings));
  return clients.get(name);
}

/** Parameters with their stand-ins for bytes replaced. */
function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== 'object' || value === null) return value;
  if ('$base64' in value) return Buffer.from(value.$base64, 'base64');
  if ('$file' in value) return createReadStream(value.$file);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, decoded(item)]));
}

/** Reads a body as far as it comes; says how it ended. */
async function readBody(body, save) {
  const hash = createHash('sha256');
  const file = createWriteStream(save ?? '/dev/null');
  let length = 0;
  let broken = null;
  try {
    for await (const piece of body) {
      hash.update(piece);
      length += piece.length;
      if (!file.write(piece)) await new Promise((resolve) => file.once('drain', resolve));
    }
  } catch (error) {
    broken = `${error.name}: ${error.message}`;
  }
  await new Promise((resolve) => file.end(resolve));
  return { length, sha256: hash.digest('hex'), broken };
}

async function call(client, method, params, save) {
  if (method === 'upload') {
    const { partSize, queueSize, ...rest } = params;
    return await new Upload({ client, partSize, queueSize, params: decoded(rest) }).done();
  }
  if (method === 'presign') {
    const { command, input, expiresIn, signedAt, signableHeaders } = params;
    return await getSignedUrl(client, new sdk[command](decoded(input)), {
      expiresIn,
      ...(signedAt === undefined ? {} : { signingDate: new Date(signedAt) }),
      ...(signableHeaders === undefined ? {} : { signableHeaders: new Set(signableHeaders) }),
    });
  }
  const command = `${method.replaceAll(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase())}Command`;
  const answer = await client.send(new sdk[command](decoded(params)));
  return answer.Body === undefined ? answer : { ...answer, Body: await readBody(answer.Body, save) };
}

function failure(error) {
  const { name, Code, message, $metadata } = error;
  return { code: Code ?? name, message, status: $metadata?.httpStatusCode, requestId: $metadata?.requestId };
}

async function work({ id, access, method, params, save }) {
  const answer = await call(clientOf(access), method, params, save).then(
    (result) => ({ id, result }),
    (error) => ({ id, error: failure(error) }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

createInterface({ input: process.stdin }).on('line', (line) => void work(JSON.parse(line)));
