// Ten thousand slow clients at the front door: heads that never end, bodies that never end,
// readers that never read. Each is closed at its deadline, memory stays bounded, and who is honest
// is served as if they were not there.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { crowd, residentMib, SANITIZED, socketsMax } from './lib/abuse.mjs';
import { onNonet, sleep, temporaryFolder, until } from './lib/node.mjs';
import { Prober } from './lib/prober.mjs';

const TOTAL = Math.min(Number(process.env.GATEWAY_SLOW ?? 10_000), socketsMax());
const DEAF = Math.floor(TOTAL / 100); // each holds what the node has read ahead for it
const HEADS = Math.floor((TOTAL - DEAF) / 2);
const BODIES = TOTAL - DEAF - HEADS;
const DEADLINE_MS = 8_000;
const WRITE_MS = 4_000; // looked at so often: who takes nothing is cut off before twice as long
const DRIP_MS = 1_000;
const LATE_MS_MAX = 6_000; // of thousands of ends, on a machine with other things to do
const P99_NOISE_MS = 30; // two cores, shared with the crowd itself
const RESIDENT_MIB_MAX = 250;
const LARGE_BYTES = 16 << 20; // more than the kernel takes on its own

const folder = temporaryFolder();
fs.writeFileSync(path.join(folder, 'large.bin'), Buffer.alloc(LARGE_BYTES));
fs.writeFileSync(path.join(folder, 'small.txt'), 'small');

const CONFIG = `
gateway:
  limits:
    head_timeout: ${DEADLINE_MS}ms
    body_timeout: ${DEADLINE_MS}ms
    write_timeout: ${WRITE_MS}ms
  routes:
    - {match: {path: /word}, to: {respond: {body: word}}}
    - {match: {path: /publish}, to: {publish: slow.body}}
    - {to: {files: ${folder}}}
`;

// One byte to each of STRANGERS every DRIP_MS, until all are closed.
async function drip(strangers) {
  for (let open = strangers; open.length; open = open.filter((s) => !s.closed)) {
    open.forEach((stranger) => stranger.send('x'));
    await sleep(DRIP_MS);
  }
}

// Connections of PORT that the server has closed and the kernel has not, as it has more to send.
function lingering(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return lines.filter((line) => new RegExp(`^ *\\d+: \\w+:${hex} \\w+:\\w+ 04 `).test(line))
    .length;
}

// When the last of STRANGERS closed, after performance.now() BEGUN.
async function allClosed(strangers, begun, what) {
  const closed = () => strangers.every((stranger) => stranger.closed);
  await until(closed, what, DEADLINE_MS + LATE_MS_MAX - (performance.now() - begun));
}

onNonet(`gateway: ${TOTAL} slow connections`, { config: CONFIG, listen: { http: 0 } }, (it) => {
  it('close at their deadlines and cost others nothing', async (t, server) => {
    const origin = `http://${server.ports.http}`;
    const port = Number(server.ports.http.split(':').pop());
    const prober = Prober.start(t, [`${origin}/word`, `${origin}/small.txt`]);
    await sleep(500);
    await prober.times(); // the first ones, of a client that warms up
    await sleep(2_000);
    const quiet = await prober.times();

    const begun = performance.now();
    const deaf = await crowd(t, port, DEAF, (stranger) => {
      stranger.socket.pause();
      stranger.send('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    const heads = await crowd(t, port, HEADS, (stranger) =>
      stranger.send('GET /word HTTP/1.1\r\nHost: x\r\nX-Slow: '),
    );
    const bodies = await crowd(t, port, BODIES, (stranger) =>
      stranger.send('POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n'),
    );
    const came = performance.now() - begun;
    await prober.times(); // while they come the crowd's own thread takes a core
    const dripping = Promise.all([drip(heads), drip(bodies)]);
    await sleep(Math.max(1_000, DEADLINE_MS - came - 500));
    const beside = await prober.times();
    const resident = residentMib(server);
    const open = [...deaf, ...heads, ...bodies].filter((stranger) => !stranger.closed).length;

    const arrived = performance.now();
    await allClosed(heads, arrived, 'the deadline of heads');
    await allClosed(bodies, arrived, 'the deadline of bodies');
    await dripping;
    for (const slow of [heads, bodies]) {
      const told = slow.filter((s) => s.heard.startsWith('HTTP/1.1 408 ')).length;
      assert.ok(told >= slow.length * 0.99, `${told} of ${slow.length} were told 408`);
    }
    assert.equal(lingering(port), 0, 'the kernel keeps what was cut off');
    // Who does not read does not see the end either; what comes now is what the kernel had.
    let whole = 0;
    deaf.forEach((stranger) => {
      let bytes = 0;
      stranger.socket.on('data', (part) => (bytes += part.length));
      stranger.socket.on('close', () => (whole += bytes >= LARGE_BYTES ? 1 : 0));
      stranger.socket.resume();
    });
    await allClosed(deaf, arrived, 'the deadline of readers');
    const ending = await prober.times();

    t.diagnostic(
      `${open} of ${TOTAL} open at a time after ${(came / 1000).toFixed(1)} s; ` +
        `p99 ${quiet.p99.toFixed(1)} ms alone, ${beside.p99.toFixed(1)} ms beside them, ` +
        `${ending.p99.toFixed(1)} ms while they were closed; ${resident.toFixed(0)} MiB`,
    );
    assert.equal(whole, 0, 'readers that got all without reading');
    assert.ok(
      beside.p99 <= 2 * quiet.p99 + P99_NOISE_MS,
      `p99 ${quiet.p99} ms alone, ${beside.p99} ms beside them`,
    );
    assert.ok(SANITIZED || resident < RESIDENT_MIB_MAX, `${resident} MiB`);
  });
});
