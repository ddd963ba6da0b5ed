// Who may come in at the front door: API keys, user and password, tokens, another service, and what
// is said where none of them lets a request in. Certificates are in gateway_certificates.test.mjs.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import * as jose from 'jose';
import { Agent, request } from 'undici';
import { onNonet, startNonet, check, until } from './lib/node.mjs';

const listen = { http: 0 };

async function ask(server, target, headers = {}, options = {}) {
  const url = `http://${server.ports.http}${target}`;
  const response = await request(url, { headers, ...options });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}
const status = async (...args) => (await ask(...args)).status;
const challenges = (answer) => [answer.headers['www-authenticate'] ?? []].flat();
const basic = (user, password) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const digest = (text) => crypto.createHash('sha256').update(text).digest('hex');

// A server that answers with HANDLE(request, response), on PORT or a free one, until T ends.
async function serve(t, handle, port = 0) {
  const server = http.createServer(handle);
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  t.after(close);
  return { port: server.address().port, close };
}

// ---- API keys -----------------------------------------------------------------------------------

const KEYS = `
gateway:
  auth:
    keys:
      api_keys:
        query: api_key
        keys:
          - {name: ann, key: "key-of-ann"}
          - {name: bob, key: "sha256:${digest('key-of-bob')}"}
    bearers: {api_keys: {header: Authorization, keys: [{name: eve, key: "key-of-eve"}]}}
  routes:
    - {match: {path: /keys}, to: {respond: {body: in}}, auth: keys}
    - {match: {path: /bearers}, to: {respond: {body: in}}, auth: bearers}
    - {match: {path: /both}, to: {respond: {body: in}}, auth: [keys, bearers]}
    - {match: {path: /none}, to: {respond: {body: in}}, auth: none}
`;

onNonet('gateway: API keys', { config: KEYS, listen }, (it) => {
  it('let in who sends one, plain or hashed in the config', async (t, server) => {
    assert.equal(await status(server, '/keys', { 'x-api-key': 'key-of-ann' }), 200);
    assert.equal(await status(server, '/keys', { 'x-api-key': 'key-of-bob' }), 200);
    assert.equal(await status(server, '/keys?api_key=key-of-ann'), 200);
    assert.equal(await status(server, '/keys?api_key=key%2Dof-ann'), 200);
    assert.equal(await status(server, '/bearers', bearer('key-of-eve')), 200);
    assert.equal(await status(server, '/none'), 200);
  });

  it('nobody else', async (t, server) => {
    const sent = await ask(server, '/keys', { 'x-api-key': 'key-of-joe' });
    assert.equal(sent.status, 401);
    assert.equal(sent.headers['content-type'], 'application/problem+json');
    assert.deepEqual(challenges(sent), ['ApiKey realm="gateway", header="X-API-Key"']);
    assert.equal(JSON.parse(sent.text).detail, 'the key is not known');
    assert.equal(await status(server, '/keys'), 401);
    assert.equal(await status(server, '/keys', { 'x-api-key': '' }), 401);
    assert.equal(
      await status(server, '/keys', { 'x-api-key': `sha256:${digest('key-of-bob')}` }),
      401,
    );
    assert.equal(await status(server, '/keys?api_key=key-of-joe'), 401);
    assert.equal(await status(server, '/keys?other=key-of-ann'), 401);
    assert.equal(await status(server, '/bearers', { 'x-api-key': 'key-of-eve' }), 401);
    assert.equal(await status(server, '/bearers', basic('eve', 'key-of-eve')), 401);
  });

  it('sent twice are not believed', async (t, server) => {
    const twice = { 'x-api-key': ['key-of-ann', 'key-of-ann'] };
    assert.equal(await status(server, '/keys', twice), 401);
  });

  it('any way of a route lets in, and each one is told of', async (t, server) => {
    assert.equal(await status(server, '/both', { 'x-api-key': 'key-of-ann' }), 200);
    assert.equal(await status(server, '/both', bearer('key-of-eve')), 200);
    const wrong = { 'x-api-key': 'wrong', ...bearer('key-of-eve') };
    assert.equal(await status(server, '/both', wrong), 200);
    assert.deepEqual(challenges(await ask(server, '/both')), [
      'ApiKey realm="gateway", header="X-API-Key"',
      'Bearer realm="gateway"',
    ]);
  });
});

// ---- user and password --------------------------------------------------------------------------

// bcrypt of "hidden" at cost 11: a hundred milliseconds or more
const BCRYPT = '$2b$11$abcdefghijklmnopqrstuuKvFUuu7xtBBcDgvYEHU47vBuq6zOx/6';

const users = (plain, slow = BCRYPT) => `
auth:
  users:
    - {user: ann, password: ${plain}}
    - {user: bob, password: "${slow}"}
    - {user: nat, password: x}
gateway:
  auth:
    staff: {basic: {realm: the "back" office}}
  routes:
    - {match: {path: /staff}, to: {respond: {body: in}}, auth: staff}
`;

onNonet('gateway: user and password', { config: users('secret'), listen }, (it) => {
  it('let in who knows them, in plain text and bcrypt', async (t, server) => {
    assert.equal(await status(server, '/staff', basic('ann', 'secret')), 200);
    assert.equal(await status(server, '/staff', basic('bob', 'hidden')), 200);
    assert.equal(await status(server, '/staff', { authorization: 'bAsIc YW5uOnNlY3JldA==' }), 200);
  });

  it('nobody else', async (t, server) => {
    const refused = await ask(server, '/staff', basic('ann', 'hidden'));
    assert.equal(refused.status, 401);
    assert.deepEqual(challenges(refused), [
      'Basic realm="the \\"back\\" office", charset="UTF-8"',
    ]);
    for (const headers of [
      {},
      basic('', ''),
      basic('joe', 'secret'),
      basic('bob', 'secret'),
      basic('ann', ''),
      basic('ann', 'secret\u0000'),
      basic('x'.repeat(2000), 'secret'),
      { authorization: 'Basic' },
      { authorization: 'Basic !!!!' },
      { authorization: 'Basic YW5u' }, // "ann", no colon
      bearer('YW5uOnNlY3JldA=='),
    ]) {
      assert.equal(await status(server, '/staff', headers), 401, JSON.stringify(headers));
    }
  });

  it('a password that was good is not computed again for each request', async (t, server) => {
    const agent = new Agent({ connections: 16, pipelining: 1 });
    t.after(() => agent.close());
    const from = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 400 }, () =>
        status(server, '/staff', basic('bob', 'hidden'), { dispatcher: agent }),
      ),
    );
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.ok(performance.now() - from < 10_000, '400 bcrypts would take 40 s');
  });

  it('a flood of wrong passwords is turned away, and known users pass', async (t, server) => {
    const agent = new Agent({ connections: 100, pipelining: 1 });
    t.after(() => agent.destroy());
    const over = { dispatcher: agent };
    assert.equal(await status(server, '/staff', basic('bob', 'hidden'), over), 200);
    const flood = Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const answer = await ask(server, '/staff', basic('bob', `wrong ${n}`), over);
        if (answer.status === 503) assert.equal(answer.headers['retry-after'], '1');
        return answer.status;
      }),
    );
    const seen = await flood;
    assert.ok(seen.includes(503), 'the line in front of the worker is short');
    assert.deepEqual(new Set(seen), new Set([401, 503]));
    for (let n = 0; n < 50; n++) {
      assert.equal(await status(server, '/staff', basic('bob', 'hidden'), over), 200);
    }
  });

  it('a reload takes effect at once, also for who is known', async (t, server) => {
    assert.equal(await status(server, '/staff', basic('bob', 'hidden')), 200);
    assert.match(await server.reload(users('changed')), /reloaded/);
    assert.equal(await status(server, '/staff', basic('ann', 'secret')), 401);
    assert.equal(await status(server, '/staff', basic('ann', 'changed')), 200);
    assert.equal(await status(server, '/staff', basic('bob', 'hidden')), 200);
    assert.match(await server.reload(users('changed', 'plain')), /reloaded/);
    assert.equal(await status(server, '/staff', basic('bob', 'hidden')), 401);
    assert.equal(await status(server, '/staff', basic('bob', 'plain')), 200);
  });
});

// ---- tokens -------------------------------------------------------------------------------------

const SECRET = 'a secret that is shared and long enough for HS256';
const pairs = {};
for (const alg of ['RS256', 'ES256', 'EdDSA', 'PS256', 'ES384']) {
  pairs[alg] = await jose.generateKeyPair(alg);
}
const pem = (alg) => jose.exportSPKI(pairs[alg].publicKey);
const jwk = async (alg, kid, more = {}) => ({
  ...(await jose.exportJWK(pairs[alg].publicKey)),
  kid,
  ...more,
});

const token = (key, header, claims = {}, times = {}) => {
  const made = new jose.SignJWT({ sub: 'ann', ...claims }).setProtectedHeader(header);
  if (times.exp !== null) made.setExpirationTime(times.exp ?? '5m');
  if (times.nbf) made.setNotBefore(times.nbf);
  if (times.iat) made.setIssuedAt(times.iat);
  return made.sign(key);
};
const signed = (alg, kid, claims, times) =>
  token(pairs[alg].privateKey, kid ? { alg, kid } : { alg }, claims, times);
const shared = (claims, times, alg = 'HS256', secret = SECRET) =>
  token(new TextEncoder().encode(secret), { alg }, claims, times);

const tokens = (more = '') => `
gateway:
  auth:
    shared: {jwt: {secret: "${SECRET}"}}
    picky:
      jwt:
        secret: "${SECRET}"
        issuer: https://login.example
        audience: [api.example, other.example]
        claims: {realm_access.roles: admin}
        subject: email
        leeway: 10s
        cookie: session
    rsa: {jwt: {public_key: rsa.pem}}
    set: {jwt: {jwks_file: keys.json}}
    own: {jwt: {secret: "${SECRET}", header: X-Token}}
  routes:
    - {match: {path: /shared}, to: {respond: {body: in}}, auth: shared}
    - {match: {path: /picky}, to: {respond: {body: in}}, auth: picky}
    - {match: {path: /rsa}, to: {respond: {body: in}}, auth: rsa}
    - {match: {path: /set}, to: {respond: {body: in}}, auth: set}
    - {match: {path: /own}, to: {respond: {body: in}}, auth: own}
    ${more}
`;
const tokenFiles = {
  'rsa.pem': await pem('RS256'),
  'keys.json': JSON.stringify({
    keys: [
      await jwk('RS256', 'r', { alg: 'RS256', use: 'sig' }),
      await jwk('ES256', 'e'),
      await jwk('EdDSA', 'd'),
      await jwk('ES384', 'odd'),
      { kty: 'unheard-of', kid: 'x' },
    ],
  }),
};

onNonet('gateway: tokens', { config: tokens(), files: tokenFiles, listen }, (it) => {
  it('of a shared secret, of a public key, of a set of keys', async (t, server) => {
    assert.equal(await status(server, '/shared', bearer(await shared())), 200);
    assert.equal(await status(server, '/rsa', bearer(await signed('RS256'))), 200);
    assert.equal(await status(server, '/set', bearer(await signed('RS256', 'r'))), 200);
    assert.equal(await status(server, '/set', bearer(await signed('ES256', 'e'))), 200);
    assert.equal(await status(server, '/set', bearer(await signed('EdDSA', 'd'))), 200);
    assert.equal(await status(server, '/own', { 'x-token': await shared() }), 200);
    for (let n = 0; n < 50; n++) {
      const { privateKey } = pairs.ES256;
      const one = await token(privateKey, { alg: 'ES256', kid: 'e' }, { n: n % 5 });
      assert.equal(await status(server, '/set', bearer(one)), 200);
      assert.equal(await status(server, '/set', bearer(one)), 200);
    }
  });

  it('without one there is a challenge, with a bad one a reason', async (t, server) => {
    const without = await ask(server, '/shared');
    assert.equal(without.status, 401);
    assert.deepEqual(challenges(without), ['Bearer realm="gateway"']);
    const expired = await ask(server, '/shared', bearer(await shared({}, { exp: '-5m' })));
    assert.equal(expired.status, 401);
    assert.deepEqual(challenges(expired), [
      'Bearer realm="gateway", error="invalid_token", error_description="the token expired"',
    ]);
    assert.equal(JSON.parse(expired.text).detail, 'the token expired');
  });

  it('forged, malformed and misused ones are refused', async (t, server) => {
    const good = await shared();
    const [header, claims, signature] = good.split('.');
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const none = `${encode({ alg: 'none' })}.${claims}.`;
    const rsaAsSecret = await token(
      new TextEncoder().encode(tokenFiles['rsa.pem']),
      { alg: 'HS256' },
    );
    for (const [target, bad] of [
      ['/shared', 'x'],
      ['/shared', `${header}.${claims}`],
      ['/shared', `${header}.${claims}.`],
      ['/shared', `${header}.${encode({ sub: 'root', exp: 9e9 })}.${signature}`],
      ['/shared', `${good}x`],
      ['/shared', none],
      ['/shared', await shared({}, {}, 'HS256', `${SECRET} not`)],
      ['/shared', await shared({}, {}, 'HS512', SECRET.repeat(2))],
      ['/shared', await shared({}, { exp: null })],
      ['/shared', await shared({}, { nbf: '5m' })],
      ['/shared', await signed('RS256')],
      ['/rsa', rsaAsSecret],
      ['/rsa', await signed('PS256')],
      ['/rsa', good],
      ['/set', await signed('RS256', 'e')],
      ['/set', await signed('ES256', 'unknown')],
      ['/set', await signed('ES384', 'odd')], // not among the usual algorithms
    ]) {
      assert.equal(await status(server, target, bearer(bad)), 401, `${target} ${bad}`);
    }
    assert.equal(await status(server, '/shared', { authorization: good }), 401);
    const twice = { authorization: [`Bearer ${good}`, `Bearer ${good}`] };
    assert.equal(await status(server, '/shared', twice), 401);
    assert.equal(await status(server, '/own', bearer(good)), 401);
  });

  const admin = {
    iss: 'https://login.example',
    aud: 'api.example',
    email: 'ann@example.org',
    realm_access: { roles: ['user', 'admin'] },
  };

  it('are held against issuer, audience, claims and clock', async (t, server) => {
    const judged = async (claims, times) =>
      status(server, '/picky', bearer(await shared({ ...admin, ...claims }, times)));
    assert.equal(await judged({}), 200);
    assert.equal(await judged({ aud: ['x', 'other.example'] }), 200);
    assert.equal(await judged({}, { exp: '-5s' }), 200); // the leeway
    assert.equal(await judged({}, { exp: '-15s' }), 401);
    assert.equal(await judged({}, { nbf: '5s' }), 200);
    assert.equal(await judged({}, { nbf: '20s' }), 401);
    assert.equal(await judged({ iss: 'https://evil.example' }), 401);
    assert.equal(await judged({ iss: undefined }), 401);
    assert.equal(await judged({ aud: 'evil.example' }), 401);
    assert.equal(await judged({ aud: undefined }), 401);
  });

  it('that are genuine but not enough get 403', async (t, server) => {
    const user = { ...admin, realm_access: { roles: ['user'] } };
    const answer = await ask(server, '/picky', bearer(await shared(user)));
    assert.equal(answer.status, 403);
    assert.deepEqual(challenges(answer), ['Bearer error="insufficient_scope"']);
  });

  it('may come in a cookie', async (t, server) => {
    const good = await shared(admin);
    assert.equal(await status(server, '/picky', { cookie: `a=b; session=${good}; c=d` }), 200);
    assert.equal(await status(server, '/picky', { cookie: `session="${good}"` }), 200);
    assert.equal(await status(server, '/picky', { cookie: `sessions=${good}` }), 401);
    assert.equal(await status(server, '/shared', { cookie: `session=${good}` }), 401);
    const basics = { ...basic('a', 'b'), cookie: `session=${good}` };
    assert.equal(await status(server, '/picky', basics), 200);
  });

  it('of one way are not taken by another, though they are known', async (t, server) => {
    const plain = await shared();
    assert.equal(await status(server, '/shared', bearer(plain)), 200);
    assert.equal(await status(server, '/picky', bearer(plain)), 401);
    assert.equal(await status(server, '/shared', bearer(plain)), 200);
  });

  it('known ones are forgotten when they expire', async (t, server) => {
    const short = await shared({}, { exp: Math.floor(Date.now() / 1000) - 28 }); // 30 s of leeway
    assert.equal(await status(server, '/shared', bearer(short)), 200);
    await until(async () => (await status(server, '/shared', bearer(short))) === 401, 'its end');
  });

  it('a reload with another key refuses those of the old one', async (t, server) => {
    const old = await signed('RS256');
    assert.equal(await status(server, '/rsa', bearer(old)), 200);
    const other = await jose.generateKeyPair('RS256');
    server.options.files['rsa.pem'] = await jose.exportSPKI(other.publicKey);
    assert.match(await server.reload(tokens()), /reloaded/);
    assert.equal(await status(server, '/rsa', bearer(old)), 401);
    const fresh = await token(other.privateKey, { alg: 'RS256' });
    assert.equal(await status(server, '/rsa', bearer(fresh)), 200);
  });

  it('a bad file refuses the reload, and the old keys go on', async (t, server) => {
    const set = server.options.files['keys.json'];
    for (const bad of ['{', '{"keys": []}', '']) {
      server.options.files['keys.json'] = bad;
      assert.match(await server.reload(tokens()), /refused/);
    }
    server.options.files['keys.json'] = set;
    assert.equal(await status(server, '/set', bearer(await signed('ES256', 'e'))), 200);
  });
});

// ---- keys from a URL ----------------------------------------------------------------------------

// An issuer whose keys can be changed, who can be slow, fail, die and come back.
class Issuer {
  static async start(t, port = 0) {
    const issuer = new Issuer();
    issuer.t = t;
    issuer.generations = 0;
    await issuer.rotate();
    await issuer.rise(port);
    return issuer;
  }

  constructor() {
    Object.assign(this, { fetches: 0, status: 200, hold: null, headers: {} });
  }

  // A new key in the place of the old one.
  async rotate() {
    this.kid = `key-${++this.generations}`;
    this.pair = await jose.generateKeyPair('ES256');
    const key = { ...(await jose.exportJWK(this.pair.publicKey)), kid: this.kid, use: 'sig' };
    this.set = JSON.stringify({ keys: [key] });
  }

  async rise(port = this.server.port) {
    this.server = await serve(
      this.t,
      async (asked, response) => {
        this.fetches++;
        await this.hold;
        response.writeHead(this.status, { 'content-type': 'application/json', ...this.headers });
        response.end(this.set);
      },
      port,
    );
  }

  die() {
    return this.server.close();
  }

  get url() {
    return `http://127.0.0.1:${this.server.port}/keys`;
  }

  token(claims = {}, kid = this.kid) {
    return token(this.pair.privateKey, { alg: 'ES256', kid }, claims);
  }
}

const fetched = (url, path = '/api') => `
gateway:
  auth: {issuer: {jwt: {jwks_url: "${url}"}}}
  routes: [{match: {path: ${path}}, to: {respond: {body: in}}, auth: issuer}]
`;

// Many requests at once, over connections that fall to all shards.
async function crowd(server, count, headers, target = '/api') {
  const agent = new Agent({ connections: 16, pipelining: 1 });
  const seen = await Promise.all(
    Array.from({ length: count }, () => status(server, target, headers, { dispatcher: agent })),
  );
  await agent.close();
  return seen;
}
const all = (seen, expected) => assert.deepEqual(new Set(seen), new Set([expected]));

check('gateway: keys of an issuer, rotated, gone, back', async (t) => {
  const issuer = await Issuer.start(t);
  const server = await startNonet(t, { config: fetched(issuer.url), listen });
  all(await crowd(server, 100, bearer(await issuer.token())), 200);
  assert.equal(issuer.fetches, 1, 'one fetch for all shards');

  // a token with a new key is good at once, on every shard
  await issuer.rotate();
  all(await crowd(server, 100, bearer(await issuer.token())), 200);
  assert.equal(issuer.fetches, 2);

  // strangers' kids ask for few fetches, and are refused
  const strange = Array.from({ length: 60 }, (_, n) => issuer.token({}, `strange-${n}`));
  for (const one of await Promise.all(strange)) {
    assert.equal(await status(server, '/api', bearer(one)), 401);
  }
  assert.ok(issuer.fetches <= 5, `${issuer.fetches} fetches`);

  // a dead issuer's keys stay good, over a reload too
  await issuer.die();
  assert.match(await server.reload(fetched(issuer.url)), /reloaded/);
  all(await crowd(server, 50, bearer(await issuer.token({ n: 2 }))), 200);

  // back with another key
  await issuer.rotate();
  await issuer.rise();
  const fresh = bearer(await issuer.token());
  await until(async () => (await status(server, '/api', fresh)) === 200, 'the new key', 30_000);
  all(await crowd(server, 50, fresh), 200);
});

check('gateway: requests wait for the first keys', async (t) => {
  const issuer = await Issuer.start(t);
  let release;
  issuer.hold = new Promise((resolve) => (release = resolve));
  const server = await startNonet(t, { config: fetched(issuer.url), listen });
  const waiting = crowd(server, 50, bearer(await issuer.token()));
  const gone = new AbortController();
  const left = ask(server, '/api', bearer(await issuer.token()), { signal: gone.signal });
  await until(() => issuer.fetches === 1, 'the fetch');
  gone.abort();
  await assert.rejects(left);
  assert.equal(await status(server, '/api'), 401); // without a token there is nothing to wait for
  release();
  all(await waiting, 200);
  assert.equal(issuer.fetches, 1);
});

check('gateway: without keys it is 503, until there are some', async (t) => {
  const issuer = await Issuer.start(t);
  issuer.status = 500;
  const server = await startNonet(t, { config: fetched(issuer.url), listen });
  const headers = bearer(await issuer.token());
  const answer = await ask(server, '/api', headers);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers['retry-after'], '1');
  await until(() => /could not be fetched.*status 500/.test(server.log), 'the refusal in the log');
  issuer.status = 200;
  issuer.set = '{"keys": "none"}';
  await until(() => /could not be fetched(?!.*status 500)/.test(server.log), 'a bad set', 20_000);
  assert.equal(await status(server, '/api', headers), 503);
  await issuer.rotate();
  const good = bearer(await issuer.token());
  await until(async () => (await status(server, '/api', good)) === 200, 'keys', 30_000);
});

check('gateway: an issuer that never answers is given up', async (t) => {
  const issuer = await Issuer.start(t);
  issuer.hold = new Promise(() => {});
  const server = await startNonet(t, { config: fetched(issuer.url), listen });
  const from = performance.now();
  all(await crowd(server, 20, bearer(await issuer.token())), 503);
  assert.ok(performance.now() - from < 9000, 'in time');
});

check('gateway: a reload brings another issuer', async (t) => {
  const [one, two] = [await Issuer.start(t), await Issuer.start(t)];
  const server = await startNonet(t, { config: fetched(one.url), listen });
  all(await crowd(server, 20, bearer(await one.token())), 200);
  assert.match(await server.reload(fetched(two.url)), /reloaded/);
  all(await crowd(server, 20, bearer(await two.token())), 200);
  all(await crowd(server, 20, bearer(await one.token())), 401);
});

// ---- another service decides --------------------------------------------------------------------

const forward = (url, timeout = '5s') => `
gateway:
  auth:
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}]}}
    asked:
      forward:
        url: ${url}
        timeout: ${timeout}
        request_headers: [Authorization, X-Tenant]
        principal: X-User
  routes:
    - match: {path: "/asked/*"}
      to: {respond: {body: in}}
      auth: asked
      limit: {per: key, rate: 1/h, burst: 3}
    - {match: {path: "/either/*"}, to: {respond: {body: in}}, auth: [keys, asked]}
`;

check('gateway: another service decides', async (t) => {
  const heard = [];
  const judge = await serve(t, (asked, response) => {
    heard.push(asked);
    const user = /^Bearer user-(\w+)$/.exec(asked.headers.authorization)?.[1];
    if (user) {
      response.writeHead(200, { 'x-user': user, 'set-cookie': 'not=passed' });
      response.end('ignored');
    } else if (asked.headers.authorization) {
      response.writeHead(403, { 'content-type': 'text/plain', 'x-inside': 'not passed' });
      response.end('not you');
    } else {
      const cookies = ['a=1; HttpOnly', 'b=2'];
      response.writeHead(302, { location: 'https://login.example/?next=x', 'set-cookie': cookies });
      response.end(asked.headers['x-tenant'] === 'large' ? 'x'.repeat(100_000) : 'please log in');
    }
  });
  const url = `http://127.0.0.1:${judge.port}/verify?for=gateway`;
  const server = await startNonet(t, { config: forward(url), listen });

  const passed = await ask(server, '/asked/a%20b?c=d', { ...bearer('user-joe'), 'x-other': 'x' });
  assert.equal(passed.text, 'in');
  assert.equal(passed.headers['set-cookie'], undefined);
  const [asked] = heard;
  assert.equal(asked.method, 'GET');
  assert.equal(asked.url, '/verify?for=gateway');
  assert.equal(asked.headers.host, `127.0.0.1:${judge.port}`);
  assert.equal(asked.headers.authorization, 'Bearer user-joe');
  assert.equal(asked.headers['x-other'], undefined);
  assert.equal(asked.headers['x-forwarded-method'], 'GET');
  assert.equal(asked.headers['x-forwarded-proto'], 'http');
  assert.equal(asked.headers['x-forwarded-host'], server.ports.http);
  assert.equal(asked.headers['x-forwarded-uri'], '/asked/a%20b?c=d');
  assert.equal(asked.headers['x-forwarded-for'], '127.0.0.1');
  assert.equal(asked.headers['x-request-id'], passed.headers['x-request-id']);
  assert.match(asked.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);

  // its body goes to nobody but the target
  const post = { method: 'POST', body: 'hello' };
  const posted = await ask(server, '/asked/x', bearer('user-joe'), post);
  assert.equal(posted.text, 'in');
  assert.equal(heard[1].method, 'GET');
  assert.equal(heard[1].headers['x-forwarded-method'], 'POST');
  assert.equal(heard[1].headers['content-length'], undefined);

  // whom it names is who has the limit
  assert.equal(await status(server, '/asked/x', bearer('user-joe')), 200);
  assert.equal(await status(server, '/asked/x', bearer('user-joe')), 429);
  assert.equal(await status(server, '/asked/x', bearer('user-eve')), 200);

  const refused = await ask(server, '/asked/x', bearer('somebody'));
  assert.equal(refused.status, 403);
  assert.equal(refused.text, 'not you');
  assert.equal(refused.headers['content-type'], 'text/plain');
  assert.equal(refused.headers['x-inside'], undefined);
  const sent = await ask(server, '/asked/x');
  assert.equal(sent.status, 302);
  assert.equal(sent.text, 'please log in');
  assert.equal(sent.headers.location, 'https://login.example/?next=x');
  assert.deepEqual(sent.headers['set-cookie'], ['a=1; HttpOnly', 'b=2']);
  const large = await ask(server, '/asked/x', { 'x-tenant': 'large' });
  assert.equal(large.status, 302);
  assert.equal(large.text, '');

  // it is asked only where the ways before it do not let in
  const before = heard.length;
  assert.equal(await status(server, '/either/x', { 'x-api-key': 'key-of-ann' }), 200);
  assert.equal(heard.length, before);
  const either = { 'x-api-key': 'wrong', ...bearer('user-joe') };
  assert.equal(await status(server, '/either/x', either), 200);
  assert.equal((await ask(server, '/either/x', { 'x-api-key': 'wrong' })).status, 302);
});

check('gateway: the service that decides is told what the target will be', async (t) => {
  const heard = [];
  const judge = await serve(t, (asked, response) => {
    heard.push(asked.headers);
    response.end();
  });
  const trusting = 'gateway:\n  trusted_proxies: [127.0.0.1]';
  const config = forward(`http://127.0.0.1:${judge.port}/`).replace('gateway:', trusting);
  const server = await startNonet(t, { config, listen });
  const proxied = {
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
  };
  assert.equal(await status(server, '/asked/x', proxied), 200);
  const [told] = heard;
  assert.equal(told['x-forwarded-for'], '192.0.2.7, 127.0.0.1');
  assert.equal(told['x-forwarded-proto'], 'https');
  assert.equal(told['x-forwarded-host'], 'shop.example');
});

check('gateway: a service that does not decide is 503', async (t) => {
  const held = [];
  const judge = await serve(t, (asked, response) => held.push([asked, response]));
  const url = `http://127.0.0.1:${judge.port}/`;
  const server = await startNonet(t, { config: forward(url, '200ms'), listen });
  const late = await ask(server, '/asked/x');
  assert.equal(late.status, 503);
  assert.equal(late.headers['retry-after'], '1');

  const gone = new AbortController();
  const left = ask(server, '/asked/x', {}, { signal: gone.signal });
  await until(() => held.length === 2, 'the question');
  gone.abort();
  await assert.rejects(left);
  await until(() => held[1][0].socket.destroyed, 'the question to be taken back');

  const broken = ask(server, '/asked/x');
  await until(() => held.length === 3, 'the question');
  held[2][1].writeHead(200, { 'content-length': 100 });
  held[2][1].write('half');
  held[2][0].socket.destroySoon();
  assert.equal((await broken).status, 503);

  await judge.close();
  assert.equal(await status(server, '/asked/x'), 503);
  assert.equal(await status(server, '/either/x', { 'x-api-key': 'key-of-ann' }), 200);
});

// ---- wrong credentials --------------------------------------------------------------------------

const GUARDED = `
gateway:
  trusted_proxies: [127.0.0.0/8]
  auth:
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}]}}
    shared: {jwt: {secret: "${SECRET}"}}
  routes:
    - {match: {path: /keys}, to: {respond: {body: in}}, auth: keys}
    - {match: {path: /both}, to: {respond: {body: in}}, auth: [keys, shared]}
    - {match: {path: /open}, to: {respond: {body: in}}, auth: none}
`;

onNonet('gateway: wrong credentials', { config: GUARDED, listen }, (it) => {
  // Every request over one connection, so that one shard counts them.
  const session = (t, server, address) => {
    const agent = new Agent({ connections: 1, pipelining: 1 });
    t.after(() => agent.close());
    return (target, headers) =>
      ask(server, target, { 'x-forwarded-for': address, ...headers }, { dispatcher: agent });
  };
  const guess = (n) => ({ 'x-api-key': `guess-${n}` });
  const exhaust = async (send, target, bad) => {
    for (let n = 0; n < 1000; n++) {
      const answer = await send(target, bad(n));
      if (answer.status !== 401) return answer;
    }
    return null;
  };

  it('are answered 429 when there are too many, and so are good ones then', async (t, server) => {
    const send = session(t, server, '203.0.113.1');
    const refused = await exhaust(send, '/keys', guess);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers['retry-after'], '1');
    assert.match(JSON.parse(refused.text).detail, /too many wrong credentials/);
    for (let n = 0; n < 20; n++) await send('/keys', guess(n));
    assert.equal((await send('/both', { 'x-api-key': 'key-of-ann' })).status, 429);
    assert.equal((await send('/open', {})).status, 200);
    const other = session(t, server, '203.0.113.2');
    assert.equal((await other('/keys', { 'x-api-key': 'key-of-ann' })).status, 200);
    await until(
      async () => (await send('/keys', { 'x-api-key': 'key-of-ann' })).status === 200,
      'another try',
    );
  });

  it('count by /64 of IPv6, and forged tokens like guessed keys', async (t, server) => {
    const bad = bearer(await shared({}, {}, 'HS256', `${SECRET} not`));
    const first = session(t, server, '2001:db8:1:2::1');
    assert.equal((await exhaust(first, '/both', () => bad)).status, 429);
    let seen = 0;
    for (let n = 0; n < 20 && seen !== 429; n++) {
      await first('/both', bad);
      const answer = await first('/both', { ...bad, 'x-forwarded-for': `2001:db8:1:2::${n + 2}` });
      seen = answer.status;
    }
    assert.equal(seen, 429);
  });

  it('what has expired, and what was not sent, is no guess', async (t, server) => {
    const old = bearer(await shared({}, { exp: '-5m' }));
    const send = session(t, server, '203.0.113.3');
    for (let n = 0; n < 300; n++) {
      assert.equal((await send('/both', n % 2 ? old : {})).status, 401);
    }
  });
});

// ---- the config ---------------------------------------------------------------------------------

check('gateway: ways that make no sense refuse the start', async (t) => {
  const files = { 'rsa.pem': await pem('RS256'), 'odd.pem': await pem('ES384'), ...tokenFiles };
  const start = (auth) =>
    startNonet(t, {
      files,
      config: `gateway: {auth: {a: ${auth}}, routes: [{to: {respond: {body: x}}, auth: a}]}\n`,
      listen,
    });
  for (const [auth, words] of [
    ['{jwt: {public_key: nowhere.pem}}', /nowhere\.pem/],
    ['{jwt: {secret: short}}', /secret/],
    ['{jwt: {}}', /exactly one of/],
    ['{jwt: {secret: "0123456789012345678901234567890123456789", algorithms: none}}', /none/],
    ['{jwt: {public_key: rsa.pem, algorithms: [RS256, ES256]}}', /no key here can check ES256/],
    ['{jwt: {public_key: odd.pem}}', /check RS256, ES256, EdDSA\n.*algorithms: \[ES384\]/],
    ['{jwt: {jwks_file: keys.json, algorithms: HS256}}', /can check HS256/],
    ['{basic: {}}', /users/],
    ['{client_certificate: {}}', /certificate/],
    ['{api_keys: {keys: [{name: a, key: "12345678", as: nobody}]}}', /nobody/],
    ['{api_keys: {keys: [{name: a, key: "12345678"}, {name: b, key: "12345678"}]}}', /key/],
    ['{api_keys: {keys: [{name: a, key: "sha256:12345678"}]}}', /64 hexadecimal/],
    ['{forward: {url: "ftp://x"}}', /URL/],
    ['{forward: {url: "http://u:p@127.0.0.1/"}}', /password in a URL/],
  ]) {
    await assert.rejects(start(auth), words, auth);
  }
});

// ---- what goes on -------------------------------------------------------------------------------

check('gateway: who asks goes on, and only as the gateway says', async (t) => {
  const judge = await serve(t, (asked, response) => {
    const user = /^Bearer user-(\w+)$/.exec(asked.headers.authorization)?.[1];
    const fields = user && { 'x-user': user, ...(user === 'root' && { 'x-roles': 'admin' }) };
    response.writeHead(user ? 200 : 401, fields ?? {}).end();
  });
  const target = await serve(t, (asked, response) => response.end(JSON.stringify(asked.headers)));
  const server = await startNonet(t, {
    listen,
    config: `
gateway:
  auth:
    keys: {api_keys: {query: api_key, keys: [{name: ann, key: "key-of-ann"}]}}
    asked:
      forward:
        url: http://127.0.0.1:${judge.port}/
        response_headers: [X-User, X-Roles]
        principal: X-User
  routes:
    - match: {path: "/*"}
      to: {http: "http://127.0.0.1:${target.port}"}
      auth: [keys, asked]
`,
  });
  const heard = async (headers, path = '/x') =>
    JSON.parse((await ask(server, path, headers)).text);

  const lies = { 'x-user': 'root', 'x-roles': 'admin', 'x-nonet-principal': 'root' };
  const byKey = await heard({ 'x-api-key': 'key-of-ann', ...lies, cookie: 'a=b' });
  assert.equal(byKey['x-nonet-principal'], 'ann');
  assert.equal(byKey['x-api-key'], undefined);
  assert.equal(byKey['x-user'], undefined);
  assert.equal(byKey['x-roles'], undefined);
  assert.equal(byKey.cookie, 'a=b');

  const byQuery = await heard(lies, '/x?api_key=key-of-ann');
  assert.equal(byQuery['x-nonet-principal'], 'ann');
  assert.equal(byQuery['x-user'], undefined);

  const asked = await heard({ ...bearer('user-joe'), ...lies, 'x-api-key': 'wrong' });
  assert.equal(asked['x-nonet-principal'], 'joe');
  assert.equal(asked['x-user'], 'joe');
  assert.equal(asked['x-roles'], undefined);
  assert.equal(asked['x-api-key'], undefined);
  assert.equal(asked.authorization, 'Bearer user-joe');

  const root = await heard({ ...bearer('user-root'), ...lies });
  assert.equal(root['x-user'], 'root');
  assert.equal(root['x-roles'], 'admin');
});

const rights = (allowed) => `
auth:
  users:
    - {user: shop, password: long, publish: {allow: ["${allowed}"]}}
gateway:
  auth:
    keys:
      api_keys:
        keys: [{name: ann, key: "key-of-ann", as: shop}, {name: bob, key: "key-of-bob"}]
    basic: {basic: {}}
    shared: {jwt: {secret: "${SECRET}", as: shop}}
  routes:
    - {match: {path: "/{subject}"}, to: {publish: "{subject}.new"}, auth: [keys, basic, shared]}
`;

onNonet('gateway: rights on subjects', { config: rights('bid.*'), listen }, (it) => {
  const post = (server, target, headers) =>
    status(server, target, headers, { method: 'POST', body: 'x' });

  it('are those of the user that a way stands for', async (t, server) => {
    for (const headers of [
      { 'x-api-key': 'key-of-ann' },
      basic('shop', 'long'),
      bearer(await shared()),
    ]) {
      assert.equal(await post(server, '/bid', headers), 202);
      assert.equal(await post(server, '/ask', headers), 403);
    }
    assert.equal(await post(server, '/ask', { 'x-api-key': 'key-of-bob' }), 202);
  });

  it('are the new ones after a reload, also for who is known', async (t, server) => {
    const known = bearer(await shared());
    assert.equal(await post(server, '/bid', known), 202);
    assert.match(await server.reload(rights('ask.*')), /reloaded/);
    for (const headers of [known, { 'x-api-key': 'key-of-ann' }, basic('shop', 'long')]) {
      assert.equal(await post(server, '/bid', headers), 403);
      assert.equal(await post(server, '/ask', headers), 202);
    }
  });
});
