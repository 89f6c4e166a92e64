/** nginx as a reverse proxy that changes the host, as the documentation shows it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Daemon } from './processes.ts';
import { systemProgram } from './tools.ts';
import { freePort, type Workspace } from './workspace.ts';

/** Where the proxy stands. */
export interface NginxOptions {
  /** Endpoint behind it. */
  readonly upstream: string;
  /** Address of this machine that its connections to the upstream come from, such as 127.0.0.2. */
  readonly from: string;
}

/** Starts nginx on a free port, which is given; it ends with the workspace. */
export async function startNginx(workspace: Workspace, { upstream, from }: NginxOptions): Promise<number> {
  const folder = await workspace.folder('nginx');
  const port = await freePort();
  await mkdir(join(folder, 'temporary'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path temporary/${name};`,
  );
  const lines = [
    'daemon off;',
    'master_process off;',
    'pid nginx.pid;',
    'error_log error.log;',
    'events { worker_connections 64; }',
    'http {',
    '  access_log off;',
    ...temporary,
    '  server {',
    `    listen 127.0.0.1:${port};`,
    '    client_max_body_size 0;',
    '    location / {',
    // Without a path behind it nginx passes the request line on as it came, which signatures need.
    `      proxy_pass ${upstream};`,
    `      proxy_bind ${from};`,
    '      proxy_http_version 1.1;',
    '      proxy_request_buffering off;',
    '      proxy_buffering off;',
    '      proxy_set_header Host $proxy_host;',
    '      proxy_set_header X-Forwarded-Host $http_host;',
    '    }',
    '  }',
    '}',
  ];
  await writeFile(join(folder, 'nginx.conf'), `${lines.join('\n')}\n`);
  const args = ['-p', `${folder}/`, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
  const command = { program: systemProgram('nginx'), args, cwd: folder, env: { PATH: '/usr/bin:/bin', HOME: folder } };
  workspace.use(await Daemon.start(command, async () => await answers(port)));
  return port;
}

async function answers(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(
    async (answer) => {
      await answer.arrayBuffer();
      return true;
    },
    () => false,
  );
}
