// TLS, with certificates made here: encryption, whose certificate, client certificates.

import assert from 'node:assert/strict';
import { Certificates } from './lib/certificates.mjs';
import { onBoth, onNonet, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const made = new Certificates();
made.authority('authority');
made.authority('stranger');
const forServers = 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n';
made.signed('server', 'authority', forServers);
made.signed('renewed', 'authority', forServers);
made.signed('client', 'authority', 'extendedKeyUsage=clientAuth\n');
made.signed('intruder', 'stranger', 'extendedKeyUsage=clientAuth\n');

const read = (name) => made.read(name);
const files = made.files('server', 'authority', 'renewed');
const ca = read('authority.pem');
const own = (name) => ({ ca, ...made.own(name) });

onBoth(
  'tls',
  {
    config: 'listen: {nats: {tls: {cert: server.pem, key: server.key}}}\n',
    nats: 'tls { cert_file: server.pem, key_file: server.key }\n',
    files,
  },
  (it) => {
    it('a client that trusts the authority talks', async (t, server) => {
      const nc = await server.connect(t, { tls: { ca } });
      assert.equal(nc.info.tls_required, true);
      const got = [];
      nc.subscribe('a', { callback: (error, message) => got.push(message.data.length) });
      for (let i = 0; i < 50; i++) nc.publish('a', Buffer.alloc(i * 4000));
      await nc.flush();
      await until(() => got.length === 50);
      got.forEach((length, i) => assert.equal(length, i * 4000));
    });

    it('many of them at once', async (t, server) => {
      const clients = await Promise.all(
        Array.from({ length: 50 }, () => server.connect(t, { tls: { ca } })),
      );
      let got = 0;
      for (const nc of clients) nc.subscribe('all', { callback: () => got++ });
      await Promise.all(clients.map((nc) => nc.flush()));
      clients[7].publish('all');
      await until(() => got === 50, 'all to hear it');
    });

    it('a client that does not trust it goes away', async (t, server) => {
      await assert.rejects(server.connect(t, { tls: {} }));
      await assert.rejects(server.connect(t, { tls: { ca: read('stranger.pem') } }));
      await (await server.connect(t, { tls: { ca } })).flush();
    });

    it('a plain client is sent away', async (t, server) => {
      const raw = await Raw.open(t, server);
      assert.equal(raw.info.tls_required, true);
      raw.send('CONNECT {"verbose":false}\r\nPING\r\n');
      await raw.end();
      assert.ok(!raw.lines.includes('PONG'));
    });

    it('garbage in place of a handshake harms nobody', async (t, server) => {
      for (let i = 0; i < 20; i++) {
        const raw = await Raw.open(t, server);
        const bytes = Buffer.alloc(600).map((_, at) => (at * i * 7 + i) & 0xff);
        bytes.set([0x16, 0x03, 0x01]);
        raw.send(bytes);
        raw.socket.end();
        await raw.end();
      }
      await (await server.connect(t, { tls: { ca } })).flush();
    });

    it('TLS 1.2 and 1.3 are spoken, 1.1 is not', async (t, server) => {
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const raw = await Raw.open(t, server, {
          tls: { ca, host: 'localhost', minVersion: version, maxVersion: version },
        });
        assert.equal(raw.socket.getProtocol(), version);
        await raw.hello();
      }
      await assert.rejects(
        Raw.open(t, server, {
          tls: { ca, host: 'localhost', minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
        }),
      );
    });
  },
);

onBoth(
  'tls: certificates of clients',
  {
    config:
      'listen: {nats: {tls: ' +
      '{cert: server.pem, key: server.key, ca: authority.pem, verify: true}}}\n',
    nats:
      'tls { cert_file: server.pem, key_file: server.key, ca_file: authority.pem, verify: true }',
    files,
  },
  (it) => {
    const refused = async (t, server, options) => {
      await assert.rejects(async () => {
        const nc = await server.connect(t, { tls: options });
        await nc.flush(); // TLS 1.3 tells a client after its handshake
      });
    };

    it('one of the right authority is let in', async (t, server) => {
      const nc = await server.connect(t, { tls: own('client') });
      assert.equal(nc.info.tls_verify, true);
      await nc.flush();
    });

    it('none is refused', (t, server) => refused(t, server, { ca }));
    it('one of another authority is refused', (t, server) => refused(t, server, own('intruder')));
  },
);

onNonet(
  'tls: reload',
  {
    config: 'listen: {nats: {tls: {cert: server.pem, key: server.key}}}\n',
    files,
  },
  (it) => {
    const shown = async (t, server) => {
      const raw = await Raw.open(t, server, { tls: { ca, host: 'localhost' } });
      return raw.socket.getPeerCertificate().subject.CN;
    };

    it('a new certificate is shown to new clients, and old clients stay', async (t, server) => {
      const nc = await server.connect(t, { tls: { ca } });
      assert.equal(await shown(t, server), 'server');
      const config = 'listen: {nats: {tls: {cert: renewed.pem, key: renewed.key}}}\n';
      assert.match(await server.reload(config), /reloaded/);
      assert.equal(await shown(t, server), 'renewed');
      await nc.flush();
    });

    it('one whose file is missing is refused, and the old one goes on', async (t, server) => {
      const config = 'listen: {nats: {tls: {cert: gone.pem, key: renewed.key}}}\n';
      assert.match(await server.reload(config), /refused/);
      assert.equal(await shown(t, server), 'renewed');
    });
  },
);
