// The front door itself: which route, static files, what every answer carries, reload.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import zlib from 'node:zlib';
import { Agent, request } from 'undici';
import { check, onNonet, run, sleep, startNonet, temporaryFolder, until } from './lib/node.mjs';

const listen = { http: 0 };
const urlOf = (server, target) => `http://${server.ports.http}${target}`;

async function ask(server, target, options = {}) {
  const response = await request(urlOf(server, target), options);
  return { ...response, text: await response.body.text() };
}

// The bytes that come back for TEXT, until the other side closes or MS have passed.
function raw(server, text, ms = 2000) {
  return new Promise((resolve) => {
    const [host, port] = server.ports.http.split(':');
    let heard = '';
    const socket = net.connect(Number(port), host, () => socket.write(text));
    socket.on('data', (bytes) => (heard += bytes.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
    setTimeout(() => socket.destroy(), ms).unref();
  });
}

const ROUTES = `
gateway:
  routes:
    - {match: {path: /word}, to: {respond: {body: word}}}
    - {match: {path: "/{id}"}, to: {respond: {body: parameter}}}
    - {match: {path: "/*"}, to: {respond: {body: star}}}
    - {match: {path: /word, host: shop.example}, to: {respond: {body: host}}}
    - {match: {path: "/*", host: "*.shop.example"}, to: {respond: {body: wildcard}}}
    - {match: {path: /word, headers: {X-V: "2"}}, to: {respond: {body: header}}}
    - {match: {path: /word, query: {q: "*"}}, to: {respond: {body: query}}}
    - {match: {path: /only, method: [POST, PUT]}, to: {respond: {status: 201, body: made}}}
    - {match: {path: "/old/*"}, to: {redirect: "/new/{*}", status: 301}}
    - {match: {path: "/away/{id}"}, to: {redirect: "https://x.example/{id}"}}
    - {match: {path: "/asks/{id}"}, to: {redirect: "/new?id={id}#top"}}
    - match: {path: /fields}
      to: {respond: {body: x}}
      response_headers: {set: {X-Frame-Options: DENY}, add: {Vary: Accept}, remove: [Date]}
    - match: {path: /typed}
      to: {respond: {body: x, type: text/plain}}
      response_headers: {set: {Content-Type: text/x}}
    - match: {path: /untyped}
      to: {respond: {body: x, type: text/plain}}
      response_headers: {remove: [content-type]}
`;

onNonet('gateway: routes', { config: ROUTES, listen }, (it) => {
  const body = async (server, target, headers = {}) =>
    (await ask(server, target, { headers })).text;

  it('the most specific route answers', async (t, server) => {
    assert.equal(await body(server, '/word'), 'word');
    assert.equal(await body(server, '/other'), 'parameter');
    assert.equal(await body(server, '/a/b'), 'star');
    assert.equal(await body(server, '/a/%2e%2e/word'), 'word');
  });

  it('by host, whatever the port', async (t, server) => {
    const to = (host, target) =>
      raw(server, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assert.match(await to('shop.example', '/word'), /\r\n\r\nhost$/);
    assert.match(await to('SHOP.example:8080', '/word'), /\r\n\r\nhost$/);
    assert.match(await to('a.b.shop.example', '/word'), /\r\n\r\nwildcard$/);
    assert.match(await to('shop.example', '/zzz'), /\r\n\r\nparameter$/);
    assert.match(await to('badshop.example', '/word'), /\r\n\r\nword$/);
  });

  it('by headers and arguments', async (t, server) => {
    assert.equal(await body(server, '/word', { 'x-v': '2' }), 'header');
    assert.equal(await body(server, '/word', { 'x-v': '3' }), 'word');
    assert.equal(await body(server, '/word?q'), 'query');
    assert.equal(await body(server, '/word?p=1&q=2'), 'query');
  });

  it('methods that are not there are told which are', async (t, server) => {
    const answer = await ask(server, '/only', { method: 'DELETE' });
    assert.equal(answer.statusCode, 200); // "/{id}" takes any method
    const made = await ask(server, '/only', { method: 'PUT', body: 'x' });
    assert.deepEqual([made.statusCode, made.text], [201, 'made']);
  });

  it('redirects keep the rest of the path and the query', async (t, server) => {
    const old = await ask(server, '/old/a%20b/c?d=e&f');
    assert.equal(old.statusCode, 301);
    assert.equal(old.headers.location, '/new/a%20b/c?d=e&f');
    const asks = await ask(server, '/asks/a&b?c=d');
    assert.equal(asks.headers.location, '/new?id=a%26b&c=d#top');
    assert.equal((await ask(server, '/asks/1')).headers.location, '/new?id=1#top');
    const away = await ask(server, '/away/7%2F8');
    assert.equal(away.statusCode, 400); // an encoded slash has two meanings
    const found = await ask(server, '/away/7');
    assert.deepEqual([found.statusCode, found.headers.location], [308, 'https://x.example/7']);
  });

  it('changes headers of the answer', async (t, server) => {
    const { headers } = await ask(server, '/fields');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers.vary, 'Accept');
    assert.equal((await ask(server, '/typed')).headers['content-type'], 'text/x');
    assert.equal((await ask(server, '/untyped')).headers['content-type'], undefined);
  });

  it('names every request, and says the name back', async (t, server) => {
    const own = await ask(server, '/word');
    assert.match(own.headers['x-request-id'], /^[0-9a-f]{32}$/);
    const given = await ask(server, '/word', { headers: { 'x-request-id': 'mine-1' } });
    assert.equal(given.headers['x-request-id'], 'mine-1');
    const bad = await ask(server, '/word', { headers: { 'x-request-id': 'a "quoted" one' } });
    assert.match(bad.headers['x-request-id'], /^[0-9a-f]{32}$/);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const traced = await ask(server, '/word', {
      headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` },
    });
    assert.equal(traced.headers['x-request-id'], trace);
    const line = `traceparent: 00-${trace}-b7ad6b7169203331-01\r\n`;
    const twice = await raw(
      server,
      `GET /word HTTP/1.1\r\nHost: x\r\n${line}${line}Connection: close\r\n\r\n`,
    );
    assert.doesNotMatch(twice, new RegExp(trace)); // which of two would it be?
  });

  it('a body that nobody reads ends the connection, not the answer', async (t, server) => {
    const heard = await raw(
      server,
      'POST /word HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nGET /star HTTP/1.1\r\n\r\n',
    );
    assert.match(heard, /^HTTP\/1\.1 200 /);
    assert.equal(heard.match(/HTTP\/1\.1/g).length, 1);
  });

  it('what is ambiguous is refused and the connection closed', async (t, server) => {
    const heard = await raw(
      server,
      'POST /word HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '0\r\n\r\nGET /word HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    assert.match(heard, /^HTTP\/1\.1 400 /);
    assert.equal(heard.match(/HTTP\/1\.1/g).length, 1);
  });
});

// ---- files --------------------------------------------------------------------------------------

const SITE = temporaryFolder();
const PAGE = '<!doctype html><title>page</title>'.repeat(40);
const LARGE = Buffer.alloc(1_000_003, 'abcdefghij');
fs.mkdirSync(path.join(SITE, 'docs', '.git'), { recursive: true });
fs.mkdirSync(path.join(SITE, '.well-known'));
fs.writeFileSync(path.join(SITE, 'index.html'), PAGE);
fs.writeFileSync(path.join(SITE, 'docs', 'index.html'), 'docs');
fs.writeFileSync(path.join(SITE, 'docs', '.git', 'config'), 'secret');
fs.writeFileSync(path.join(SITE, '.well-known', 'x.txt'), 'known');
fs.writeFileSync(path.join(SITE, 'a.js'), 'let a;');
fs.writeFileSync(path.join(SITE, 'a.js.gz'), zlib.gzipSync('let a;'));
fs.writeFileSync(path.join(SITE, 'a.js.br'), zlib.brotliCompressSync('let a;'));
fs.mkdirSync(path.join(SITE, 'bare'));
execFileSync('mkfifo', [path.join(SITE, 'pipe')]);
fs.writeFileSync(path.join(SITE, 'empty.txt'), '');
fs.writeFileSync(path.join(SITE, 'large.bin'), LARGE);

const FILES = `
gateway:
  routes:
    - {match: {path: "/*"}, to: {files: "${SITE}", max_age: 1h}}
    - {match: {path: "/spa/*"}, to: {files: "${SITE}", fallback: index.html}}
`;

onNonet('gateway: files', { config: FILES, listen }, (it) => {
  it('are sent with their types, and a folder by its index', async (t, server) => {
    const page = await ask(server, '/');
    assert.equal(page.statusCode, 200);
    assert.equal(page.text, PAGE);
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(page.headers['cache-control'], 'max-age=3600');
    assert.equal((await ask(server, '/docs/')).text, 'docs');
    const folder = await ask(server, '/docs?x=1');
    assert.deepEqual([folder.statusCode, folder.headers.location], [308, '/docs/?x=1']);
    const elsewhere = await raw(
      server,
      'GET //evil.example/%2e%2e/docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    assert.match(elsewhere, /\r\nLocation: \/docs\/\r\n/);
    const empty = await ask(server, '/empty.txt');
    assert.deepEqual([empty.statusCode, empty.headers['content-length']], [200, '0']);
  });

  it('large ones come whole, and to who reads slowly', async (t, server) => {
    const response = await request(urlOf(server, '/large.bin'));
    const parts = [];
    for await (const part of response.body) {
      parts.push(part);
      if (parts.length < 5) await sleep(20);
    }
    assert.ok(Buffer.concat(parts).equals(LARGE));
    assert.equal(response.headers['content-length'], `${LARGE.length}`);
  });

  it('HEAD tells what GET would', async (t, server) => {
    for (const target of ['/', '/large.bin', '/empty.txt']) {
      const head = await ask(server, target, { method: 'HEAD' });
      const get = await ask(server, target);
      assert.equal(head.text, '');
      assert.equal(head.headers['content-length'], get.headers['content-length']);
      assert.equal(head.headers.etag, get.headers.etag);
    }
    assert.equal((await ask(server, '/', { method: 'POST', body: 'x' })).statusCode, 405);
    const part = await ask(server, '/a.js', { method: 'HEAD', headers: { range: 'bytes=0-1' } });
    assert.equal(part.statusCode, 200); // a range is of GET only
  });

  it('conditions spare the body', async (t, server) => {
    const { headers } = await ask(server, '/a.js');
    const same = await ask(server, '/a.js', { headers: { 'if-none-match': headers.etag } });
    assert.deepEqual([same.statusCode, same.text], [304, '']);
    assert.equal(same.headers.etag, headers.etag);
    const since = { 'if-modified-since': headers['last-modified'] };
    assert.equal((await ask(server, '/a.js', { headers: since })).statusCode, 304);
    const other = { ...since, 'if-none-match': '"other"' }; // the entity tag decides
    assert.equal((await ask(server, '/a.js', { headers: other })).statusCode, 200);
    const status = async (headers) => (await ask(server, '/a.js', { headers })).statusCode;
    const { etag } = headers;
    assert.equal(await status({ 'if-none-match': ['"x", "y"', `W/${etag}`] }), 304);
    assert.equal(await status({ 'if-match': etag }), 200);
    assert.equal(await status({ 'if-match': '*' }), 200);
    assert.equal(await status({ 'if-match': `W/${etag}` }), 412);
    assert.equal(await status({ 'if-match': '"x"', 'if-none-match': etag }), 412);
    assert.equal(await status({ 'if-unmodified-since': headers['last-modified'] }), 200);
    assert.equal(await status({ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }), 412);
    // Dates as they were written once.
    for (const date of ['Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
      assert.equal(await status({ 'if-unmodified-since': date }), 412, date);
    }
    assert.equal(await status({ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 CET' }), 200);
  });

  it('ranges', async (t, server) => {
    const range = async (value, more = {}) =>
      ask(server, '/large.bin', { headers: { range: value, ...more } });
    const middle = await range('bytes=10-19');
    assert.equal(middle.statusCode, 206);
    assert.equal(middle.text, 'abcdefghij');
    assert.equal(middle.headers['content-range'], `bytes 10-19/${LARGE.length}`);
    assert.equal((await range('bytes=-3')).text, LARGE.subarray(-3).toString());
    assert.equal((await range('bytes=1000000-')).text.length, 3);
    assert.equal((await range('bytes=100000-899999')).text.length, 800_000);
    const outside = await range('bytes=2000000-');
    assert.equal(outside.statusCode, 416);
    assert.equal(outside.headers['content-range'], `bytes */${LARGE.length}`);
    assert.equal((await range('Bytes=10-19')).text, 'abcdefghij');
    assert.equal((await range('bytes=5-2')).statusCode, 200);
    const small = await ask(server, '/docs/', { headers: { range: 'bytes=1-2' } });
    assert.deepEqual([small.statusCode, small.text], [206, 'oc']);
    assert.equal((await range('lines=1-2')).statusCode, 200);
    assert.equal((await range('bytes=0-1', { 'if-range': '"other"' })).statusCode, 200);
  });

  it('a compressed twin goes to who takes it', async (t, server) => {
    const zipped = await request(urlOf(server, '/a.js'), {
      headers: { 'accept-encoding': 'br;q=0, gzip' },
    });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.equal(zipped.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.match(zipped.headers.vary, /Accept-Encoding/);
    const bytes = Buffer.from(await zipped.body.arrayBuffer());
    assert.equal(zlib.gunzipSync(bytes).toString(), 'let a;');
    const plain = await ask(server, '/a.js', { headers: { 'accept-encoding': 'gzip;q=0' } });
    assert.deepEqual([plain.text, plain.headers['content-encoding']], ['let a;', undefined]);
    assert.notEqual(plain.headers.etag, zipped.headers.etag);
    const coding = async (accepted) => {
      const { headers, body } = await request(urlOf(server, '/a.js'), {
        headers: { 'accept-encoding': accepted },
      });
      await body.dump();
      return headers['content-encoding'];
    };
    assert.equal(await coding('gzip, br'), 'br');
    assert.equal(await coding('gzip;q=1.0, br;Q=0.5'), 'gzip');
    assert.equal(await coding('br;q=0, *;q=0.1'), 'gzip');
    assert.equal(await coding(['identity', 'br']), 'br');
  });

  it('nothing outside of the folder, nothing hidden', async (t, server) => {
    const paths = ['/../../etc/passwd', '/docs/.git/config', '/.git', '/nope', '/a.js/x', '/%00'];
    for (const target of paths) {
      const heard = await raw(
        server,
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      assert.match(heard, /^HTTP\/1\.1 (404|400) /, target);
      assert.doesNotMatch(heard, /root:|secret/);
    }
    assert.equal((await ask(server, '/.well-known/x.txt')).text, 'known');
  });

  it('what is no file is not sent, and nobody waits for it', async (t, server) => {
    assert.equal((await ask(server, '/pipe')).statusCode, 404);
    assert.equal((await ask(server, '/bare/')).statusCode, 404);
    assert.equal((await ask(server, '/bare')).statusCode, 404);
  });

  it('a page that routes itself gets its fallback', async (t, server) => {
    const bare = await ask(server, '/spa/bare'); // a folder, but there is nothing in it
    assert.deepEqual([bare.statusCode, bare.text], [200, PAGE]);
    const page = await ask(server, '/spa/some/where');
    assert.deepEqual([page.statusCode, page.text], [200, PAGE]);
    assert.equal((await ask(server, '/spa/a.js')).text, 'let a;');
  });
});

// ---- what is seen -------------------------------------------------------------------------------

const SEEN = `
gateway:
  access_log: {path: access.ndjson}
  trusted_proxies: [127.0.0.0/8]
  routes:
    - {name: word, match: {path: /word}, to: {respond: {body: word}}}
    - {name: page, match: {path: "/files/*"}, to: {files: .}}
    - {name: small, match: {path: /small}, to: {respond: {body: small}}, max_body: 9}
    - {name: keys, match: {path: /keys}, to: {respond: {body: in}}, auth: keys}
  auth: {keys: {api_keys: {query: api_key, keys: [{name: ann, key: "key-of-ann"}]}}}
`;

onNonet('gateway: what is seen', { config: SEEN, listen }, (it) => {
  it('a line for each request, and figures', async (t, server) => {
    await ask(server, '/word?a=b', {
      headers: { 'x-forwarded-for': '6.6.6.6, 10.1.2.3, 127.0.0.9', 'x-request-id': 'seen-1' },
    });
    await ask(server, '/files/none');
    await ask(server, '/word', { method: 'HEAD' });
    await ask(server, '/keys?a=b&api_key=key-of-ann&c');
    await ask(server, '/small', { method: 'POST', body: '0123456789' });
    const file = path.join(server.dir, 'app', 'access.ndjson');
    const lines = await until(() => {
      const all = fs.readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
      return all.length >= 5 && all.map((line) => JSON.parse(line));
    });
    const word = lines.find((line) => line.route === 'word');
    assert.equal(word.id, 'seen-1');
    assert.equal(word.client, '10.1.2.3'); // the last one that no trusted proxy is
    assert.equal(word.path, '/word?a=b');
    assert.deepEqual([word.status, word.bytes_out, word.method], [200, 4, 'GET']);
    assert.ok(word.duration_us >= 0);
    const head = lines.find((line) => line.method === 'HEAD');
    assert.deepEqual([head.status, head.bytes_out], [200, 0]); // what was sent of a body: nothing
    const keys = lines.find((line) => line.route === 'keys');
    assert.deepEqual([keys.status, keys.path], [200, '/keys?a=b&api_key=-&c']);
    const small = lines.find((line) => line.route === 'small');
    assert.deepEqual([small.status, small.reason, small.bytes_in], [413, 'too large', 0]);
    const none = lines.find((line) => line.route === 'page');
    assert.deepEqual([none.status, none.reason], [404, 'no such file']);
    const { body } = await request(`${server.admin}/metrics`);
    const page = await body.text();
    assert.match(page, /nonet_gateway_requests_total\{route="word",status="2xx"\} 2\n/);
    assert.match(page, /nonet_gateway_requests_total\{route="page",status="4xx"\} 1\n/);
    assert.match(page, /nonet_gateway_request_seconds_count\{route="word"\} 2\n/);
    assert.match(page, /nonet_gateway_requests_under_way\{route="word"\} 0\n/);
  });
});

// ---- reload, start and stop ---------------------------------------------------------------------

const version = (n) => `gateway: {routes: [{to: {respond: {body: "${n}"}}}]}\n`;

onNonet('gateway: reload', { config: version(1), listen }, (it) => {
  it('takes up routes without closing a connection', async (t, server) => {
    const agent = new Agent({ connections: 1, pipelining: 1 });
    t.after(() => agent.close());
    let closed = 0;
    agent.on('disconnect', () => closed++);
    const text = async () => (await request(urlOf(server, '/'), { dispatcher: agent })).body.text();
    assert.equal(await text(), '1');
    for (let n = 2; n < 6; n++) {
      assert.match(await server.reload(version(n)), /reloaded/);
      await until(async () => (await text()) === `${n}`, `version ${n}`);
    }
    assert.equal(closed, 0);
  });

  it('refuses a bad file whole, and goes on with the old one', async (t, server) => {
    await server.reload(version('good'));
    await until(async () => (await ask(server, '/')).text === 'good', 'the good one');
    const line = await server.reload('gateway: {routes: [{to: {files: /does/not/exist}}]}\n');
    assert.match(line, /refused/);
    assert.equal((await ask(server, '/')).text, 'good');
    assert.match(await server.reload('gateway: {routes: [{to: {}}]}\n'), /refused/);
    assert.equal((await ask(server, '/')).text, 'good');
  });

  it('loses no request of many while it reloads', async (t, server) => {
    let stopped = false;
    let answered = 0;
    const agent = new Agent({ connections: 16, pipelining: 1 });
    t.after(() => agent.close());
    const client = async () => {
      while (!stopped) {
        const response = await request(urlOf(server, '/'), { dispatcher: agent });
        assert.equal(response.statusCode, 200);
        await response.body.text();
        answered++;
      }
    };
    const clients = Array.from({ length: 16 }, client);
    for (let n = 0; n < 20; n++) await server.reload(version(`v${n}`));
    await until(() => answered > 2000, 'requests');
    stopped = true;
    await Promise.all(clients);
  });
});

check('without routes the door stays closed, unless it is asked for', async (t) => {
  const closed = await startNonet(t);
  assert.equal(closed.ports.http, undefined);
  const asked = await startNonet(t, { listen });
  assert.equal((await ask(asked, '/')).statusCode, 404);
});

check('what a reload cannot take up is told', async (t) => {
  const server = await startNonet(t, { config: 'gateway: {}\n' });
  assert.match(await server.reload(version(1)), /reloaded/);
  assert.match(server.log, /http listener is closed.*routes=1/);
  const open = await startNonet(t, { config: version(1), listen });
  assert.match(await open.reload(version(2)), /reloaded/);
  assert.doesNotMatch(open.log, /next start/);
  const limited = version(2).replace('gateway: {', 'gateway: {limits: {connections: 7}, ');
  assert.match(await open.reload(limited), /reloaded/);
  assert.match(open.log, /takes effect at the next start.*setting=gateway\.limits/);
});

check('check --routes lists them in the order in which they are tried', async (t) => {
  const dir = temporaryFolder();
  fs.writeFileSync(path.join(dir, 'nonet.yaml'), ROUTES);
  const { status, stdout } = await run(['check', dir, '--routes', '--json']);
  assert.equal(status, 0);
  const routes = JSON.parse(stdout);
  const at = (host, target) => routes.findIndex((r) => r.host === host && r.path === target);
  assert.equal(routes[0].host, 'shop.example');
  assert.ok(at('*', '/word') < at('*', '/{id}') && at('*', '/{id}') < at('*', '/*'));
  const human = await run(['check', dir, '--routes']);
  assert.match(human.stdout, /^host +path +method +when +to +name\n/);
});

check('a node that stops finishes the answer under way', async (t) => {
  const server = await startNonet(t, { config: FILES, listen });
  const response = await request(urlOf(server, '/large.bin'));
  server.signal('SIGTERM');
  await sleep(100);
  assert.equal((await response.body.text()).length, LARGE.length);
  await server.exited;
  assert.equal(server.exit.status, 0);
});
