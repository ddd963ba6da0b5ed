// Bad input on every listener: a clear error or a closed connection, and honest clients served.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { onNonet, sleep, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const DEEP = 100_000;
const MEMORY_MAX = 400e6;

// Numbers that look random and are the same in every run.
function randomBytes(seed, length) {
  const bytes = Buffer.alloc(length);
  let state = BigInt(seed) * 6364136223846793005n + 1442695040888963407n;
  for (let i = 0; i < length; i++) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    bytes[i] = Number(state >> 56n);
  }
  return bytes;
}

function residentBytes(server) {
  return (
    Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) * 1024
  );
}

// Sends BYTES to a port, ends, and waits for the other side's end.
function throwAt(port, bytes) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (part) => (answer += part.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    socket.end(bytes);
    setTimeout(() => socket.destroy(), 5000).unref();
  });
}

// An honest client that publishes, is answered and consumes while BODY goes on.
async function honestMeanwhile(t, server, body) {
  const nc = await server.connect(t);
  nc.subscribe('honest', { callback: (error, message) => message.respond(message.data) });
  await nc.flush();
  let [served, over] = [0, false];
  const serve = (async () => {
    while (!over) {
      const text = `request ${served}`;
      assert.equal((await nc.request('honest', text, { timeout: 5000 })).string(), text);
      served++;
    }
  })();
  try {
    await body();
    const before = served;
    await until(() => served > before + 10, 'the honest client to go on');
  } finally {
    over = true;
    await serve;
  }
  assert.equal(server.exit, null);
  assert.ok(residentBytes(server) < MEMORY_MAX, `${residentBytes(server)} bytes`);
}

const open = async (t, server, options) => (await Raw.open(t, server)).hello(options);

onNonet('hostile', { listen: { http: 0 } }, (it) => {
  it('random bytes on every listener', async (t, server) => {
    const ports = Object.values(server.ports).map((address) => Number(address.split(':').pop()));
    assert.equal(ports.length, 3);
    await honestMeanwhile(t, server, async () => {
      for (let seed = 0; seed < 60; seed++) {
        const bytes = randomBytes(seed, 1 + seed * 97);
        await Promise.all(ports.map((port) => throwAt(port, bytes)));
      }
    });
  });

  it('verbs with random arguments', async (t, server) => {
    const verbs = [
      'CONNECT',
      'PUB',
      'HPUB',
      'SUB',
      'UNSUB',
      'PING',
      'PONG',
      'MSG',
      'INFO',
      '+OK',
    ];
    await honestMeanwhile(t, server, async () => {
      for (let seed = 0; seed < 150; seed++) {
        const random = randomBytes(seed, 200)
          .toString('latin1')
          .replace(/[\r\n]/g, ' ');
        await throwAt(
          server.port,
          Buffer.from(
            `CONNECT {"verbose":false}\r\n${verbs[seed % verbs.length]} ${random}\r\n${random}`,
            'latin1',
          ),
        );
      }
    });
  });

  it('lines and bodies without end', async (t, server) => {
    await honestMeanwhile(t, server, async () => {
      const line = Buffer.alloc(4_000_000, 'x');
      await throwAt(server.port, line);
      await throwAt(server.port, Buffer.concat([Buffer.from('CONNECT {"a":"'), line]));
      await throwAt(server.port, Buffer.concat([Buffer.from('SUB '), line]));
      const admin = Number(server.ports.admin.split(':').pop());
      await throwAt(admin, line);
      await throwAt(admin, Buffer.concat([Buffer.from('GET /'), line]));
      await throwAt(
        admin,
        Buffer.concat([Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nX: '), line]),
      );
      const fields = Array.from({ length: 20_000 }, (_, i) => `X-${i}: y\r\n`).join('');
      await throwAt(admin, `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
      await throwAt(
        admin,
        Buffer.concat([
          Buffer.from(
            'POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n',
          ),
          line,
        ]),
      );
    });
  });

  it('JSON that is deep, broken or not UTF-8', async (t, server) => {
    const texts = [
      '['.repeat(DEEP),
      '{"a":'.repeat(DEEP),
      `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`,
      '{"name":"\xff\xfe"}',
      '{"name":"\\ud800"}',
      `{"name":"${'x'.repeat(50_000)}"}`,
      '{"name":1e999999}',
      '{"batch":-1,"expires":-1}',
      '{"batch":99999999999999999999}',
      `{${Array.from({ length: 3000 }, (_, i) => `"k${i}":${i}`).join()}}`,
    ];
    await honestMeanwhile(t, server, async () => {
      for (const text of texts) {
        const raw = await Raw.open(t, server);
        raw.send(`CONNECT ${text}\r\nPING\r\n`);
        await until(() => raw.closed || raw.lines.includes('PONG'), 'an answer or an end');
        raw.socket.destroy();
      }
      const nc = await server.connect(t);
      const jsm = await jetstreamManager(nc);
      await jsm.streams.add({ name: 'H', subjects: ['h'] }).catch(() => {});
      await jsm.consumers.add('H', { durable_name: 'c', ack_policy: 'explicit' });
      for (const text of texts) {
        const bytes = Buffer.from(text, 'latin1');
        for (const subject of [
          'STREAM.CREATE.X',
          'STREAM.UPDATE.H',
          'STREAM.INFO.H',
          'STREAM.PURGE.H',
          'STREAM.MSG.GET.H',
          'CONSUMER.CREATE.H',
          'CONSUMER.DURABLE.CREATE.H.d',
          'CONSUMER.LIST.H',
          'CONSUMER.MSG.NEXT.H.c',
          'STREAM.LIST',
          'STREAM.NAMES',
        ]) {
          const timeout = subject === 'CONSUMER.MSG.NEXT.H.c' ? 100 : 5000;
          await nc.request(`$JS.API.${subject}`, bytes, { timeout }).catch((error) => {
            assert.match(error.message, /timeout/, subject); // a pull may wait for messages
            assert.equal(subject, 'CONSUMER.MSG.NEXT.H.c');
          });
        }
      }
      assert.equal((await jsm.streams.info('H')).config.name, 'H');
    });
  });

  it('subjects and names that are none', async (t, server) => {
    const nc = await server.connect(t);
    const names = [
      '',
      '.',
      '..',
      '*',
      '>',
      'a b',
      'x'.repeat(300),
      '../../etc/passwd',
      'é',
      'a/b',
      'a\\b',
      '%00',
      'CON',
      '$JS',
      '-',
      "'",
      '{}',
    ];
    await honestMeanwhile(t, server, async () => {
      for (const name of names) {
        const config = JSON.stringify({
          name,
          subjects: [`names.${Buffer.from(name).toString('hex')}x`],
        });
        const token = /^[^\s.*>]+$/.test(name) ? name : 'X';
        const answer = (
          await nc.request(`$JS.API.STREAM.CREATE.${token}`, config, { timeout: 3000 })
        ).json();
        if (!answer.error) {
          assert.equal(answer.config.name, name === '' ? 'X' : name);
          await nc.request(`$JS.API.STREAM.DELETE.${token}`, '', { timeout: 3000 });
        }
      }
      const raw = await open(t, server, { pedantic: true });
      for (const subject of ['a..b', '.', '\xff\xfe', `${'a.'.repeat(1000)}b`, '\x01']) {
        raw.send(`SUB ${subject} 1\r\nPUB ${subject} 1\r\nx\r\nUNSUB 1\r\n`);
        await raw.fence();
      }
    });
  });

  it('acknowledgements, replies and inboxes made up', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'FAKE', subjects: ['fake'] });
    await jsm.consumers.add('FAKE', { durable_name: 'c', ack_policy: 'explicit' });
    await jetstream(nc).publish('fake', 'x');
    await honestMeanwhile(t, server, async () => {
      const acks = [
        '$JS.ACK.FAKE.c.1.1.1.0.0',
        '$JS.ACK.FAKE.c.1.99.99.1.0',
        '$JS.ACK.FAKE.c',
        '$JS.ACK.FAKE.c.-1.-1.-1.-1.-1',
        '$JS.ACK.NONE.c.1.1.1.1.1',
        '$JS.ACK.FAKE.none.1.1.1.1.1',
        `$JS.ACK.FAKE.c.${'9'.repeat(30)}.1.1.1.1`,
        '$JS.ACK.FAKE.c.1.1.1.1.1.1.1.1.1.1.1',
      ];
      for (const subject of acks) {
        for (const body of [
          '',
          '+ACK',
          '-NAK',
          '-NAK {"delay":-5}',
          '-NAK {',
          '+WPI',
          '+TERM',
          '+NXT',
          '+NXT {',
          '+NXT 99999999999',
          'what?',
          '\0'.repeat(1000),
        ]) {
          nc.publish(subject, body, { reply: '_INBOX.made.up' });
        }
      }
      await nc.flush();
      nc.publish('$JS.API.STREAM.INFO.FAKE', '', { reply: '$JS.API.STREAM.INFO.FAKE' });
      nc.publish('fake', 'loop', { reply: 'fake' });
      await nc.flush();
      await sleep(200);
    });
    const { state } = await jsm.streams.info('FAKE');
    assert.ok(
      state.messages < 10_000,
      `${state.messages} messages: a reply that captures itself`,
    );
    const consumer = await jetstream(nc).consumers.get('FAKE', 'c');
    assert.equal((await consumer.next({ expires: 2000 })).seq, 1);
  });

  it('header blocks that are none', async (t, server) => {
    const watcher = await open(t, server);
    watcher.send('SUB heads 1\r\n');
    await watcher.fence();
    const nc = await server.connect(t);
    await (await jetstreamManager(nc)).streams.add({ name: 'HEADS', subjects: ['heads.kept'] });
    await honestMeanwhile(t, server, async () => {
      const blocks = [
        '',
        'NATS/1.0',
        'NATS/1.0\r\n',
        'NATS/9.9\r\n\r\n',
        'HTTP/1.1\r\n\r\n',
        'NATS/1.0\r\nno colon\r\n\r\n',
        'NATS/1.0\r\n: v\r\n\r\n',
        'NATS/1.0\r\nk:\xff\r\n\r\n',
        'NATS/1.0\r\nNats-Msg-Id: \r\n\r\n',
        'NATS/1.0\r\nNats-Expected-Last-Sequence: x\r\n\r\n',
        `NATS/1.0\r\nNats-Msg-Id: ${'i'.repeat(60_000)}\r\n\r\n`,
        `NATS/1.0\r\n${'k: v\r\n'.repeat(10_000)}\r\n`,
        '\0\0\0\0',
      ];
      for (const block of blocks) {
        for (const subject of ['heads', 'heads.kept']) {
          const raw = await open(t, server);
          raw.send(
            `HPUB ${subject} ${block.length} ${block.length + 1}\r\n${block}x\r\nPING\r\n`,
          );
          await until(() => raw.closed || raw.lines.includes('PONG'), 'an answer or an end');
          raw.socket.destroy();
        }
      }
    });
    assert.ok(!watcher.closed);
  });

  it('connections by the hundred that say nothing, half a line, or leave', async (t, server) => {
    await honestMeanwhile(t, server, async () => {
      const sockets = [];
      for (let i = 0; i < 600; i++) {
        const socket = net.connect(
          [server.port, Number(server.ports.admin.split(':').pop())][i % 2],
          '127.0.0.1',
        );
        socket.on('error', () => {});
        if (i % 3 === 0) socket.write('CONNECT {"ver');
        if (i % 3 === 1) socket.write('GET /varz HT');
        sockets.push(socket);
      }
      await sleep(300);
      for (const socket of sockets) socket.destroy();
    });
  });

  it('a hundred thousand subscriptions of one client, and their end', async (t, server) => {
    await honestMeanwhile(t, server, async () => {
      const raw = await open(t, server);
      for (let i = 0; i < 100_001; i += 1000) {
        raw.send(
          Array.from({ length: 1000 }, (_, j) => `SUB s.${i + j}.* ${i + j}\r\n`).join(''),
        );
      }
      raw.send('PING\r\n');
      await raw.expect('PONG', 20_000);
      raw.socket.destroy();
      await raw.end();
    });
  });
});
