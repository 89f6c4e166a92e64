/** An HTTP proxy between client and gateway that changes the last byte of every answer's body. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

import { listen, type Workspace } from './workspace.ts';

/** Starts it in front of `target`; gives its own endpoint. It ends with the workspace. */
export async function startAlteringProxy(target: string, workspace: Workspace): Promise<string> {
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const forwarded = request({ hostname, port, method, path: url, headers, agent: false }, (answer) => {
      void passOn(answer, outgoing);
    });
    forwarded.on('error', (error) => outgoing.destroy(error));
    incoming.pipe(forwarded);
  });
  return await listen(server, workspace);
}

async function passOn(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const body = await buffer(answer);
  const last = body.at(-1);
  if (last !== undefined) body[body.length - 1] = last ^ 1;
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(body);
}
