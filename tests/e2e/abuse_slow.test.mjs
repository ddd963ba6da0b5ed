// Ten thousand connections that do things slowly, or not at all: each is closed at its deadline
// where it has one, memory stays bounded, and who is honest is served as if they were not there.

import assert from 'node:assert/strict';
import { crowd, hears, Honest, residentMib, SANITIZED, socketsMax } from './lib/abuse.mjs';
import { onNonet, sleep, until } from './lib/node.mjs';

const TOTAL = Math.min(10_000, socketsMax());
const EACH = Math.floor(TOTAL / 5);
const NEVER_READING = 4; // the kernel holds megabytes for each
const P99_MS_MAX = 250; // of answers beside the crowd; the machine may be busy with other tests
const RESIDENT_MIB_MAX = 200;
const LOGIN = 'CONNECT {"user":"ann","pass":"secret","verbose":false}\r\nPING\r\n';

async function logIn(stranger, then) {
  stranger.send(LOGIN);
  await hears(stranger, 'PONG');
  assert.ok(!stranger.closed, stranger.heard);
  stranger.send(then);
}

// One byte of TEXT to each of STRANGERS every MS, until all are closed or the text is over.
async function drip(strangers, text, ms) {
  for (const byte of text) {
    const open = strangers.filter((stranger) => !stranger.closed);
    if (!open.length) return;
    open.forEach((stranger) => stranger.send(byte));
    await sleep(ms);
  }
}

onNonet(
  `abuse: ${TOTAL} slow connections`,
  {
    config: `
auth: {users: [{user: ann, password: secret}]}
limits: {auth_timeout: 4s, write_deadline: 1s}
`,
  },
  (it) => {
    it('close at their deadlines and cost others nothing', async (t, server) => {
      const adminPort = Number(server.ports.admin.split(':').pop());
      const honest = await Honest.start(t, server, { user: 'ann', pass: 'secret' });
      await sleep(500);
      const quiet = honest.p99();

      const half = await crowd(t, server.port, EACH, (s) => logIn(s, 'PUB half.a.subj'));
      const large = await crowd(t, server.port, EACH, (s) =>
        logIn(s, 'PUB large 1048576\r\n0123456789'),
      );
      const silent = await crowd(t, server.port, EACH, (s) => logIn(s, 'SUB silent 1\r\n'));
      const heads = await crowd(t, adminPort, EACH);
      const connecting = await crowd(t, server.port, EACH);
      await Promise.all([
        drip(connecting, LOGIN, 500),
        drip(heads, `GET /varz HTTP/1.1\r\nHost: ${server.ports.admin}\r\n`, 1_000),
      ]);

      await until(() => connecting.every((s) => s.closed), 'the authentication timeout', 10_000);
      assert.ok(connecting.every((s) => s.heard.includes("-ERR 'Authentication Timeout'")));
      await until(() => heads.every((s) => s.closed), 'the deadline of a head', 20_000);
      assert.ok(heads.filter((s) => s.heard.startsWith('HTTP/1.1 408 ')).length >= EACH * 0.99);
      for (const kept of [half, large, silent]) {
        assert.ok(
          kept.every((s) => !s.closed),
          'who is allowed to be slow stays',
        );
      }

      const p99 = honest.p99();
      const resident = residentMib(server);
      t.diagnostic(
        `p99 ${quiet.toFixed(1)} ms alone, ${p99.toFixed(1)} ms beside them; ` +
          `${resident.toFixed(0)} MiB`,
      );
      assert.ok(p99 < P99_MS_MAX, `p99 ${p99} ms`);
      assert.ok(SANITIZED || resident < RESIDENT_MIB_MAX, `${resident} MiB`);
      half[0].send('ect 2\r\nhi\r\nPING\r\n');
      await hears(half[0], 'PONG\r\nPONG');
    });

    it('who never reads is closed by the write deadline', async (t, server) => {
      const honest = await Honest.start(t, server, { user: 'ann', pass: 'secret' });
      const deaf = await crowd(t, server.port, NEVER_READING, async (stranger) => {
        await logIn(stranger, 'SUB flood 1\r\n');
        stranger.socket.pause();
      });
      const publisher = await server.connect(t, { user: 'ann', pass: 'secret' });
      const payload = Buffer.alloc(64 * 1024);
      for (let i = 0; i < 250; i++) {
        publisher.publish('flood', payload); // 16 MB, more than the sockets between us hold
        if (i % 10 === 9) await publisher.flush();
      }
      const lines = /closing client .*"Slow Consumer \(Write Deadline\)"/g;
      const closed = () => (server.log.match(lines) ?? []).length;
      await until(() => closed() === NEVER_READING, 'the write deadline', 10_000);
      deaf.forEach((stranger) => stranger.socket.resume());
      await until(() => deaf.every((stranger) => stranger.closed), 'the end', 10_000);
      const p99 = honest.p99();
      assert.ok(p99 < P99_MS_MAX, `p99 ${p99} ms`);
      assert.ok(
        SANITIZED || residentMib(server) < RESIDENT_MIB_MAX,
        `${residentMib(server)} MiB`,
      );
    });

    it('who only asks and never reads the answers is closed, too', async (t, server) => {
      const [asker] = await crowd(t, server.port, 1, (stranger) => logIn(stranger, ''));
      asker.socket.pause();
      const pings = 'PING\r\n'.repeat(100_000);
      const before = server.log.length;
      const cut = () => server.log.slice(before).includes('Slow Consumer');
      for (let i = 0; i < 100 && !cut(); i++) {
        asker.send(pings);
        await sleep(100);
      }
      assert.ok(cut(), 'closed as a slow consumer');
    });
  },
);
