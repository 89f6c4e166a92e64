import type { KeyAudit } from '../audit/key-audit.ts';
import type { Settings } from '../config/settings.ts';
import { openSegmentPool } from '../crypto/pool/open-pool.ts';
import type { HttpServerOptions } from '../http/server.ts';
import { trustedPeers } from '../http/trusted-peers.ts';
import { DataKeys } from '../keys/data-keys.ts';
import type { KeyEvents } from '../keys/key-events.ts';
import { CorsConfigurations } from '../operations/cors.ts';
import { EnvelopesBeside } from '../operations/envelope-beside.ts';
import type { Gateway } from '../operations/gateway.ts';
import { KnownParts } from '../operations/known-parts.ts';
import { LayoutCache } from '../operations/layout-cache.ts';
import { FirstPartSizes } from '../operations/part-placement.ts';
import { createS3Handler } from '../operations/pipeline.ts';
import { registerCryptoMetrics } from '../telemetry/crypto-metrics.ts';
import { registerKeyMetrics } from '../telemetry/key-metrics.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { recoveryOf } from './keys.ts';
import { errorsTo } from './observation.ts';
import type { OpenedParts } from './parts.ts';
import { rotationOf } from './rotations.ts';

/** What serves S3 over the parts, as a listener takes it; what is opened for it goes onto `opened`. */
export function s3ServiceOf(settings: Settings, parts: OpenedParts): Omit<HttpServerOptions, 'host' | 'port'> {
  const { opened, telemetry, audit, registry, budget, providers } = parts;
  const dataKeys = new DataKeys(providers, settings.dataKeyCache, {
    metrics: keyEvents(telemetry, audit),
    ...recoveryOf(settings),
  });
  opened.defer(() => dataKeys.close());
  opened.use(registerProcessMetrics(registry, budget));
  registerKeyMetrics(registry, dataKeys);
  const segmentPool = openSegmentPool(settings.crypto.threads, {
    bytesPerSecond: parts.crypto.bytesPerSecond[parts.crypto.suite],
    onThreadFailed: (error) => telemetry.logger.error('a crypto thread failed', { reason: error.message }),
  });
  opened.use(segmentPool);
  registerCryptoMetrics(registry, segmentPool);
  const handler = createS3Handler(gatewayOf(settings, { ...parts, dataKeys, segmentPool }));
  const { drainTimeoutMs, tls } = settings.listen;
  return { drainTimeoutMs, ...(tls === undefined ? {} : { tls }), handler, onError: errorsTo(telemetry), budget };
}

function keyEvents(telemetry: Telemetry, audit: KeyAudit): KeyEvents {
  return {
    wrap: (event) => telemetry.keyOperation({ ...event, operation: 'wrap' }),
    unwrap: (event) => telemetry.keyOperation({ ...event, operation: 'unwrap' }),
    cacheHit: ({ offline, ...event }) => telemetry.keyCacheLookup({ ...event, outcome: offline ? 'offline' : 'hit' }),
    cacheMiss: (event) => telemetry.keyCacheLookup({ ...event, outcome: 'miss' }),
    read: (event) => telemetry.keyRead(event),
    rotated: (event) => {
      telemetry.keyRotationSeen(rotationOf(event));
      void audit.takenUp(event);
    },
  };
}

function gatewayOf(
  settings: Settings,
  parts: Pick<Gateway, 'backends' | 'policies' | 'dataKeys' | 'segmentPool' | 'canaries' | 'telemetry'>,
): Gateway {
  const { multipart, listen } = settings;
  return {
    ...parts,
    accessKeys: new Map(settings.credentials.map((credential) => [credential.accessKeyId, credential])),
    layouts: new LayoutCache(),
    envelopesBeside: new EnvelopesBeside(),
    knownParts: new KnownParts(),
    firstPartSizes: new FirstPartSizes(),
    cors: new CorsConfigurations(),
    reservedPrefix: multipart.prefix,
    ...(multipart.bucket === undefined ? {} : { ledgerBucket: multipart.bucket }),
    publicHosts: listen.publicHosts,
    trustsProxy: trustedPeers(listen.trustedProxies),
  };
}
