// Random bytes, and protocol lines with bytes changed, on every listener: no crash, no leak (where
// the binary is built with the sanitizers), no flood of log lines, and the honest are served.
//
// $ABUSE_SECONDS is how long (8), $ABUSE_SEED repeats a run.

import assert from 'node:assert/strict';
import net from 'node:net';
import { Honest, residentMib, SANITIZED } from './lib/abuse.mjs';
import { check, sleep, startNonet } from './lib/node.mjs';

const SECONDS = Number(process.env.ABUSE_SECONDS ?? 8);
const SEED = Number(process.env.ABUSE_SEED ?? Date.now() % 1_000_000);
const CONNECTIONS = 24;
const RESIDENT_MIB_MAX = 300;
const LOG_BYTES_MAX = 64 * 1024;

// xorshift32: a run is its seed, as far as the scheduler lets it be.
class Random {
  constructor(seed) {
    this.state = (seed * 2654435761 + 1) >>> 0 || 1;
  }

  below(limit) {
    this.state ^= this.state << 13;
    this.state >>>= 0;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    this.state >>>= 0;
    return this.state % limit;
  }

  of(list) {
    return list[this.below(list.length)];
  }

  bytes(count) {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }
}

const CONNECT = 'CONNECT {"verbose":false,"headers":true,"no_responders":true,"echo":true}\r\n';
const JSON_BODIES = [
  '{"name":"S","subjects":["s.>"]}',
  '{"name":"S","subjects":["s.*","t"],"max_msgs":10,"max_age":1000000000,"discard":"new"}',
  '{"name":"M","subjects":["m.>"],"storage":"memory","max_msgs_per_subject":1,"allow_direct":true}',
  '{"stream_name":"S","config":{"durable_name":"C","ack_policy":"explicit","ack_wait":1000000}}',
  '{"stream_name":"S","config":{"deliver_policy":"by_start_sequence","opt_start_seq":3}}',
  '{"batch":10,"expires":50000000,"idle_heartbeat":10000000}',
  '{"batch":3,"no_wait":true}',
  '{"seq":1}',
  '{"last_by_subj":"s.1"}',
  '{"seq":1,"next_by_subj":"s.>"}',
  '{"filter":"s.1","keep":1}',
  '{"offset":1}',
  '',
];
const JS_SUBJECTS = [
  ...[
    'INFO',
    'STREAM.NAMES',
    'STREAM.LIST',
    'STREAM.CREATE.S',
    'STREAM.CREATE.M',
    'STREAM.INFO.S',
  ],
  ...['STREAM.UPDATE.S', 'STREAM.MSG.GET.S', 'STREAM.MSG.DELETE.S', 'STREAM.PURGE.S'],
  ...['STREAM.DELETE.S', 'DIRECT.GET.M', 'DIRECT.GET.M.m.1', 'CONSUMER.CREATE.S'],
  ...['CONSUMER.DURABLE.CREATE.S.C', 'CONSUMER.CREATE.S.C.s.1', 'CONSUMER.INFO.S.C'],
  ...['CONSUMER.NAMES.S', 'CONSUMER.LIST.S', 'CONSUMER.DELETE.S.C', 'CONSUMER.MSG.NEXT.S.C'],
];
const ACKS = [
  '+ACK',
  '-NAK',
  '+WPI',
  '+TERM',
  '+NXT',
  '+NXT {"batch":2}',
  '-NAK {"delay":1000}',
  '',
];
const HEADERS = [
  'NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n',
  'NATS/1.0\r\nNats-Expected-Last-Sequence: 3\r\n\r\n',
  'NATS/1.0\r\nNats-Expected-Stream: S\r\nKey: value\r\n\r\n',
  'NATS/1.0 503\r\n\r\n',
];

// Bytes of TEXT changed, dropped, doubled.
function mutate(random, text) {
  let bytes = Buffer.from(text, 'latin1');
  for (let i = 1 + random.below(3); i > 0 && bytes.length; i--) {
    const at = random.below(bytes.length);
    const to = at + 1 + random.below(8);
    bytes = random.of([
      () =>
        Buffer.concat([
          bytes.subarray(0, at),
          random.bytes(1 + random.below(4)),
          bytes.subarray(at),
        ]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
      () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
      () => {
        const changed = Buffer.from(bytes);
        changed[at] ^= 1 << random.below(8);
        return changed;
      },
    ])();
  }
  return bytes;
}

// Mutated one time of SHARE: a wrong line ends the connection, a wrong body does not.
const some = (random, share, text) =>
  random.below(share) ? text : mutate(random, text).toString('latin1');

const pub = (subject, reply, body) => `PUB ${subject} ${reply} ${body.length}\r\n${body}\r\n`;
const hpub = (subject, headers, body) =>
  `HPUB ${subject} in.1 ${headers.length} ${headers.length + body.length}\r\n${headers}${body}\r\n`;
const natsLines = (random) => {
  const number = random.below(9);
  return random.of([
    () => CONNECT,
    () => 'PING\r\n',
    () => 'PONG\r\n',
    () => `SUB ${random.of(['s.>', 'in.*', '>', 'a.b', '*.1', '$JS.>'])} ${number}\r\n`,
    () => `SUB s.${number} group ${number}\r\n`,
    () => `UNSUB ${number} ${random.below(3)}\r\n`,
    () => pub(`s.${number}`, 'in.1', 'x'.repeat(random.below(300))),
    () => pub(`m.${number}`, 'in.1', 'y'),
    () => hpub(`s.${number}`, some(random, 3, random.of(HEADERS)), 'z'),
    () =>
      pub(`$JS.API.${random.of(JS_SUBJECTS)}`, 'in.1', some(random, 3, random.of(JSON_BODIES))),
    () => pub(`$JS.ACK.S.C.1.${number}.${number}.1.0`, 'in.1', some(random, 3, random.of(ACKS))),
    () =>
      pub(
        `$SYS.REQ.${random.of(['USER.INFO', 'SERVER.PING', 'SERVER.PING.CONNZ'])}`,
        'in.1',
        some(random, 3, '{}'),
      ),
    () => pub(`$SRV.${random.of(['PING', 'INFO', 'STATS'])}`, 'in.1', ''),
  ])();
};

const httpLines = (host) => (random) => {
  const path = random.of([
    '/healthz',
    '/varz',
    '/connz?subs=1',
    '/subsz?subs=1',
    '/jsz',
    '/metrics',
    '/v1/status',
    '/x',
  ]);
  const head = (method, fields) => `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
  return random.of([
    () => head('GET', ''),
    () => head('HEAD', 'Connection: close\r\n'),
    () => `${head('POST', 'Content-Length: 5\r\n')}hello`,
    () => `${head('POST', 'Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\n\r\n`,
    () => head('OPTIONS', 'Origin: http://evil.example\r\n'),
    () => head('GET', 'Authorization: Basic YTpi\r\nExpect: 100-continue\r\n'),
  ])();
};

// One connection after the other until DEADLINE, each told lines until the server has had enough.
async function babble(random, port, lines, deadline) {
  while (Date.now() < deadline) {
    const socket = net
      .connect(port, '127.0.0.1')
      .on('error', () => {})
      .on('data', () => {});
    let open = true;
    socket.on('close', () => (open = false));
    const raw = random.below(8) === 0;
    if (lines === natsLines) socket.write(CONNECT);
    for (let i = 0; i < 60 && open && Date.now() < deadline; i++) {
      const count = 1 + random.below(6);
      for (let j = 0; j < count; j++) {
        const bytes = Buffer.from(
          raw ? random.bytes(1 + random.below(400)) : some(random, 16, lines(random)),
          'latin1',
        );
        const cut = random.below(bytes.length + 1);
        socket.write(bytes.subarray(0, cut));
        if (random.below(4) === 0) await sleep(1);
        socket.write(bytes.subarray(cut));
      }
      await sleep(random.below(3));
    }
    if (random.below(2)) socket.destroy();
    else socket.end();
  }
  return true;
}

check(`abuse: noise for ${SECONDS} s (ABUSE_SEED=${SEED})`, async (t) => {
  const server = await startNonet(t, { args: ['--log', 'info'] });
  const honest = await Honest.start(t, server);
  const deadline = Date.now() + SECONDS * 1000;
  const adminPort = Number(server.ports.admin.split(':').pop());
  const talkers = Array.from({ length: CONNECTIONS }, (_, i) => {
    const random = new Random(SEED + i);
    return i % 3
      ? babble(random, server.port, natsLines, deadline)
      : babble(random, adminPort, httpLines(server.ports.admin), deadline);
  });
  await Promise.race([Promise.all(talkers), server.exited]);
  assert.equal(server.exit, null, server.tail());
  const p99 = honest.p99();
  const resident = residentMib(server);
  t.diagnostic(
    `p99 ${p99.toFixed(1)} ms, ${resident.toFixed(0)} MiB, ${server.log.length} bytes of log`,
  );
  assert.ok(SANITIZED || resident < RESIDENT_MIB_MAX, `${resident} MiB`);
  await honest.stop();
  assert.ok(server.log.length < LOG_BYTES_MAX, `${server.log.length} bytes of log`);
  assert.deepEqual(await server.stop(), { status: 0, signal: null }, server.tail());
});
