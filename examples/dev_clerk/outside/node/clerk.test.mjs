// A server whose users sign in with Clerk, and its tests against the dev Clerk:
//   node --test clerk.test.mjs     with dev-clerk in the PATH, or where DEV_CLERK says
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { createClerkClient } from '@clerk/backend';
import { verifyWebhook } from '@clerk/backend/webhooks';

let clerk, devClerk, folder, server, url;
const events = new EventEmitter();

// The server under test: GET returns the user's id, POST receives webhooks.
async function answer({ method, url, headers }, body) {
  const request = new Request(new URL(url, 'http://localhost'), { method, headers, body });
  if (method === 'POST') {
    const event = await verifyWebhook(request);
    events.emit(event.type, event.data);
    return [204];
  }
  const state = await clerk.authenticateRequest(request);
  return state.isAuthenticated ? [200, state.toAuth().userId] : [401, state.reason];
}

before(async () => {
  server = createServer(async (request, response) => {
    const body = (await text(request)) || undefined;
    const [status, told] = await answer(request, body).catch(() => [400]);
    response.writeHead(status).end(told);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${server.address().port}/`;

  folder = await mkdtemp(join(tmpdir(), 'dev-clerk-'));
  const options = ['--port', '0', '--file', join(folder, 'users.json'), '--webhook-url', url];
  const program = process.env.DEV_CLERK ?? 'dev-clerk';
  devClerk = spawn(program, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(devClerk, 'spawn');
  // Its standard output ends when it is ready.
  for (const [, name, value] of (await text(devClerk.stdout)).matchAll(/^export (\w+)=(.*)$/gm)) {
    process.env[name] = value;
  }
  clerk = createClerkClient({
    apiUrl: process.env.CLERK_API_URL,
    publishableKey: process.env.CLERK_PUBLISHABLE_KEY,
    secretKey: process.env.CLERK_SECRET_KEY,
    telemetry: { disabled: true },
  });
});

after(async () => {
  devClerk.kill();
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

const ask = (token) => fetch(url, { headers: { authorization: `Bearer ${token}` } });

test('the server is told of new, changed and deleted users', async () => {
  const [created, updated, deleted] = ['created', 'updated', 'deleted'].map((change) =>
    once(events, `user.${change}`, { signal: AbortSignal.timeout(10_000) }),
  );
  const { id } = await clerk.users.createUser({ emailAddress: ['bob@example.com'] });
  assert.equal((await created)[0].email_addresses[0].email_address, 'bob@example.com');
  await clerk.users.updateUserMetadata(id, { publicMetadata: { plan: 'pro' } });
  assert.equal((await updated)[0].public_metadata.plan, 'pro');
  await clerk.users.deleteUser(id);
  assert.equal((await deleted)[0].id, id);
  assert.equal(await clerk.users.getCount({ emailAddress: ['bob@example.com'] }), 0);

  // A webhook that the dev Clerk did not sign.
  assert.equal((await fetch(url, { method: 'POST', body: '{"type":"user.deleted"}' })).status, 400);
});

test('a user who is signed in is known, and nobody else', async () => {
  const user = await clerk.users.createUser({ emailAddress: ['ada@example.com'] });
  const signIn = async () => {
    const session = await clerk.sessions.createSession({ userId: user.id });
    return (await clerk.sessions.getToken(session.id)).jwt;
  };
  const [token, other] = [await signIn(), await signIn()];
  assert.equal(await (await ask(token)).text(), user.id);

  // The claims of one token with the signature of another.
  const forged = token.replace(/[^.]+$/, other.split('.')[2]);
  const refused = await ask(forged);
  assert.deepEqual([refused.status, await refused.text()], [401, 'token-invalid-signature']);
});
