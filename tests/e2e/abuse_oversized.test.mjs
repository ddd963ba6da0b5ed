// Too much of everything: lines, subjects, payloads, headers, subscriptions, JSON, HTTP heads.
// Each is answered by a clear error or by the end of the connection; nothing of it costs others.

import assert from 'node:assert/strict';
import { Honest, residentMib, SANITIZED } from './lib/abuse.mjs';
import { onNonet, sleep, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

const P99_MS_MAX = 1500; // of answers to the honest beside the abuse, on a busy machine
const open = async (t, server, options) => (await Raw.open(t, server)).hello(options);

// Like raw.fence(), for what takes its time.
async function slowFence(raw) {
  raw.send('PING\r\n');
  await until(() => raw.lines.includes('PONG') || raw.closed, 'PONG', 60_000);
  return raw.lines.splice(0, raw.lines.indexOf('PONG') + 1).slice(0, -1);
}

// Sends the lines that MAKE(0) to MAKE(count - 1) give, in large pieces.
function sendMany(raw, count, make) {
  for (let at = 0; at < count; at += 1000) {
    const some = Array.from({ length: Math.min(1000, count - at) }, (_, i) => make(at + i));
    raw.send(some.join(''));
  }
}

const OPERATION = "-ERR 'Unknown Protocol Operation'";
const LINE = "-ERR 'maximum control line exceeded'";
const CLOSING = [
  ['a control line of 5 KB', `PUB ${'x'.repeat(5000)} 0\r\n\r\n`, LINE],
  ['a line that does not end', `PUB ${'x'.repeat(6000)}`, LINE],
  ['a CONNECT of 100 KB', `CONNECT {"name":"${'x'.repeat(100_000)}"}\r\n`, LINE],
  ['10,000 levels of JSON', `CONNECT ${'{"a":'.repeat(10_000)}\r\n`, "-ERR 'Parser Error'"],
  ['malformed UTF-8 in CONNECT', 'CONNECT {"name":"\xff\xfe"}\r\n', "-ERR 'Parser Error'"],
  ['a payload over the maximum', 'PUB a 1048577\r\n', "-ERR 'Maximum Payload Violation'"],
  ['headers larger than the whole', 'HPUB a 20 10\r\n', OPERATION],
  ['a size of 11 digits', 'PUB a 99999999999\r\n', OPERATION],
  ['a size of 2^32', 'PUB a 4294967296\r\n', OPERATION],
  ['a negative size', 'PUB a -1\r\n', OPERATION],
  ['a size with a sign', 'PUB a +1\r\n', OPERATION],
  [
    'a size with leading zeros beyond any number',
    'PUB a 0000000000000000005\r\nhello\r\n',
    OPERATION,
  ],
  ['a count of 2^64', 'SUB a 1\r\nUNSUB 1 18446744073709551616\r\n', OPERATION],
  ['a payload longer than it says', 'PUB a 2\r\nhello\r\n', OPERATION],
  ['a request of another protocol', 'GET / HTTP/1.1\r\n\r\n', OPERATION],
  ['a verb of servers', 'MSG a 1 1\r\nx\r\n', OPERATION],
];

onNonet('abuse: oversized protocol', {}, (it) => {
  for (const [name, text, answer] of CLOSING) {
    it(`${name} ends the connection`, async (t, server) => {
      const raw = await open(t, server);
      raw.send(text);
      await raw.expect(answer);
      await raw.end();
    });
  }

  it('a subject of 4 KB and 2,000 tokens is a subject', async (t, server) => {
    const raw = await open(t, server);
    const subject = `${'a.'.repeat(2000)}a`;
    raw.send(`SUB ${subject} 1\r\nSUB ${'*.'.repeat(2000)}a 2\r\nPUB ${subject} 2\r\nhi\r\n`);
    const lines = await raw.fence();
    assert.deepEqual(lines.map((line) => line.slice(-5)).sort(), ['a 1 2', 'a 2 2', 'hi', 'hi']);
  });

  it('bytes beyond ASCII, and NUL, are bytes of a subject like others', async (t, server) => {
    const raw = await open(t, server);
    raw.send('SUB a\xff\xfe\0b 1\r\nPUB a\xff\xfe\0b 1\r\nx\r\n');
    assert.deepEqual(await raw.fence(), ['MSG a\xff\xfe\0b 1 1', 'x']);
  });

  it('no client names a subject of the node, not even as a reply', async (t, server) => {
    const raw = await open(t, server);
    for (const name of ['pubsub.reload', 'monitor', 'node.control', 'monitor.0.0', 'flow.1.1']) {
      for (const subject of ['nobody.home', '$JS.API.INFO', '$SYS.REQ.USER.INFO', '$SRV.PING']) {
        raw.send(`PUB ${subject} _NONET.${name} 16\r\n0123456789abcdef\r\n`);
        await raw.expect(
          `-ERR 'Permissions Violation for Publish with Reply of "_NONET.${name}"'`,
        );
      }
      raw.send(`PUB _NONET.${name} 0\r\n\r\nSUB _NONET.${name} 9\r\n`);
      await raw.expect(`-ERR 'Permissions Violation for Publish to "_NONET.${name}"'`);
      await raw.expect("-ERR 'Invalid Subject'");
    }
    await raw.fence();
  });
});

onNonet(
  'abuse: replies of users with rights',
  {
    config: `
auth:
  users:
    - {user: bob, password: b, publish: {allow: ["ask.>"]}, subscribe: {allow: ["_INBOX.>"]}}
    - {user: eve, password: e}
`,
  },
  (it) => {
    it('a user is answered only where he may publish or hear', async (t, server) => {
      const bob = await open(t, server, { user: 'bob', pass: 'b' });
      const eve = await open(t, server, { user: 'eve', pass: 'e' });
      eve.send('SUB > 1\r\n');
      await eve.fence();
      bob.send('PUB ask.x orders.new 0\r\n\r\n');
      await bob.expect('-ERR \'Permissions Violation for Publish with Reply of "orders.new"\'');
      bob.send('PUB ask.x _INBOX.1 0\r\n\r\nPUB ask.x ask.y 0\r\n\r\n');
      await bob.fence();
      const heard = (await eve.fence()).filter((line) => line.startsWith('MSG'));
      assert.deepEqual(heard, ['MSG ask.x 1 _INBOX.1 0', 'MSG ask.x 1 ask.y 0']);
    });
  },
);

onNonet(
  'abuse: subscriptions beyond the limit',
  {
    config: 'limits: {max_subscriptions: 1000}\n',
  },
  (it) => {
    it('are refused, by number and by tokens, and the others work', async (t, server) => {
      const raw = await open(t, server);
      sendMany(raw, 1100, (i) => `SUB n.${i} ${i}\r\n`);
      assert.deepEqual(
        await slowFence(raw),
        Array(100).fill("-ERR 'maximum subscriptions exceeded'"),
      );
      raw.send('PUB n.999 1\r\nx\r\nPUB n.1000 1\r\nx\r\n');
      assert.deepEqual(await raw.fence(), ['MSG n.999 999 1', 'x']);

      const deep = await open(t, server);
      const before = residentMib(server);
      sendMany(deep, 500, (i) => `SUB ${i}${'.a'.repeat(1990)} ${i}\r\n`);
      assert.match((await slowFence(deep)).join(), /^-ERR 'maximum subscriptions exceeded'/);
      const grown = residentMib(server) - before;
      assert.ok(SANITIZED || grown < 64, `${grown} MiB for one client's subscriptions`);
    });
  },
);

onNonet('abuse: very many subscriptions', {}, (it) => {
  const COUNT = SANITIZED ? 4_000 : 20_000;
  const BITS = 15;
  // Different patterns that all match a.a.a...: each bit of I is a star or an "a".
  const pattern = (i) =>
    Array.from({ length: BITS }, (_, bit) => ((i >> bit) & 1 ? '*' : 'a')).join('.');

  // What SUBSCRIBE makes one connection hold, and SUBJECT reaches often, must not stop others.
  const weigh = (title, subscribe, subject) =>
    it(title, async (t, server) => {
      const honest = await Honest.start(t, server);
      const raw = await open(t, server, { echo: false });
      sendMany(raw, COUNT, subscribe);
      assert.deepEqual(await slowFence(raw), []);
      honest.p99();
      // To itself, with echo off: each costs the look-up, and no output ends it.
      raw.send(`PUB ${subject} 1\r\nx\r\n`.repeat(40));
      assert.deepEqual(await slowFence(raw), []);
      await sleep(100);
      const p99 = honest.p99();
      t.diagnostic(`p99 ${p99.toFixed(1)} ms, ${residentMib(server).toFixed(0)} MiB`);
      assert.ok(p99 < P99_MS_MAX, `p99 ${p99} ms`);
    });

  weigh('of one subject', (i) => `SUB one ${i}\r\n`, 'one');
  weigh('of queue groups', (i) => `SUB two group-${i} ${i}\r\n`, 'two');
  weigh('of wildcards', (i) => `SUB ${pattern(i)} ${i}\r\n`, pattern(0));
  weigh('of wildcards with groups', (i) => `SUB ${pattern(i)} g${i} ${i}\r\n`, pattern(0));

  it('cost their own memory, and not again for each subject published', async (t, server) => {
    const raw = await open(t, server, { echo: false });
    sendMany(raw, COUNT, (i) => `SUB many.> ${i}\r\n`);
    await slowFence(raw);
    const before = residentMib(server);
    sendMany(raw, 400, (i) => `PUB many.${i >> 1} 0\r\n\r\n`); // twice each: then it may be cached
    await slowFence(raw);
    const grown = residentMib(server) - before;
    assert.ok(SANITIZED || grown < 32, `${grown} MiB`);
  });
});

onNonet('abuse: JetStream API', {}, (it) => {
  const nested = (text, end, count) => text.repeat(count) + end.repeat(count);
  const STREAM = '$JS.API.STREAM.CREATE.S';
  const REFUSED = [
    ['10,000 arrays', STREAM, `{"name":"S","subjects":${nested('[', ']', 10_000)}}`, 10025],
    ['10,000 objects', STREAM, nested('{"a":', '}', 10_000), 10025],
    [
      'a description of 1 MB',
      STREAM,
      `{"name":"S","description":"${'x'.repeat(1_000_000)}"}`,
      10052,
    ],
    [
      'metadata of 1 MB',
      STREAM,
      `{"name":"S","metadata":{"a":"${'x'.repeat(1_000_000)}"}}`,
      10052,
    ],
    [
      '60,000 subjects',
      STREAM,
      JSON.stringify({ name: 'S', subjects: Array.from({ length: 60_000 }, (_, i) => `s${i}`) }),
      10052,
    ],
    [
      '60,000 unknown keys',
      STREAM,
      `{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":1`).join()}}`,
      10025,
    ],
    ['the same key twice', STREAM, '{"name":"S","name":"S"}', 10025],
    ['malformed UTF-8', STREAM, '{"name":"S\xff"}', 10025],
    ['NUL in a name', '$JS.API.STREAM.CREATE.S\0', '{"name":"S\\u0000"}', 10052],
    ['a number below int64', STREAM, '{"name":"S","max_msgs":-9223372036854775809}', 10025],
    ['a number beyond all', STREAM, '{"name":"S","max_bytes":1e400}', 10025],
    ['a fraction', STREAM, '{"name":"S","max_msgs":1.5}', 10025],
    ['a subject with an empty token', STREAM, '{"name":"S","subjects":["a..b"]}', 10052],
    ['a subject of the node', STREAM, '{"name":"S","subjects":["_NONET.>"]}', 10052],
    ['everything', STREAM, '{"name":"S","subjects":[">"]}', 10052],
    ['no JSON at all', STREAM, '\0\0\0', 10025],
    ['a name of 3 KB', `$JS.API.STREAM.INFO.${'x'.repeat(3000)}`, '', 10059],
    ['1,900 tokens', `$JS.API.${'x.'.repeat(1900)}x`, '', 10003],
    ['an unknown call', '$JS.API.STREAM.EXPLODE', '', 10003],
  ];
  for (const [name, subject, body, code] of REFUSED) {
    it(`${name}: error ${code}`, async (t, server) => {
      const raw = await open(t, server);
      raw.send(`SUB in.1 1\r\nPUB ${subject} in.1 ${body.length}\r\n${body}\r\n`);
      await raw.expect(/^MSG in\.1 1 \d+$/);
      const { error } = JSON.parse(await raw.expect(/^{/));
      assert.equal(error.err_code, code, error.description);
      assert.ok(error.description.length < 300);
      assert.ok(SANITIZED || residentMib(server) < 100);
    });
  }

  it('pull requests with any numbers are answered or bounded', async (t, server) => {
    const raw = await open(t, server);
    const ask = async (subject, body) => {
      raw.send(`PUB ${subject} in.1 ${body.length}\r\n${body}\r\n`);
      await raw.expect(/^MSG in\.1/);
      return JSON.parse(await raw.expect(/^{/));
    };
    raw.send('SUB in.* 1\r\n');
    assert.ok(!(await ask('$JS.API.STREAM.CREATE.P', '{"name":"P","subjects":["p.>"]}')).error);
    const config = '{"stream_name":"P","config":{"durable_name":"C","ack_policy":"explicit"}}';
    assert.ok(!(await ask('$JS.API.CONSUMER.DURABLE.CREATE.P.C', config)).error);
    const NEXT = '$JS.API.CONSUMER.MSG.NEXT.P.C';
    for (const body of [
      '{"batch":18446744073709551616}',
      '{"batch":{}}',
      '{"no_wait":7}',
      nested('{"a":', '}', 10_000),
      '{"batch":1,"expires":1000,"idle_heartbeat":9223372036854775807}',
      '{"expires":"soon"}',
    ]) {
      raw.send(`PUB ${NEXT} in.2 ${body.length}\r\n${body}\r\n`);
      await raw.expect(/^NATS\/1\.0 400 Bad Request/);
    }
    // Accepted: endless, huge, and a heartbeat each nanosecond, which comes ten times a second.
    for (const body of [
      '99999999999999999999',
      '-1',
      '{"batch":99999999999999,"expires":9223372036854775807}',
      '{"batch":1,"expires":9223372036854775807,"idle_heartbeat":1}',
    ]) {
      raw.send(`PUB ${NEXT} in.3 ${body.length}\r\n${body}\r\n`);
    }
    await raw.fence();
    await sleep(1000);
    const beats = (await raw.fence()).filter((line) => line.startsWith('NATS/1.0 100')).length;
    assert.ok(beats > 0 && beats <= 25, `${beats} heartbeats in a second`);
    for (const ack of [
      '+NXT {"batch":1e999}',
      '-NAK {"delay":-9223372036854775808}',
      '\0',
      '+TERM',
    ]) {
      for (const token of ['1', '18446744073709551615', '18446744073709551616', '-1', 'x']) {
        raw.send(`PUB $JS.ACK.P.C.1.${token}.${token}.${token}.0 ${ack.length}\r\n${ack}\r\n`);
      }
    }
    await raw.fence();
  });

  it('headers are bytes until a stream looks at them', async (t, server) => {
    const raw = await open(t, server);
    raw.send('SUB in.1 1\r\n');
    const body = '{"name":"H","subjects":["h"]}';
    raw.send(`PUB $JS.API.STREAM.CREATE.H in.1 ${body.length}\r\n${body}\r\n`);
    await raw.expect(/did_create/);
    const publish = async (headers) => {
      raw.send(`HPUB h in.1 ${headers.length} ${headers.length + 1}\r\n${headers}x\r\n`);
      await raw.expect(/^MSG in\.1/);
      return JSON.parse(await raw.expect(/^{/));
    };
    const block = (lines) => `NATS/1.0\r\n${lines}\r\n`;
    assert.equal(
      (await publish(block('Nats-Expected-Last-Sequence: 18446744073709551616\r\n'))).error.code,
      400,
    );
    assert.equal((await publish(block('Nats-Expected-Last-Sequence: -1\r\n'))).error.code, 400);
    assert.equal(
      (await publish(block(`Nats-Expected-Last-Msg-Id: ${'\0\xff'.repeat(9000)}\r\n`))).error
        .code,
      400,
    );
    assert.equal((await publish(block(`Nats-Msg-Id: ${'x'.repeat(100_000)}\r\n`))).seq, 1);
    assert.equal(
      (await publish(block(`Nats-Msg-Id: ${'x'.repeat(100_000)}\r\n`))).duplicate,
      true,
    );
    assert.equal((await publish(block('a: b\r\n'.repeat(100_000)))).seq, 2);
    assert.equal((await publish('garbage')).seq, 3);
  });
});

onNonet('abuse: HTTP', {}, (it) => {
  const get =
    (fields, target = '/healthz') =>
    (host) =>
      `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
  const CASES = [
    ['length and chunked', get('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 400],
    ['two lengths', get('Content-Length: 0\r\nContent-Length: 1\r\n'), 400],
    ['a list of lengths', get('Content-Length: 5, 5\r\n'), 400],
    ['a negative length', get('Content-Length: -1\r\n'), 400],
    ['a length with a sign', get('Content-Length: +5\r\n'), 400],
    ['a length beyond all', get('Content-Length: 99999999999999999999\r\n'), 400],
    ['another coding', get('Transfer-Encoding: xchunked\r\n'), 501],
    ['chunked twice', get('Transfer-Encoding: chunked, chunked\r\n'), 400],
    ['a blank before the colon', get('Transfer-Encoding : chunked\r\n'), 400],
    ['a folded field', get('X: a\r\n b\r\n'), 400],
    ['a bare CR', get('X: a\rb\r\n'), 400],
    ['NUL', get('X: a\0b\r\n'), 400],
    ['LF alone', (host) => `GET /healthz HTTP/1.1\nHost: ${host}\n\n`, 400],
    ['no host', () => 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['two hosts', (host) => get(`Host: ${host}\r\n`)(host), 400],
    ['the host of a stranger', () => get('')('evil.example'), 403],
    ['a target of a stranger', get('', 'http://evil.example/healthz'), 403],
    ['a path that climbs', get('', '/../../etc/passwd'), 400],
    ['a path that hides it', get('', '/%2e%2e/%00'), 400],
    ['100,000 fields', get('A: b\r\n'.repeat(100_000)), 431],
    ['a field of 100 KB', get(`X: ${'x'.repeat(100_000)}\r\n`), 431],
    ['a target of 100 KB', get('', `/${'x'.repeat(100_000)}`), 414],
    ['another version', (host) => `GET / HTTP/1.9\r\nHost: ${host}\r\n\r\n`, 505],
    ['HTTP/2 by itself', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    [
      'a change without credentials',
      (host) => `POST /v1/reload HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      401,
    ],
    ['a number that is none', get('', '/connz?limit=-1'), 400],
    ['a number beyond all', get('', '/connz?limit=18446744073709551616'), 400],
  ];
  for (const [name, make, status] of CASES) {
    it(`${name}: ${status}`, async (t, server) => {
      const port = Number(server.ports.admin.split(':').pop());
      const raw = await Raw.open(t, server, { port, info: false });
      // What follows must never be taken for a request of its own by what was refused.
      raw.send(make(server.ports.admin));
      await raw.expect(new RegExp(`^HTTP/1\\.1 ${status} `));
      const response = await fetch(`${server.admin}/healthz`);
      assert.equal(response.status, 200);
    });
  }

  it('a smuggled request is not read', async (t, server) => {
    const port = Number(server.ports.admin.split(':').pop());
    const raw = await Raw.open(t, server, { port, info: false });
    const host = server.ports.admin;
    raw.send(
      `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /varz HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    );
    await raw.end(10_000);
    const starts = (raw.lines.join('\n') + raw.text).match(/HTTP\/1\.1 \d+/g);
    assert.deepEqual(starts, ['HTTP/1.1 400']);
  });

  it('2,000 requests in one piece are answered in order', async (t, server) => {
    const port = Number(server.ports.admin.split(':').pop());
    const raw = await Raw.open(t, server, { port, info: false });
    raw.send(get('')(server.ports.admin).repeat(2000));
    const count = () => raw.lines.filter((line) => /HTTP\/1\.1 200/.test(line)).length;
    await until(() => count() === 2000, '2000 answers', 20_000);
    assert.ok(SANITIZED || residentMib(server) < 100);
  });
});

onNonet('abuse: payloads that never end', {}, (it) => {
  it('hold what was sent of them, not what was announced', async (t, server) => {
    const many = await Promise.all(Array.from({ length: 500 }, () => open(t, server)));
    const before = residentMib(server);
    many.forEach((raw) => raw.send('PUB big 1048576\r\n0123456789'));
    await sleep(300);
    const grown = residentMib(server) - before;
    assert.ok(SANITIZED || grown < 16, `${grown} MiB for 5 KB`);
  });
});
