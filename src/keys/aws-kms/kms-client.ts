import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';

import { parseKeyArn } from './key-arn.ts';
import type { AwsKmsOptions } from './kms-options.ts';

const maxSockets = 32;

/** The SDK's clients: one that tries again, and slows down when it is throttled, and one that says at once how things are. */
export interface KmsClients {
  readonly patient: KMSClient;
  readonly immediate: KMSClient;
}

/** Makes the clients; nothing is asked, and no credentials are looked for yet. */
export async function createKmsClients(options: AwsKmsOptions): Promise<KmsClients> {
  const config = await configOf(options);
  return {
    patient: new KMSClient({ ...config, maxAttempts: options.retries + 1, retryMode: 'adaptive' }),
    immediate: new KMSClient({ ...config, maxAttempts: 1 }),
  };
}

async function configOf(options: AwsKmsOptions): Promise<KMSClientConfig> {
  const { endpoint, timeoutMs } = options;
  const region = options.region ?? parseKeyArn(options.keyId)?.region;
  const credentials = await credentialsOf(options, region);
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: {
      connectionTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      // Without it the SDK only warns of a request that takes too long.
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets },
      httpsAgent: { keepAlive: true, maxSockets },
    },
  };
}

/** Undefined: the client's own default chain. */
async function credentialsOf(
  { credentials, profile, assumeRole }: AwsKmsOptions,
  region: string | undefined,
): Promise<KMSClientConfig['credentials']> {
  // A copy: the SDK writes into what it is given, and settings are frozen.
  const own = credentials === undefined ? undefined : { ...credentials };
  if (profile === undefined && assumeRole === undefined) return own;
  const { fromNodeProviderChain, fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
  const base = own ?? fromNodeProviderChain(profile === undefined ? {} : { profile });
  if (assumeRole === undefined) return base;
  const { roleArn, externalId, sessionName } = assumeRole;
  return fromTemporaryCredentials({
    masterCredentials: base,
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    ...(region === undefined ? {} : { clientConfig: { region } }),
  });
}
