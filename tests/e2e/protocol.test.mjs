// The protocol, line by line, from a bare socket: what a client library matches on.

import assert from 'node:assert/strict';
import { onBoth, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const open = async (t, server, options) => (await Raw.open(t, server)).hello(options);
// The same under a limit of connections: a server may still count one that has just been closed.
const openOnceFree = (t, server) =>
  until(() => open(t, server).catch(() => null), 'a free place');
const isError = (text) => `-ERR '${text}'`;

onBoth('protocol', {}, (it) => {
  it('INFO says what clients ask for', async (t, server) => {
    const { info } = await Raw.open(t, server);
    assert.equal(info.proto, 1);
    assert.equal(info.headers, true);
    assert.equal(info.jetstream, true);
    assert.equal(info.max_payload, 1_048_576);
    assert.equal(info.port, server.port);
    assert.match(info.version, /^2\.\d+\.\d+$/);
    assert.match(info.server_id, /^\S{10,}$/);
    assert.ok(info.server_name.length > 0);
    assert.ok(Number.isInteger(info.client_id));
    assert.equal(info.client_ip, '127.0.0.1');
    assert.ok(!info.auth_required && !info.tls_required);
  });

  it('verbose confirms every line', async (t, server) => {
    const raw = await Raw.open(t, server);
    raw.send('CONNECT {"verbose":true}\r\n');
    await raw.expect('+OK');
    raw.send('SUB v 1\r\n');
    await raw.expect('+OK');
    raw.send('PUB v 2\r\nhi\r\n');
    await raw.expect('+OK');
    raw.send('UNSUB 1\r\n');
    await raw.expect('+OK');
    raw.send('PING\r\n');
    await raw.expect('PONG');
  });

  it('without CONNECT the defaults hold: verbose', async (t, server) => {
    const raw = await Raw.open(t, server);
    raw.send('SUB w 1\r\n');
    await raw.expect('+OK');
  });

  it('a message is delivered as MSG and HMSG with exact lengths', async (t, server) => {
    const raw = await open(t, server);
    raw.send('SUB a.* 7\r\nPUB a.b 5\r\nhello\r\nPUB a.c reply.to 0\r\n\r\n');
    raw.send('HPUB a.d 12 14\r\nNATS/1.0\r\n\r\nhi\r\n');
    raw.send('HPUB a.e re 20 20\r\nNATS/1.0\r\nKey: v\r\n\r\n\r\n');
    assert.deepEqual(await raw.fence(), [
      ...['MSG a.b 7 5', 'hello'],
      ...['MSG a.c 7 reply.to 0', ''],
      ...['HMSG a.d 7 12 14', 'NATS/1.0', '', 'hi'],
      ...['HMSG a.e 7 re 20 20', 'NATS/1.0', 'Key: v', '', ''],
    ]);
  });

  it('verbs are read in any case and with any blanks', async (t, server) => {
    const raw = await open(t, server);
    raw.send('sub  case \t 1\r\nPuB case   2\r\nok\r\nuNsUb 1\r\npub case 2\r\nno\r\n');
    assert.deepEqual(await raw.fence(), ['MSG case 1 2', 'ok']);
  });

  it('bytes may come one at a time', async (t, server) => {
    const raw = await open(t, server);
    raw.socket.setNoDelay(true);
    for (const byte of 'SUB slow 9\r\nPUB slow 3\r\nabc\r\nPING\r\n') {
      raw.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await raw.expect('MSG slow 9 3');
    await raw.expect('abc');
    await raw.expect('PONG');
  });

  it('a client without headers gets MSG without them', async (t, server) => {
    const plain = await open(t, server, { headers: false, no_responders: false });
    const rich = await open(t, server);
    plain.send('SUB h 1\r\n');
    await plain.fence();
    rich.send('HPUB h 12 14\r\nNATS/1.0\r\n\r\nhi\r\n');
    await plain.expect('MSG h 1 2');
    await plain.expect('hi');
  });

  it('a request without responders is answered by status 503', async (t, server) => {
    const raw = await open(t, server);
    raw.send('SUB inbox 1\r\nPUB nobody inbox 0\r\n\r\n');
    await raw.expect(/^HMSG inbox 1 16 16$/);
    await raw.expect('NATS/1.0 503');
    const quiet = await open(t, server, { no_responders: false });
    quiet.send('SUB inbox 1\r\nPUB nobody inbox 0\r\n\r\n');
    assert.deepEqual(await quiet.fence(), []);
  });

  it('errors that leave the connection open', async (t, server) => {
    const raw = await open(t, server, { pedantic: true });
    for (const [line, text] of [
      ['SUB a..b 1\r\n', 'Invalid Subject'],
      ['SUB a.>.b 1\r\n', 'Invalid Subject'],
      ['SUB .a 1\r\n', 'Invalid Subject'],
      ['SUB a. 1\r\n', 'Invalid Subject'],
      ['PUB a.* 0\r\n\r\n', 'Invalid Publish Subject'],
      ['PUB a..b 0\r\n\r\n', 'Invalid Publish Subject'],
      ['PUB > 0\r\n\r\n', 'Invalid Publish Subject'],
    ]) {
      raw.send(line);
      assert.deepEqual(await raw.fence(), [isError(text)], line);
    }
  });

  for (const [title, bytes, text] of [
    ['an unknown verb', 'HELLO\r\n', 'Unknown Protocol Operation'],
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n', 'Unknown Protocol Operation'],
    ['binary', '\x16\x03\x01\x02\0\x01', 'Unknown Protocol Operation'],
    ['a payload over the limit', 'PUB big 1048577\r\n', 'Maximum Payload Violation'],
    ['a payload far over the limit', 'PUB big 99999999999\r\n', /./],
    ['a size that is no number', 'PUB x abc\r\n', /./],
    ['a negative size', 'PUB x -1\r\n', /./],
    ['a payload without its end', 'PUB x 2\r\nabcd\r\n', /./],
    ['too few arguments', 'SUB\r\n', /./],
    ['too many arguments', 'PUB a b c d e 1\r\n', /./],
    ['header size over the total', 'HPUB x 20 10\r\nNATS/1.0\r\n\r\n', /./],
    ['CONNECT without JSON', 'CONNECT {oops\r\n', /./],
    ['a line that never ends', `SUB ${'x'.repeat(8192)}`, 'Maximum Control Line Exceeded'],
  ]) {
    it(`${title} closes the connection`, async (t, server) => {
      const raw = await open(t, server);
      raw.send(bytes);
      await raw.end();
      if (typeof text !== 'string') return; // words differ, the end does not
      assert.ok(
        raw.lines
          .concat(raw.text)
          .some((line) =>
            line.toLowerCase().startsWith(isError(text).toLowerCase().slice(0, -1)),
          ),
        JSON.stringify(raw.lines),
      );
    });
  }

  it('a header block on a connection without headers closes it', async (t, server) => {
    const raw = await open(t, server, { headers: false, no_responders: false });
    raw.send('HPUB h 12 12\r\nNATS/1.0\r\n\r\n\r\n');
    await raw.end();
  });

  it('UNSUB: at once, after a maximum, below what came, and of nothing', async (t, server) => {
    const raw = await open(t, server);
    const pub = (count) => 'PUB u 1\r\nx\r\n'.repeat(count);
    raw.send(`SUB u 1\r\n${pub(2)}UNSUB 1 2\r\n${pub(1)}`);
    assert.equal((await raw.fence()).length, 4);
    raw.send(`SUB u 2\r\nUNSUB 2 3\r\n${pub(5)}`);
    assert.equal((await raw.fence()).length, 6);
    raw.send(`SUB u 3\r\nUNSUB 3\r\n${pub(1)}UNSUB 77\r\nUNSUB 3 1\r\n`);
    assert.deepEqual(await raw.fence(), []);
  });

  it('a second SUB with a known sid changes nothing', async (t, server) => {
    const raw = await open(t, server);
    raw.send('SUB first 1\r\nSUB second 1\r\nPUB second 1\r\nx\r\nPUB first 1\r\ny\r\n');
    assert.deepEqual(await raw.fence(), ['MSG first 1 1', 'y']);
  });

  it('PONG follows everything that was sent before PING', async (t, server) => {
    const raw = await open(t, server);
    raw.send(`SUB fence 1\r\n${'PUB fence 1\r\nx\r\n'.repeat(1000)}`);
    assert.equal((await raw.fence()).length, 2000);
    raw.send('PING\r\nPING\r\nPING\r\n');
    for (let i = 0; i < 3; i++) await raw.expect('PONG');
  });

  it('a client that goes in the middle of a message leaves nothing behind', async (t, server) => {
    const watcher = await open(t, server);
    watcher.send('SUB cut 1\r\n');
    await watcher.fence();
    for (const part of ['PUB cut 5\r\nabc', 'PUB cut', 'PUB cut 5\r\nabcde']) {
      const raw = await open(t, server);
      raw.socket.end(part);
      await raw.end();
    }
    watcher.send('PUB cut 1\r\nz\r\n');
    assert.deepEqual(await watcher.fence(), ['MSG cut 1 1', 'z']);
  });
});

onBoth(
  'protocol: a client that is silent',
  {
    config: 'limits: {ping_interval: 100ms, ping_max: 2, auth_timeout: 300ms}\n',
    nats: 'ping_interval: "100ms"\nping_max: 2\n',
  },
  (it) => {
    it('is pinged, and given up when it does not answer', async (t, server) => {
      const raw = await open(t, server);
      await raw.expect('PING');
      await raw.end();
      assert.match(raw.lines.join(), /-ERR 'Stale Connection'/);
    });

    it('stays as long as it answers', async (t, server) => {
      const raw = await open(t, server);
      for (let i = 0; i < 8; i++) {
        await raw.expect('PING');
        raw.send('PONG\r\n');
      }
      assert.ok(!raw.closed);
    });
  },
);

onBoth(
  'protocol: limits',
  {
    config: 'limits: {max_payload: 1000, max_connections: 3, max_subscriptions: 2}\n',
    nats: 'max_payload: 1000\nmax_connections: 3\nmax_subscriptions: 2\n',
  },
  (it) => {
    it('max_payload is told in INFO and kept', async (t, server) => {
      const raw = await open(t, server);
      assert.equal(raw.info.max_payload, 1000);
      raw.send(`SUB p 1\r\nPUB p 1000\r\n${'x'.repeat(1000)}\r\n`);
      assert.equal((await raw.fence()).length, 2);
      raw.send('PUB p 1001\r\n');
      await raw.expect(isError('Maximum Payload Violation'));
      await raw.end();
    });

    it('headers count as payload', async (t, server) => {
      const raw = await open(t, server);
      raw.send('HPUB p 12 1001\r\n');
      await raw.expect(isError('Maximum Payload Violation'));
      await raw.end();
    });

    it('one connection too many is told so and closed', async (t, server) => {
      const clients = [];
      for (let i = 0; i < 3; i++) clients.push(await openOnceFree(t, server));
      const extra = await Raw.open(t, server, { info: false });
      await extra.end();
      assert.match(extra.lines.join(), /-ERR 'maximum connections exceeded'/i);
      clients[0].socket.destroy();
      await openOnceFree(t, server);
    });

    it('one subscription too many is refused, and the others stay', async (t, server) => {
      const raw = await openOnceFree(t, server);
      raw.send('SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n');
      const lines = await raw.fence();
      assert.match(lines.join(), /-ERR 'maximum subscriptions exceeded'/i);
      raw.send('PUB a 1\r\nx\r\nPUB c 1\r\nx\r\n');
      assert.deepEqual(await raw.fence(), ['MSG a 1 1', 'x']);
    });
  },
);

onBoth(
  'protocol: slow consumers',
  {
    config: 'limits: {max_pending: 1MB, write_deadline: 1s}\n',
    nats: 'max_pending: 1MB\nwrite_deadline: "1s"\n',
  },
  (it) => {
    it('who does not read is cut off, and the others get everything', async (t, server) => {
      const [slow, fast] = [await open(t, server), await server.connect(t)];
      slow.send('SUB flood 1\r\n');
      await slow.fence();
      slow.socket.pause();
      let bytes = 0;
      fast.subscribe('flood', { callback: (error, message) => (bytes += message.data.length) });
      await fast.flush();
      const publisher = await server.connect(t);
      const payload = Buffer.alloc(32_768);
      const count = 400; // 13 MB, more than the sockets between us hold
      for (let i = 0; i < count; i++) {
        publisher.publish('flood', payload);
        if (i % 10 === 9)
          await until(() => bytes === (i + 1) * payload.length, 'the fast reader');
      }
      slow.socket.resume();
      await slow.end();
      await publisher.flush();
    });
  },
);
