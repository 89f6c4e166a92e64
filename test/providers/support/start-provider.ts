/** Where a provider is: one that the tests start, or one that the environment names. */
import { join } from 'node:path';

import { startServer, type S3Access } from '../../interop/support/backends.ts';
import { startMoto } from '../../interop/support/moto.ts';
import type { Workspace } from '../../interop/support/workspace.ts';
import { startCeph } from './ceph.ts';
import type { Provider, ProviderAccess } from './provider-file.ts';

/** What the configuration of a gateway in front of a provider says. */
export interface RunningProvider {
  readonly provider: Provider;
  /** The section under `backends`; made anew where the provider is the gateway's own store. */
  readonly section: (workspace: Workspace) => Promise<object>;
  readonly region: string;
  readonly bucketPrefix: string;
}

/** Starts a provider, or takes it as it is. */
export async function startProvider(
  provider: Provider,
  access: ProviderAccess | undefined,
  workspace: Workspace,
): Promise<RunningProvider> {
  const region = access?.region ?? provider.region ?? 'us-east-1';
  const about = { provider, region, bucketPrefix: access?.bucketPrefix ?? 's3eg-test' };
  if (provider.start === 'embedded') {
    return {
      ...about,
      section: async (place) => ({ type: 'filesystem', root: join(await place.folder('embedded'), 'objects') }),
    };
  }
  const { endpoint, accessKeyId, secretAccessKey } = access ?? (await serve(provider, workspace));
  const section = {
    type: 's3',
    endpoint,
    region,
    pathStyle: provider.pathStyle ?? true,
    credentials: { accessKeyId, secretAccessKey },
    quirks: provider.quirks,
  };
  return { ...about, section: async () => section };
}

async function serve({ name, start }: Provider, workspace: Workspace): Promise<S3Access> {
  if (start === 'minio') return (await startServer(start, workspace)).access;
  if (start === 'versitygw') return (await startServer(start, workspace, await versioning(workspace))).access;
  if (start === 'ceph') return await startCeph(workspace);
  if (start === 'moto') return await startMoto(workspace);
  throw new Error(`${name}: the tests do not know how to start it`);
}

/** versitygw keeps versions only where it has a folder for them. */
async function versioning(workspace: Workspace): Promise<Readonly<Record<string, string>>> {
  return { VGW_VERSIONING_DIR: await workspace.folder('versions') };
}
