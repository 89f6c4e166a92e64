/** What nearly every file starts with: a backend, a gateway in front of it, boto3. */
import { after } from 'node:test';

import { startBackend, type BackendName } from './backends.ts';
import { Gateway } from './gateway.ts';
import { S3Agent, type S3Client } from './s3-client.ts';
import { Workspace } from './workspace.ts';

/** A gateway and its clients. */
export interface Site {
  readonly workspace: Workspace;
  readonly gateway: Gateway;
  readonly agent: S3Agent;
  /** boto3 at the gateway. */
  readonly client: S3Client;
}

/** A workspace that ends with the file or the `describe` that it is made in. */
export function ownWorkspace(): Workspace {
  const workspace = new Workspace();
  after(async () => await workspace[Symbol.asyncDispose]());
  return workspace;
}

/** Starts a gateway in front of a fresh backend; `settings` are sections of its configuration file. */
export async function startSite(
  name: BackendName,
  workspace: Workspace,
  settings: Readonly<Record<string, object>> = {},
): Promise<Site> {
  const backend = await startBackend(name, workspace);
  const gateway = await Gateway.start({ workspace, backend, settings });
  const agent = await S3Agent.start(workspace);
  return { workspace, gateway, agent, client: agent.client(gateway.access) };
}
