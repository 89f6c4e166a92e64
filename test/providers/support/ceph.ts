/** Ceph's S3 gateway over a cluster of one monitor, one manager and one store in memory, for as long as the tests run. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { S3Access } from '../../interop/support/backends.ts';
import { Daemon, runOk } from '../../interop/support/processes.ts';
import { systemProgram } from '../../interop/support/tools.ts';
import { freePort, type Workspace } from '../../interop/support/workspace.ts';

/** A command of Ceph with the cluster's configuration. */
class Cluster {
  readonly folder: string;
  readonly #workspace: Workspace;

  constructor(folder: string, workspace: Workspace) {
    this.folder = folder;
    this.#workspace = workspace;
  }

  async run(name: string, ...args: readonly string[]): Promise<void> {
    await runOk(this.#command(name, args));
  }

  async serve(name: string, args: readonly string[], isReady: () => boolean | Promise<boolean>): Promise<void> {
    this.#workspace.use(await Daemon.start(this.#command(name, ['-f', ...args]), isReady, 120_000));
  }

  #command(name: string, args: readonly string[]) {
    const env = { PATH: '/usr/bin:/bin', HOME: this.folder, CEPH_CONF: join(this.folder, 'ceph.conf') };
    return { program: systemProgram(name), args, cwd: this.folder, env };
  }
}

function configuration(folder: string, id: string, monitorPort: number, s3Port: number): string {
  return `[global]
fsid = ${id}
mon_host = [v2:127.0.0.1:${monitorPort}]
mon_initial_members = a
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
keyring = ${folder}/keyring
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
log_file = ${folder}/run/$name.log
mon_cluster_log_file = ${folder}/run/cluster.log
crash_dir = ${folder}/run
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_crit = 1
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_data = ${folder}/osd
mon_data = ${folder}/mon
mgr_data = ${folder}/mgr
rgw_data = ${folder}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${s3Port}
rgw_thread_pool_size = 32
`;
}

const all = (service: string): readonly string[] => ['--cap', service, 'allow *'];

/** Keys of the daemons, in one file: all are this process's. */
async function makeKeys(cluster: Cluster): Promise<void> {
  const entities: readonly (readonly [string, readonly string[]])[] = [
    ['mon.', ['mon']],
    ['client.admin', ['mon', 'osd', 'mgr']],
    ['mgr.x', ['mon', 'osd']],
    ['osd.0', ['mon', 'osd', 'mgr']],
    ['client.rgw', ['mon', 'osd']],
  ];
  const keyring = join(cluster.folder, 'keyring');
  await cluster.run('ceph-authtool', '--create-keyring', keyring);
  for (const [name, services] of entities) {
    await cluster.run('ceph-authtool', keyring, '--gen-key', '-n', name, ...services.flatMap(all));
  }
}

/** Starts a cluster; it takes half a minute. */
export async function startCeph(workspace: Workspace): Promise<S3Access> {
  const folder = await workspace.folder('ceph');
  for (const name of ['mon', 'mgr', 'osd', 'rgw', 'run']) await mkdir(join(folder, name));
  const [id, monitorPort, s3Port] = [randomUUID(), await freePort(), await freePort()];
  await writeFile(join(folder, 'ceph.conf'), configuration(folder, id, monitorPort, s3Port));
  const cluster = new Cluster(folder, workspace);
  await makeKeys(cluster);
  const map = join(folder, 'monmap');
  await cluster.run('monmaptool', '--create', '--fsid', id, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, map);
  const keyring = join(folder, 'keyring');
  await cluster.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring);
  await cluster.serve('ceph-mon', ['-i', 'a'], () => true);
  await cluster.run('ceph', 'auth', 'import', '-i', keyring);
  await cluster.serve('ceph-mgr', ['-i', 'x'], () => true);
  const store = randomUUID();
  await cluster.run('ceph', 'osd', 'new', store);
  await cluster.run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', store);
  await cluster.serve('ceph-osd', ['-i', '0'], () => true);
  return await serveS3(cluster, s3Port);
}

async function serveS3(cluster: Cluster, port: number): Promise<S3Access> {
  const endpoint = `http://127.0.0.1:${port}`;
  const [accessKeyId, secretAccessKey] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
  const user = ['user', 'create', '--uid=tests', '--display-name=tests'];
  await cluster.run('radosgw-admin', ...user, `--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`);
  await cluster.serve('radosgw', ['-n', 'client.rgw'], async () => {
    try {
      const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2000) });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  });
  return { endpoint, accessKeyId, secretAccessKey };
}
