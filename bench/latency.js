// latency - the group nexmark_latency of bench/run: how long after its publish a bid is heard as a
// change of a view.
//
//   publisher --bid.new--> log --> view (one bid of 100) --view.told--> this process
//
// Bids are published at BENCH_LATENCY_RATE (250,000) a second for ten seconds, each with the moment
// at which it was sent; how much of a core the node takes for that is told beside. Twice: changes
// that are only published, and changes stored in a stream, which are heard when they are on disk.
//
// Publisher and subscriber are one thread, so what one does delays the other: the figures are the
// node's and the load's together. The rate is half of what one core takes in durably.
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const SECONDS = 10;
const WARM_SECONDS = 2;
const SAMPLED = 100; // one bid of so many

module.exports = function latency(bench) {
  const { die, figure, folder, freePort, measure, nonet, progress, setting, sleep, start, state,
    stopAndForget } = bench;
  const rate = setting('BENCH_LATENCY_RATE', 250_000, 250_000);
  const nowUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);

  function psql(server, text) {
    const result = spawnSync('psql', ['-h', '127.0.0.1', '-p', `${server.port}`, '-U', 'nonet',
      '-d', 'nonet', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-c', text],
    { encoding: 'utf8' });
    if (result.status !== 0) die(`psql: ${result.stderr || result.error}`);
    return result.stdout.trim();
  }

  // A connection that calls HEARD with the payload of each message of SUBJECT.
  function subscribe(port, subject, heard) {
    const socket = net.connect(port, '127.0.0.1');
    let rest = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.write(`CONNECT {"verbose":false,"headers":true}\r\nSUB ${subject} 1\r\n`);
    socket.on('data', (bytes) => {
      rest = rest.length ? Buffer.concat([rest, bytes]) : bytes;
      for (let end; (end = rest.indexOf('\r\n')) >= 0;) {
        const words = rest.toString('latin1', 0, end).split(' ');
        const message = words[0] === 'MSG' || words[0] === 'HMSG';
        const size = message ? Number(words[words.length - 1]) : 0;
        const head = words[0] === 'HMSG' ? Number(words[words.length - 2]) : 0;
        const next = end + 2 + (message ? size + 2 : 0);
        if (rest.length < next) return;
        if (words[0] === 'PING') socket.write('PONG\r\n');
        if (words[0] === '-ERR') die(`the node says ${words.join(' ')}`);
        if (message) heard(rest.subarray(end + 2 + head, end + 2 + size));
        rest = rest.subarray(next);
      }
    });
    return socket;
  }

  // Publishes for so many SECONDS; resolves to how many bids were sent.
  async function publish(socket, seconds) {
    const began = performance.now();
    let count = 0;
    for (let due = 0; performance.now() - began < seconds * 1000; await sleep(1)) {
      const sent = nowUs();
      let text = '';
      due = Math.floor(((performance.now() - began) * rate) / 1000);
      for (; count < due; count++) {
        const bid = `{"auction":${count},"bidder":${count % 9973},"price":${count % 99991},` +
          `"channel":"channel-${count % 1000}","sent":${sent},` +
          `"url":"https://www.nexmark.com/gkrbw/jpyxf/tkijw/item.htm?query=1"}`;
        text += `PUB bid.new ${bid.length}\r\n${bid}\r\n`;
      }
      if (text) socket.write(text);
    }
    return count;
  }

  async function run(stored) {
    const app = folder('latency-app');
    const changes = stored ? '\n  CHANGES: {subjects: ["view.>"]}' : '';
    fs.writeFileSync(path.join(app, 'nonet.yaml'),
      `streams:\n  NEXMARK: {subjects: ["bid.>"]}${changes}\n`);
    const nats = await freePort();
    const server = await start('nonet', { command: (port, data) => [nonet, 'run', app, '--data',
      data, '--listen', `sql=127.0.0.1:${port}`, '--listen', `nats=127.0.0.1:${nats}`, '--listen',
      'admin=off', '--listen', 'http=off', '--shards', '1', '--quiet'] });
    psql(server, `CREATE TABLE bid (auction bigint, price bigint, sent bigint)
      WITH (subject = 'bid.new')`);
    psql(server, `CREATE MATERIALIZED VIEW told AS
      SELECT auction, price, sent FROM bid WHERE mod(auction, ${SAMPLED}) = 0`);
    let times = [];
    const socket = subscribe(nats, 'view.told', (payload) => {
      if (payload.length) times.push(nowUs() - JSON.parse(payload.toString()).sent);
    });
    await publish(socket, WARM_SECONDS);
    await sleep(1000);
    times = [];
    const before = measure('cpu', server).cpu_seconds;
    const count = await publish(socket, SECONDS);
    const share = (measure('cpu', server).cpu_seconds - before) / SECONDS;
    for (let wait = 0; times.length < Math.floor(count / SAMPLED) && wait < 5000; wait += 100)
      await sleep(100);
    socket.destroy();
    await stopAndForget(server);
    if (times.length < Math.floor(count / SAMPLED))
      die(`of ${Math.floor(count / SAMPLED)} changes ${times.length} were heard`);
    times.sort((a, b) => a - b);
    const at = (part) => times[Math.floor((times.length - 1) * part)] / 1000;
    const what = `publish to changelog${stored ? ', stored' : ''}, ${figure(count / SECONDS)} ` +
      `events/s (${Math.round(share * 100)} % of a core)`;
    state(`${what}: p50`, null, at(0.5), 'ms');
    state(`${what}: p99`, null, at(0.99), 'ms', { most: stored ? 25 : 10 });
  }

  return {
    async nexmark_latency() {
      for (const stored of [false, true]) {
        progress(`latency${stored ? ', stored' : ''}`);
        await run(stored);
      }
    },
  };
};
