// Several certificates on one listener: which client is shown which, and what is refused.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import tls from 'node:tls';
import { Certificates } from './lib/certificates.mjs';
import { check, onNonet, run, startNonet, temporaryFolder } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const made = new Certificates();
made.authority('authority');
const names = (...all) => `subjectAltName=${all.map((name) => `DNS:${name}`).join(',')}\n`;
made.signed('main', 'authority', names('localhost', 'main.example'));
made.signed('shop', 'authority', names('shop.example', '*.shop.example'));
made.signed('api', 'authority', names('API.shop.example'));
made.signed('renewed', 'authority', names('shop.example', 'new.example'));
made.signed('twin', 'authority', names('twin.example', 'main.example'));
made.signed('nameless', 'authority', 'extendedKeyUsage=serverAuth\n');
made.signed('client', 'authority', 'subjectAltName=email:ann@example.org\n');

// Valid for one day of long ago.
function expired(name) {
  const files = ['-in', `${name}.csr`, '-out', `${name}.pem`];
  made.signed(name, 'authority', names(`${name}.example`));
  fs.writeFileSync(made.file('index.txt'), '');
  fs.writeFileSync(made.file('serial'), '01\n');
  const config =
    '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n' +
    'default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n';
  fs.writeFileSync(made.file('ca.conf'), config);
  const by = ['-cert', 'authority.pem', '-keyfile', 'authority.key', '-config', 'ca.conf'];
  const times = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
  made.openssl('ca', '-batch', '-notext', ...by, ...times, '-extfile', `${name}.ext`, ...files);
}
expired('old');

const ca = made.read('authority.pem');
const files = made.files('authority', 'main', 'shop', 'api', 'renewed', 'twin', 'nameless', 'old');
const tlsOf = (...certificates) =>
  `{cert: main.pem, key: main.key, certificates: [` +
  `${certificates.map((name) => `{cert: ${name}.pem, key: ${name}.key}`).join(', ')}]}`;
const configOf = (section) => `listen: {http: {tls: ${section}}}
gateway:
  routes:
    - {match: {path: /}, to: {respond: {body: hello}}, auth: none}
`;

function open(t, address, options = {}) {
  const [host, port] = address.split(':');
  const checkServerIdentity = () => undefined; // the tests look for themselves
  const socket = tls.connect({ host, port, ca, servername: '', checkServerIdentity, ...options });
  t.after(() => socket.destroy());
  return socket;
}

// The subject of the certificate that a client is shown that asks for NAME ('': for none).
async function shown(t, address, name) {
  const socket = open(t, address, { servername: name });
  await once(socket, 'secureConnect');
  return socket.getPeerCertificate().subject.CN;
}

async function say(socket, text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n') {
  socket.write(text);
  let got = '';
  while (!got.endsWith('hello')) got += (await once(socket, 'data'))[0];
  return got;
}

onNonet(
  'tls: certificates by name',
  { config: configOf(tlsOf('shop', 'api')), files, listen: { http: 0 } },
  (it) => {
    it('the exact name comes first, then the wildcard, then the first', async (t, server) => {
      for (const [name, expected] of [
        ['main.example', 'main'],
        ['shop.example', 'shop'],
        ['SHOP.example', 'shop'],
        ['a.shop.example', 'shop'],
        ['api.shop.example', 'api'],
        ['a.b.shop.example', 'main'], // a star is one label
        ['elsewhere.example', 'main'],
        ['', 'main'],
      ])
        assert.equal(await shown(t, server.ports.http, name), expected, name);
    });

    it('curl, which checks it, is content', async (t, server) => {
      const port = server.ports.http.split(':')[1];
      for (const name of ['main.example', 'shop.example', 'x.shop.example', 'api.shop.example']) {
        const args = ['-sS', '--cacert', made.file('authority.pem')];
        args.push('--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}/`);
        const body = await new Promise((resolve, reject) =>
          execFile('curl', args, (error, out) => (error ? reject(error) : resolve(out))),
        );
        assert.equal(body, 'hello');
      }
    });

    it('ALPN: http/1.1 is agreed on, and nothing else is', async (t, server) => {
      for (const [offered, expected] of [
        [['h2', 'http/1.1'], 'http/1.1'],
        [['http/1.1'], 'http/1.1'],
        [['h2'], false],
      ]) {
        const socket = open(t, server.ports.http, { ALPNProtocols: offered });
        await once(socket, 'secureConnect');
        assert.equal(socket.alpnProtocol, expected);
        assert.match(await say(socket), /^HTTP\/1\.1 200 /);
      }
    });

    it('TLS 1.2 has forward secrecy and authenticates, or is refused', async (t, server) => {
      const only = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
      const socket = open(t, server.ports.http, only);
      await once(socket, 'secureConnect');
      assert.match(socket.getCipher().name, /^ECDHE-.*(GCM|POLY1305)/);
      for (const ciphers of ['ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256', 'AES128-SHA']) {
        const weak = open(t, server.ports.http, { ...only, ciphers: `${ciphers}:@SECLEVEL=0` });
        await assert.rejects(once(weak, 'secureConnect'), ciphers);
      }
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' };
      await assert.rejects(once(open(t, server.ports.http, old), 'secureConnect'));
    });

    it('a session goes on, in TLS 1.2 and 1.3, also after a reload', async (t, server) => {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const options = { minVersion: version, maxVersion: version, servername: 'shop.example' };
        let session;
        const connect = async () => {
          const socket = open(t, server.ports.http, { ...options, session });
          socket.on('session', (given) => (session = given));
          await once(socket, 'secureConnect');
          await say(socket);
          socket.end();
          return socket.isSessionReused();
        };
        assert.equal(await connect(), false);
        assert.equal(await connect(), true);
        assert.match(await server.reload(configOf(tlsOf('shop', 'api'))), /reloaded/);
        assert.equal(await connect(), true);
      }
    });

    it('a reload takes others, and open connections stay', async (t, server) => {
      const before = open(t, server.ports.http);
      await once(before, 'secureConnect');
      await say(before);
      assert.match(await server.reload(configOf(tlsOf('renewed'))), /reloaded/);
      assert.equal(await shown(t, server.ports.http, 'shop.example'), 'renewed');
      assert.equal(await shown(t, server.ports.http, 'new.example'), 'renewed');
      assert.equal(await shown(t, server.ports.http, 'api.shop.example'), 'main');
      await say(before);
      assert.match(await server.reload(configOf(tlsOf('renewed', 'twin'))), /refused/);
      assert.equal(await shown(t, server.ports.http, 'new.example'), 'renewed');
      await say(before);
    });
  },
);

check('tls: without cert the first of certificates is for everybody else', async (t) => {
  const section = tlsOf('api', 'shop').replace('cert: main.pem, key: main.key, ', '');
  const config = `listen: {nats: {tls: ${section}}, admin: {tls: ${section}}}\n`;
  const server = await startNonet(t, { config, files });
  assert.equal(await shown(t, server.ports.admin, 'shop.example'), 'shop');
  assert.equal(await shown(t, server.ports.admin, 'main.example'), 'api');
  for (const [name, expected] of [
    ['x.shop.example', 'shop'],
    ['main.example', 'api'],
  ]) {
    const options = { ca, servername: name, checkServerIdentity: () => undefined };
    const raw = await Raw.open(t, server, { tls: options });
    assert.equal(raw.socket.getPeerCertificate().subject.CN, expected);
    await raw.hello();
  }
});

check('tls: certificates of clients are asked for by every name', async (t) => {
  const section = tlsOf('shop').replace('{', '{ca: authority.pem, verify: true, ');
  const server = await startNonet(t, { config: configOf(section), files, listen: { http: 0 } });
  for (const servername of ['main.example', 'shop.example']) {
    const socket = open(t, server.ports.http, { servername, ...made.own('client') });
    await once(socket, 'secureConnect');
    await say(socket);
    const bare = open(t, server.ports.http, { servername });
    await assert.rejects(async () => {
      await once(bare, 'secureConnect');
      await say(bare);
    });
  }
});

// ---- mistakes -----------------------------------------------------------------------------------

async function checkApp(config) {
  const app = temporaryFolder();
  for (const [name, text] of Object.entries({ ...files, 'nonet.yaml': config }))
    fs.writeFileSync(path.join(app, name), text);
  const result = await run(['check', app]);
  result.stderr = result.stderr.replaceAll(`${app}/`, '');
  return result;
}

check('tls: what is wrong with certificates is told with its place', async () => {
  const { status, stderr } = await checkApp(`listen:
  http:
    tls:
      cert: main.pem
      key: shop.key
      certificates:
        - {cert: gone.pem, key: shop.key}
        - {cert: shop.pem, key: api.key}
        - {cert: nameless.pem, key: nameless.key}
        - {cert: twin.pem, key: twin.key}
        - {cert: renewed.pem, key: renewed.key}
        - {cert: shop.pem, key: shop.key}
`);
  assert.equal(status, 1);
  for (const expected of [
    /^nonet\.yaml:3:5: listener http: key is not usable: .*: shop\.key$/m,
    /^nonet\.yaml:7:11: listener http: cannot read the certificate: .*: gone\.pem$/m,
    /^nonet\.yaml:8:11: listener http: key is not usable: .*: api\.key$/m,
    /^nonet\.yaml:9:11: listener http: .*nameless\.pem.*\n {2}hint: .*subjectAltName/m,
    /^nonet\.yaml:12:11: certificates renewed\.pem and shop\.pem are both for shop\.example$/m,
  ])
    assert.match(stderr, expected);
});

check('tls: certificates of the WebSocket listener are looked at, too', async () => {
  const { status, stderr } = await checkApp(
    'listen: {websocket: {address: "127.0.0.1:0", tls: {cert: gone.pem, key: main.key}}}\n',
  );
  assert.equal(status, 1);
  assert.match(stderr, /listener websocket: cannot read the certificate: .*: gone\.pem$/m);
});

check('tls: a CA file that is none is told', async () => {
  const { status, stderr } = await checkApp(
    'listen: {nats: {tls: {cert: main.pem, key: main.key, ca: main.key, verify: true}}}\n',
  );
  assert.equal(status, 1);
  assert.match(stderr, /^nonet\.yaml:1:17: listener nats: CA bundle is not .*: main\.key$/m);
});

check('tls: one that has expired is a warning', async () => {
  const { status, stderr } = await checkApp(configOf(tlsOf('old', 'shop')));
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    /^nonet\.yaml:1:\d+: warning: listener http: the certificate old\.pem expired on 2020.*UTC$/m,
  );
  assert.equal(stderr.trim().split('\n').length, 1);
});
