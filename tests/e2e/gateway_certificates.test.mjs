// TLS at the front door: clients known by their certificates; issuers and services that are asked
// over https.

import assert from 'node:assert/strict';
import https from 'node:https';
import * as jose from 'jose';
import { Agent, request } from 'undici';
import { Certificates } from './lib/certificates.mjs';
import { check, onNonet, startNonet } from './lib/node.mjs';

const made = new Certificates();
made.authority('authority');
made.authority('stranger');
made.signed('server', 'authority', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
made.signed('billing', 'authority', 'subjectAltName=DNS:old.internal,DNS:billing.internal\n');
made.signed('ann', 'authority', 'subjectAltName=email:ann@example.org\n');
made.signed('nameless', 'authority', 'extendedKeyUsage=clientAuth\n');
made.signed('intruder', 'stranger', 'subjectAltName=DNS:billing.internal\n');

const ca = made.read('authority.pem');
const listen = { http: 0 };

// One connection after another, so that sessions are resumed where they can be.
function clientOf(t, name) {
  const agent = new Agent({
    connections: 1,
    keepAliveTimeout: 1,
    keepAliveMaxTimeout: 1,
    connect: { ca, ...(name && made.own(name)) },
  });
  t.after(() => agent.destroy());
  return agent;
}

async function ask(server, target, dispatcher) {
  const response = await request(`https://${server.ports.http}${target}`, { dispatcher });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}

const CONFIG = `
listen: {http: {tls: {cert: server.pem, key: server.key, ca: authority.pem, verify: true}}}
gateway:
  auth:
    anybody: {client_certificate: {}}
    billing: {client_certificate: {names: [Billing.internal, other.internal]}}
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}]}}
  routes:
    - match: {path: /anybody}
      to: {respond: {body: in}}
      auth: anybody
      limit: {per: key, rate: 1/h, burst: 2}
    - {match: {path: /billing}, to: {respond: {body: in}}, auth: billing}
    - {match: {path: /either}, to: {respond: {body: in}}, auth: [billing, keys]}
`;

onNonet(
  'gateway: certificates',
  { config: CONFIG, files: made.files('server', 'authority'), listen },
  (it) => {
    it('let in by any of their names', async (t, server) => {
      const billing = clientOf(t, 'billing');
      for (let n = 0; n < 5; n++) {
        assert.equal((await ask(server, '/billing', billing)).text, 'in');
      }
    });

    it('others are known, but may not', async (t, server) => {
      for (const name of ['ann', 'nameless']) {
        const answer = await ask(server, '/billing', clientOf(t, name));
        assert.equal(answer.status, 403);
        assert.equal(answer.headers['www-authenticate'], undefined);
      }
      assert.equal((await ask(server, '/either', clientOf(t, 'ann'))).status, 403);
    });

    it('where no names are asked for, all that verify, each for himself', async (t, server) => {
      for (const name of ['ann', 'nameless', 'billing']) {
        const client = clientOf(t, name);
        assert.equal((await ask(server, '/anybody', client)).status, 200);
        assert.equal((await ask(server, '/anybody', client)).status, 200);
        assert.equal((await ask(server, '/anybody', client)).status, 429);
      }
    });

    it('without one, or with one of a stranger, there is no connection', async (t, server) => {
      await assert.rejects(ask(server, '/anybody', clientOf(t, null)));
      await assert.rejects(ask(server, '/billing', clientOf(t, 'intruder')));
    });
  },
);

// ---- asking over https --------------------------------------------------------------------------

const pair = await jose.generateKeyPair('EdDSA');
const set = { keys: [{ ...(await jose.exportJWK(pair.publicKey)), kid: 'a' }] };
const token = await new jose.SignJWT({ sub: 'ann' })
  .setProtectedHeader({ alg: 'EdDSA', kid: 'a' })
  .setExpirationTime('5m')
  .sign(pair.privateKey);

// Answers with the keys, and lets everybody pass. Trusted by who trusts SSL_CERT_FILE.
async function serveKeys(t, host) {
  const server = https.createServer(made.own('server'), (asked, response) =>
    response.end(JSON.stringify(set)),
  );
  const address = host === 'localhost' ? '127.0.0.1' : host;
  await new Promise((resolve) => server.listen(0, address, resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server.address().port;
}

async function judged(t, host, authority, own = null) {
  const port = await serveKeys(t, host);
  const configOf = (own) => `
gateway:
  auth:
    issuer: {jwt: {jwks_url: "https://${host}:${port}/keys"${own ? `, ca: ${own}.pem` : ''}}}
    asked: {forward: {url: "https://${host}:${port}/"${own ? `, ca: ${own}.pem` : ''}}}
  routes:
    - {match: {path: /issuer}, to: {respond: {body: in}}, auth: issuer}
    - {match: {path: /asked}, to: {respond: {body: in}}, auth: asked}
`;
  const env = { SSL_CERT_FILE: made.file(`${authority}.pem`) };
  const files = made.files('authority', 'stranger');
  const server = await startNonet(t, { config: configOf(own), files, listen, env });
  const status = async (target) => {
    const url = `http://${server.ports.http}${target}`;
    const response = await request(url, { headers: { authorization: `Bearer ${token}` } });
    await response.body.dump();
    return response.statusCode;
  };
  const judge = async () => [await status('/issuer'), await status('/asked')];
  const reload = (own) => server.reload(configOf(own));
  return { judge, reload };
}

check('gateway: keys and decisions come from who has the right certificate', async (t) => {
  const judge = async (...args) => (await judged(t, ...args)).judge();
  assert.deepEqual(await judge('localhost', 'authority'), [200, 200]);
  assert.deepEqual(await judge('127.0.0.1', 'authority'), [200, 200]);
  assert.deepEqual(await judge('127.0.0.2', 'authority'), [503, 503]); // not its name
  assert.deepEqual(await judge('localhost', 'stranger'), [503, 503]);
});

check('gateway: whose certificates are right may be said for each of them', async (t) => {
  const { judge, reload } = await judged(t, 'localhost', 'stranger', 'authority');
  assert.deepEqual(await judge(), [200, 200]);
  assert.match(await reload('stranger'), /reloaded/);
  assert.deepEqual(await judge(), [503, 503]); // not by connections and keys of before
  assert.match(await reload('authority'), /reloaded/);
  assert.deepEqual(await judge(), [200, 200]);
  assert.match(await reload('nowhere'), /refused/);
});
