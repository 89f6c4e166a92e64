/**
 * AWS KMS as its API reference describes it, for what no stand-in does: states of keys, refusals, throttling, silence. Speaks
 * the JSON protocol over HTTP; signatures are not looked at.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

import { FakeServer } from './fake-server.ts';

type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport';

interface FakeKey {
  readonly arn: string;
  /** Newest first: the first one encrypts. */
  readonly materials: Buffer[];
  /** Made by a rotation on demand that is in progress. */
  pending: Material | undefined;
  rotations: number;
  state: KeyState;
  /** Further fields of DescribeKey. */
  readonly more: object;
}

interface Material {
  readonly bytes: Buffer;
  readonly begunSeconds: number;
  /** It becomes current after so many calls of DescribeKey. */
  callsLeft: number;
}

/** A request's body, as far as it is looked at. */
interface Body {
  readonly KeyId?: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly NumberOfBytes?: number;
  readonly AliasName?: string;
  readonly TargetKeyId?: string;
  readonly EncryptionContext?: { readonly policy?: string; readonly bucket?: string };
}

/** An exception of the service. */
export interface KmsException {
  readonly name: string;
  readonly message?: string;
  readonly status?: number;
}

class Exception extends Error {
  readonly answer: KmsException;

  constructor(answer: KmsException) {
    super(answer.name);
    this.answer = answer;
  }
}

const region = 'eu-central-1';
const account = '111122223333';

/** A server of the fake; `answers` decides before the service does. */
export class FakeKms extends FakeServer {
  /** Operations in the order in which they were asked for. */
  readonly calls: string[] = [];
  /** Access key ids that signed them. */
  readonly signers: string[] = [];
  /** Exceptions that the next calls are answered with, one each. */
  readonly failures: KmsException[] = [];
  /** Exception that every call is answered with. */
  refusal: KmsException | undefined;
  /** Exceptions that an operation is answered with. */
  readonly failing = new Map<string, KmsException>();
  /** Whether calls get no answer at all. */
  isSilent = false;
  /** Whether ids of key materials are told; older stand-ins tell none. */
  tellsMaterials = true;
  /** How many calls of DescribeKey a rotation on demand takes. */
  rotationTakesCalls = 1;
  readonly #keys = new Map<string, FakeKey>();
  readonly #aliases = new Map<string, string>();

  static async start(): Promise<FakeKms> {
    const fake = new FakeKms();
    await fake.up();
    return fake;
  }

  /** Makes a key and gives its ARN; a multi-Region key's id begins with `mrk-`. `more` is told by DescribeKey. */
  createKey({
    multiRegion = false,
    more = {},
  }: { readonly multiRegion?: boolean; readonly more?: object } = {}): string {
    const id = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
    const arn = `arn:aws:kms:${region}:${account}:key/${id}`;
    const materials = [randomBytes(32)];
    this.#keys.set(id, { arn, materials, pending: undefined, rotations: 0, state: 'Enabled', more });
    return arn;
  }

  /** What AWS KMS does by itself once a year: no limit, and at once. */
  rotateAutomatically(arn: string): void {
    this.#find(arn).materials.unshift(randomBytes(32));
  }

  /** Id of the key material that encrypts now: 64 hexadecimal digits. */
  currentMaterialId(arn: string): string {
    return idOfMaterial(this.#find(arn).materials[0]);
  }

  setState(arn: string, state: KeyState): void {
    this.#find(arn).state = state;
  }

  pointAlias(alias: string, arn: string): void {
    this.#aliases.set(alias, arn);
  }

  /** How often an operation was asked for. */
  count(operation: string): number {
    return this.calls.filter((call) => call === operation).length;
  }

  protected override async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const body: Body = JSON.parse(await text(request));
    this.calls.push(operation);
    this.signers.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (this.isSilent) return;
    try {
      const failure = this.failures.shift() ?? this.failing.get(operation) ?? this.refusal;
      if (failure !== undefined) throw new Exception(failure);
      answer(response, 200, this.#run(operation, body));
    } catch (error) {
      if (!(error instanceof Exception)) throw error;
      const { name, message = 'for the test', status = 400 } = error.answer;
      answer(response, status, { __type: name, message });
    }
  }

  #run(operation: string, body: Body): object {
    // UpdateAlias has no KeyId: the key is the target.
    const key = this.#find(body.KeyId ?? body.TargetKeyId ?? '');
    switch (operation) {
      case 'DescribeKey':
        settle(key);
        return {
          KeyMetadata: { ...metadataOf(key), ...this.#tell({ CurrentKeyMaterialId: key.materials[0] }), ...key.more },
        };
      case 'Encrypt':
        mustBeUsable(key);
        return { KeyId: key.arn, CiphertextBlob: encrypt(key, Buffer.from(body.Plaintext ?? '', 'base64'), body) };
      case 'GenerateDataKey': {
        mustBeUsable(key);
        const plain = randomBytes(body.NumberOfBytes ?? 0);
        const told = this.#tell({ KeyMaterialId: key.materials[0] });
        return {
          KeyId: key.arn,
          CiphertextBlob: encrypt(key, plain, body),
          Plaintext: plain.toString('base64'),
          ...told,
        };
      }
      case 'Decrypt': {
        mustBeUsable(key);
        const { plain, material } = decrypt(key, body);
        return { KeyId: key.arn, Plaintext: plain.toString('base64'), ...this.#tell({ KeyMaterialId: material }) };
      }
      default:
        return this.#administer(operation, key, body);
    }
  }

  #administer(operation: string, key: FakeKey, body: Body): object {
    switch (operation) {
      case 'GetKeyRotationStatus':
        return { KeyId: key.arn, KeyRotationEnabled: false, OnDemandRotationStartDate: key.pending?.begunSeconds };
      case 'RotateKeyOnDemand':
        // It takes an id or ARN.
        if (/(^|:)alias\//.test(body.KeyId ?? '')) throw new Exception({ name: 'InvalidArnException' });
        beginRotation(key, this.rotationTakesCalls);
        return { KeyId: key.arn };
      case 'UpdateAlias': {
        const alias = body.AliasName ?? '';
        if (!this.#aliases.has(alias)) throw new Exception({ name: 'NotFoundException' });
        this.#aliases.set(alias, key.arn);
        return {};
      }
      default:
        throw new Exception({ name: 'UnknownOperationException' });
    }
  }

  #tell(materials: Readonly<Record<string, Buffer | undefined>>): Readonly<Record<string, string>> {
    if (!this.tellsMaterials) return {};
    return Object.fromEntries(Object.entries(materials).map(([name, material]) => [name, idOfMaterial(material)]));
  }

  #find(name: string): FakeKey {
    const arn = this.#aliases.get(name.replace(/^arn:aws:kms:[^:]*:[^:]*:(?=alias\/)/, '')) ?? name;
    const key = this.#keys.get(arn.slice(arn.lastIndexOf('/') + 1));
    const isHere = !arn.startsWith('arn:') || arn.startsWith(`arn:aws:kms:${region}:${account}:`);
    if (key !== undefined && isHere) return key;
    throw new Exception({ name: 'NotFoundException', message: `Key '${name}' does not exist` });
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

function metadataOf({ arn, state }: FakeKey): object {
  return {
    Arn: arn,
    KeyId: arn.slice(arn.lastIndexOf('/') + 1),
    KeyState: state,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    ...(state === 'PendingDeletion' ? { DeletionDate: Date.UTC(2030, 0, 2) / 1000 } : {}),
  };
}

function mustBeUsable({ arn, state }: FakeKey): void {
  if (state === 'Enabled') return;
  if (state === 'Disabled') throw new Exception({ name: 'DisabledException', message: `${arn} is disabled.` });
  throw new Exception({ name: 'KMSInvalidStateException', message: `${arn} is pending deletion.` });
}

function idOfMaterial(material: Buffer = Buffer.alloc(0)): string {
  return createHash('sha256').update(material).digest('hex');
}

function beginRotation(key: FakeKey, callsLeft: number): void {
  mustBeUsable(key);
  if (key.pending !== undefined) throw new Exception({ name: 'ConflictException' });
  if (key.rotations === 25) throw new Exception({ name: 'LimitExceededException' });
  key.rotations += 1;
  key.pending = { bytes: randomBytes(32), begunSeconds: Date.UTC(2026, 0, 2) / 1000, callsLeft };
}

/** One look at a key: a rotation on demand goes on in the background. */
function settle(key: FakeKey): void {
  if (key.pending === undefined || key.pending.callsLeft-- > 0) return;
  key.materials.unshift(key.pending.bytes);
  key.pending = undefined;
}

/** Key id, IV, ciphertext and tag; the key id and the context are authenticated. */
function encrypt({ arn, materials: [material = Buffer.alloc(0)] }: FakeKey, plain: Buffer, body: Body): string {
  const id = Buffer.from(arn.slice(arn.lastIndexOf('/') + 1).padEnd(36));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', material, iv).setAAD(aadOf(id, body));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([id, iv, sealed, cipher.getAuthTag()]).toString('base64');
}

function decrypt({ arn, materials }: FakeKey, body: Body): { readonly plain: Buffer; readonly material: Buffer } {
  const blob = Buffer.from(body.CiphertextBlob ?? '', 'base64');
  const [id, iv] = [blob.subarray(0, 36), blob.subarray(36, 48)];
  if (blob.length < 64) throw new Exception({ name: 'InvalidCiphertextException' });
  if (
    /^[a-z0-9- ]+$/.test(id.toString('latin1')) &&
    id.toString('latin1').trim() !== arn.slice(arn.lastIndexOf('/') + 1)
  ) {
    throw new Exception({
      name: 'IncorrectKeyException',
      message: 'The key ID in the request does not identify a CMK that can perform this operation.',
    });
  }
  for (const material of materials) {
    const decipher = createDecipheriv('aes-256-gcm', material, iv).setAAD(aadOf(id, body));
    decipher.setAuthTag(blob.subarray(-16));
    try {
      return { plain: Buffer.concat([decipher.update(blob.subarray(48, -16)), decipher.final()]), material };
    } catch {
      // Of another material.
    }
  }
  throw new Exception({ name: 'InvalidCiphertextException' });
}

function aadOf(id: Buffer, { EncryptionContext: context = {} }: Body): Buffer {
  return Buffer.from(JSON.stringify([id.toString('base64'), context.bucket ?? '', context.policy ?? '']));
}
