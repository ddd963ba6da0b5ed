// CORS at the front door, as a browser would ask (Fetch standard).

import assert from 'node:assert/strict';
import http from 'node:http';
import { request } from 'undici';
import { check, onNonet, startNonet } from './lib/node.mjs';

const listen = { http: 0 };

async function ask(server, method, target, headers = {}) {
  const url = `http://${server.ports.http}${target}`;
  const response = await request(url, { method, headers });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}

const preflight = (server, target, origin, method, asked = {}) =>
  ask(server, 'OPTIONS', target, {
    origin,
    'access-control-request-method': method,
    ...asked,
  });

const corsFields = (headers) =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => name.startsWith('access-control-') || name === 'vary',
    ),
  );
const asksVary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

const CONFIG = `
gateway:
  auth:
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}]}}
  routes:
    - match: {path: /shop}
      to: {respond: {body: shop}}
      auth: keys
      cors:
        origins: ["https://shop.example", "https://*.shop.example", "http://localhost:3000"]
        credentials: true
        expose: [X-Request-Id, ETag]
        max_age: 1h
    - match: {path: /any}
      to: {respond: {body: any}}
      cors: {origins: "*"}
    - match: {path: /item, method: GET}
      to: {respond: {body: read}}
      cors: {origins: "https://read.example"}
    - match: {path: /item, method: [POST, DELETE]}
      to: {respond: {body: written}}
      cors: {origins: "https://write.example", headers: [X-One, X-Two]}
    - match: {path: /versioned, method: PUT, headers: {X-Version: "2"}}
      to: {respond: {body: two}}
      cors: {origins: "https://shop.example", methods: [PUT]}
    - {match: {path: /none}, to: {respond: {body: none}}}
`;

onNonet('gateway: cors', { config: CONFIG, listen }, (it) => {
  it('a preflight is answered before anybody is asked who he is', async (t, server) => {
    const answer = await preflight(server, '/shop', 'https://shop.example', 'PATCH', {
      'access-control-request-headers': 'content-type, x-api-key',
    });
    assert.equal(answer.status, 204);
    assert.equal(answer.text, '');
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.deepEqual(corsFields(answer.headers), {
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'content-type, x-api-key',
      'access-control-max-age': '3600',
      vary: asksVary,
    });
  });

  it('a page that may not ask is told nothing', async (t, server) => {
    for (const origin of ['https://evil.example', 'http://shop.example', 'null', 'https://x']) {
      const answer = await preflight(server, '/shop', origin, 'PATCH');
      assert.equal(answer.status, 204);
      assert.deepEqual(corsFields(answer.headers), { vary: asksVary });
    }
  });

  it('the request itself goes on, whoever asks', async (t, server) => {
    const headers = { origin: 'https://evil.example', 'x-api-key': 'key-of-ann' };
    const answer = await ask(server, 'GET', '/shop', headers);
    assert.equal(answer.text, 'shop');
    assert.deepEqual(corsFields(answer.headers), { vary: 'Origin' });
  });

  it('answers tell the browser that the page may read them', async (t, server) => {
    for (const origin of [
      'https://shop.example',
      'https://a.b.shop.example',
      'http://localhost:3000',
    ]) {
      const headers = { origin, 'x-api-key': 'key-of-ann' };
      const answer = await ask(server, 'GET', '/shop', headers);
      assert.equal(answer.text, 'shop');
      assert.deepEqual(corsFields(answer.headers), {
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': 'X-Request-Id, ETag',
        vary: 'Origin',
      });
    }
  });

  it('refusals can be read, too', async (t, server) => {
    const answer = await ask(server, 'GET', '/shop', { origin: 'https://shop.example' });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example');
  });

  it('an answer without an origin depends on it all the same', async (t, server) => {
    const answer = await ask(server, 'GET', '/shop', { 'x-api-key': 'key-of-ann' });
    assert.deepEqual(corsFields(answer.headers), { vary: 'Origin' });
  });

  it('every origin', async (t, server) => {
    const answer = await ask(server, 'GET', '/any', { origin: 'null' });
    assert.deepEqual(corsFields(answer.headers), { 'access-control-allow-origin': '*' });
    const asked = await preflight(server, '/any', 'https://x.example', 'PUT');
    assert.equal(asked.headers['access-control-allow-origin'], '*');
    assert.equal(asked.headers['access-control-allow-credentials'], undefined);
    assert.equal(asked.headers['access-control-allow-headers'], undefined);
    assert.equal(asked.headers['access-control-max-age'], '600');
  });

  it('routes of one path answer the preflights of their own methods', async (t, server) => {
    const write = 'https://write.example';
    const read = 'https://read.example';
    for (const [origin, method, allowed] of [
      [read, 'GET', true],
      [read, 'HEAD', true],
      [read, 'POST', false],
      [write, 'POST', true],
      [write, 'DELETE', true],
      [write, 'GET', false],
    ]) {
      const answer = await preflight(server, '/item', origin, method);
      assert.equal(answer.status, 204);
      const said = answer.headers['access-control-allow-origin'];
      assert.equal(said, allowed ? origin : undefined, `${method} of ${origin}`);
    }
    const asked = await preflight(server, '/item', write, 'POST');
    assert.equal(asked.headers['access-control-allow-methods'], 'POST, DELETE');
    assert.equal(asked.headers['access-control-allow-headers'], 'X-One, X-Two');
    assert.equal((await preflight(server, '/item', write, 'PATCH')).status, 405);
  });

  it('a preflight needs none of the fields that choose the route', async (t, server) => {
    const answer = await preflight(server, '/versioned', 'https://shop.example', 'PUT', {
      'access-control-request-headers': 'x-version',
    });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-methods'], 'PUT');
  });

  it('an OPTIONS that is no preflight is a request like others', async (t, server) => {
    assert.equal((await ask(server, 'OPTIONS', '/item')).status, 405);
    const answer = await ask(server, 'OPTIONS', '/any', { origin: 'https://x.example' });
    assert.equal(answer.text, 'any');
  });

  it('what a page wants to send is said back only where it is names', async (t, server) => {
    const answer = await preflight(server, '/shop', 'https://shop.example', 'PUT', {
      'access-control-request-headers': 'x-good, not a name',
    });
    assert.equal(answer.headers['access-control-allow-headers'], undefined);
    assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example');
  });

  it('routes without cors say nothing of it', async (t, server) => {
    const answer = await ask(server, 'GET', '/none', { origin: 'https://shop.example' });
    assert.deepEqual(corsFields(answer.headers), {});
  });

  it('what is no origin is refused with the config', async (t, server) => {
    const route = (keys) => `gateway: {routes: [{to: {respond: {body: x}}, ${keys}}]}\n`;
    for (const origins of ['shop.example', 'https://shop.example/', 'https://*.*.example']) {
      assert.match(await server.reload(route(`cors: {origins: "${origins}"}`)), /refused/);
    }
    const credentials = route('cors: {origins: "*", credentials: true}');
    assert.match(await server.reload(credentials), /refused/);
  });
});

check('gateway: a service has no say in cors where the route has', async (t) => {
  const service = http.createServer((asked, response) => {
    response.writeHead(200, {
      'access-control-allow-origin': '*',
      'access-control-allow-credentials': 'true',
      vary: 'Accept',
    });
    response.end('x');
  });
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.after(() => service.close() && service.closeAllConnections());
  const to = `to: {http: "http://127.0.0.1:${service.address().port}"}`;
  const server = await startNonet(t, {
    listen,
    config: `
gateway:
  routes:
    - {match: {path: /said}, ${to}, cors: {origins: "https://shop.example"}}
    - {match: {path: /unsaid}, ${to}}
`,
  });
  const said = await ask(server, 'GET', '/said', { origin: 'https://shop.example' });
  assert.equal(said.headers['access-control-allow-origin'], 'https://shop.example');
  assert.equal(said.headers['access-control-allow-credentials'], undefined);
  assert.deepEqual([said.headers.vary].flat().join(', ').split(', ').sort(), ['Accept', 'Origin']);
  const evil = await ask(server, 'GET', '/said', { origin: 'https://evil.example' });
  assert.equal(evil.headers['access-control-allow-origin'], undefined);
  const unsaid = await ask(server, 'GET', '/unsaid', { origin: 'https://shop.example' });
  assert.equal(unsaid.headers['access-control-allow-origin'], '*');
});
