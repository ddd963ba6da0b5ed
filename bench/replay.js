// replay - the groups of bench/run that measure much that has been stored: a replay through a
// filter, many small event streams, the state of a long one. There is no rival: the aims are
// figures.
//
//   replay         BENCH_EVENTS events (10,000,000) of 200 B, one in a thousand of type Rare, are
//                  read by GET /v1/events?types=Rare, page by page, from the disk
//   event_streams  BENCH_EVENT_STREAMS event streams (1,000,000) of ten events each: RAM, rate of
//                  appends, and how long it takes to serve again after kill -9
//   state          GET /v1/streams/NAME/state of BENCH_STATE_EVENTS events (1,000,000), again and
//                  again, after the first one
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const PER_APPEND = 1000;
const STREAMS_PER_APPEND = 200; // of ten events
const CALLS = 4; // appends under way at once

module.exports = function replay(bench) {
  const { figure, folder, freePort, measure, measureStart, nonet, progress, setting, sleep, start,
    state, stop, stopAndForget, settle } = bench;
  const events = setting('BENCH_EVENTS', 10_000_000, 300_000);
  const streams = setting('BENCH_EVENT_STREAMS', 1_000_000, 30_000);
  const stateEvents = setting('BENCH_STATE_EVENTS', 1_000_000, 100_000);

  const node = (app) => (port, data) => [nonet, 'run', ...(app ? [app] : []), '--data', data,
    '--listen', `admin=127.0.0.1:${port}`, '--listen', 'nats=off',
    '--listen', 'sql=off', '--listen', 'http=off',
    '--shards', '1', '--quiet'];

  // ---- a client ---------------------------------------------------------------------------------

  function client(server) {
    const token = fs.readFileSync(path.join(server.data, 'admin.token'), 'utf8').trim();
    const agent = new http.Agent({ keepAlive: true, maxSockets: CALLS });
    return (method, where, body) => new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      const request = http.request({ agent, host: '127.0.0.1', port: server.port, method,
        path: where, headers }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode < 300) resolve(text);
          else reject(new Error(`${method} ${where}: ${answer.statusCode} ${text}`));
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  // Calls ONE(0) to ONE(COUNT - 1), several at once; seconds.
  async function each(count, what, one) {
    const begun = Date.now();
    let next = 0;
    await Promise.all(Array.from({ length: CALLS }, async () => {
      while (next < count) {
        const n = next++;
        if (n % 100 === 0) progress(`${what}: ${figure((100 * n) / count)} %`);
        await one(n);
      }
    }));
    return (Date.now() - begun) / 1000;
  }

  const data = (n) => ({ n, text: 'x'.repeat(185) });

  // ---- groups -----------------------------------------------------------------------------------

  async function replayed() {
    const server = await start('nonet', { command: node() });
    const call = client(server);
    const body = JSON.stringify({ events: Array.from({ length: PER_APPEND }, (_, i) =>
      ({ type: i === 7 ? 'Rare' : 'Usual', data: data(i) })) });
    const appends = Math.ceil(events / PER_APPEND);
    const seconds = await each(appends, `${figure(events)} events`,
      (n) => call('POST', `/v1/streams/bench-${n}`, body));
    progress('replay');
    const before = measure('cpu', server).cpu_seconds, begun = Date.now();
    let found = 0;
    for (let from = 1, more = true; more;) {
      const page = JSON.parse(await call('GET',
        `/v1/events?types=Rare&limit=1000&from=${from}`));
      found += page.events.length;
      from = page.next;
      more = !page.caught_up;
    }
    if (found !== appends) throw new Error(`of ${appends} rare events ${found} were replayed`);
    const elapsed = (Date.now() - begun) / 1000;
    const cpu = measure('cpu', server).cpu_seconds - before;
    await stopAndForget(server);
    state(`${figure(events)} events through a filter, a CPU second`, null,
      (appends * PER_APPEND) / cpu / 1e6, 'million', { least: 2 });
    state('the same: a second', null, (appends * PER_APPEND) / elapsed / 1e6, 'million');
    state(`appended, ${PER_APPEND} at once`, null, (appends * PER_APPEND) / seconds, '/s');
  }

  // Caches are filled first, so that what grows afterwards is what event streams cost.
  async function eventStreams() {
    const server = await start('nonet', { command: node() });
    const call = client(server);
    const ten = Array.from({ length: 10 }, (_, i) => ({ type: 'Happened', data: { n: i } }));
    const many = (name, n) => JSON.stringify({ appends: Array.from({ length: STREAMS_PER_APPEND },
      (_, i) => ({ stream: `${name}-${n * STREAMS_PER_APPEND + i}`, expect: 'none',
        events: ten })) });
    const thousand = JSON.stringify({ events: Array.from({ length: PER_APPEND },
      (_, i) => ({ type: 'Happened', data: { n: i } })) });
    await each(Math.ceil(Math.min(streams * 10, 3_000_000) / PER_APPEND), 'warming',
      () => call('POST', '/v1/streams/warm-1', thousand));
    await each(400, 'warming', (n) => call('POST', '/v1/append', many('warm', n + 1)));
    await sleep(settle);
    const before = measure('cpu', server).resident_bytes;
    const appends = Math.ceil(streams / STREAMS_PER_APPEND), made = appends * STREAMS_PER_APPEND;
    const what = `${figure(made)} event streams of 10 events`;
    const seconds = await each(appends, what, (n) => call('POST', '/v1/append', many('bench', n)));
    await sleep(settle);
    const after = measure('cpu', server).resident_bytes;
    const [{ position }] = [JSON.parse(await call('POST', '/v1/streams/bench-last', thousand))];
    await stop(server, 'SIGKILL');
    progress('restart');
    const again = measureStart('nonet', server.data, await freePort(), ['--stream', 'ES']);
    if (again.messages !== position)
      throw new Error(`of ${position} events ${again.messages} were there after kill -9`);
    fs.rmSync(server.data, { recursive: true, force: true });
    state(`${what}: RAM a stream`, null, (after - before) / made, 'B');
    state('the same: appended', null, (made * 10) / seconds, 'events/s');
    state('the same: killed, until it serves', null, again.seconds, 's');
  }

  async function longState() {
    const app = folder('app');
    fs.writeFileSync(path.join(app, 'nonet.yaml'),
      'events:\n  folds:\n    bench: {on: {Happened: {inc: {sum: .n}}}}\n');
    const server = await start('nonet', { command: node(app) });
    const call = client(server);
    const body = JSON.stringify({ events: Array.from({ length: PER_APPEND },
      (_, i) => ({ type: 'Happened', data: { n: i } })) });
    await each(Math.ceil(stateEvents / PER_APPEND), 'one long event stream',
      () => call('POST', '/v1/streams/bench-1', body));
    const ask = async () => {
      const begun = process.hrtime.bigint();
      await call('GET', '/v1/streams/bench-1/state');
      return Number(process.hrtime.bigint() - begun) / 1e6;
    };
    const first = await ask();
    const times = [];
    for (let i = 0; i < 200; i++) times.push(await ask());
    times.sort((a, b) => a - b);
    await stopAndForget(server);
    const what = `state of ${figure(stateEvents)} events`;
    state(`${what}, after the first read: p50`, null, times[100], 'ms', { most: 5 });
    state('the same: p99', null, times[198], 'ms');
    state('the same: the first read', null, first, 'ms');
  }

  return { replay: replayed, event_streams: eventStreams, state: longState };
};
