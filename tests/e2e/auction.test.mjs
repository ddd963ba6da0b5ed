// The example from end to end: generated, kept, served, killed, exact to the last event.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { auctionConfig } from './lib/auction.mjs';
import { check, run, sleep, startNonet, until } from './lib/node.mjs';

const EVENTS = 5000; // 1 person, 3 auctions and 46 bids of every 50
const EXPECTED = { PERSONS: EVENTS / 50, AUCTIONS: (EVENTS * 3) / 50, BIDS: (EVENTS * 46) / 50 };

// On free ports, with an end.
const start = (t, rate) =>
  startNonet(t, { config: auctionConfig(`${rate}/s, limit: ${EVENTS}`), listen: { http: 0 } });

async function counts(jsm) {
  const found = {};
  for (const name of Object.keys(EXPECTED)) {
    found[name] = (await jsm.streams.info(name)).state.messages;
  }
  return found;
}

const complete = (jsm) =>
  until(
    async () => Object.values(await counts(jsm)).reduce((sum, count) => sum + count) >= EVENTS,
    'all events',
    30_000,
  );

// Everything in STREAM, in order; sequences are dense and ids differ.
async function readAll(js, stream, count) {
  const consumer = await js.consumers.get(stream);
  const events = [];
  const ids = new Set();
  for await (const message of await consumer.fetch({ max_messages: count, expires: 10_000 })) {
    assert.equal(message.seq, events.length + 1);
    ids.add(message.headers.get('Nats-Msg-Id'));
    events.push(message.json());
  }
  assert.equal(ids.size, count);
  return events;
}

check('counts are exact, and the service answers what the streams hold', async (t) => {
  const node = await start(t, 10_000);
  const nc = await node.connect(t);
  const [js, jsm] = [jetstream(nc), await jetstreamManager(nc)];
  await complete(jsm);
  assert.deepEqual(await counts(jsm), EXPECTED);
  const auctions = await readAll(js, 'AUCTIONS', EXPECTED.AUCTIONS);
  const bids = await readAll(js, 'BIDS', EXPECTED.BIDS);
  assert.deepEqual(
    auctions.map(({ id }) => id),
    auctions.map((_, i) => 1000 + i),
  );
  const ask = async (id) => await nc.request(`auction.get.${id}`, '', { timeout: 5000 });
  const known = async () => {
    const answer = await ask(1007).catch(() => null);
    const found = answer?.data.length ? answer.json() : null;
    return (
      found?.complete && found.bids === bids.filter(({ auction }) => auction === 1007).length
    );
  };
  await until(known, 'the service to have read all', 20_000);
  for (const id of [1000, 1007, 1150, 1299]) {
    const own = bids.filter(({ auction }) => auction === id);
    const { extra, ...auction } = auctions[id - 1000];
    const price = Math.max(...own.map((bid) => bid.price));
    const best = own.find((bid) => bid.price === price);
    const highest = own.length ? { price, bidder: best.bidder, date_time: best.date_time } : null;
    const expected = { ...auction, bids: own.length, highest, complete: true };
    assert.deepEqual((await ask(id)).json(), expected);
  }
  const missing = await ask(99_999);
  assert.equal(missing.headers.get('Nats-Service-Error-Code'), '404');

  const req = await run(['req', 'auction.get.1007', '--server', node.url]);
  assert.equal(req.status, 0, req.stderr);
  assert.equal(JSON.parse(req.stdout).id, 1007);
  const info = await run(['stream', 'info', 'BIDS', '--server', node.url, '--json']);
  assert.equal(info.status, 0, info.stderr);
  assert.equal(JSON.parse(info.stdout).state.messages, EXPECTED.BIDS);
});

check('killed again and again, it ends with every event exactly once', async (t) => {
  const node = await start(t, 4000);
  for (let kill = 0; kill < 4; kill++) {
    await sleep(150 + 40 * kill);
    await node.stop('SIGKILL');
    await node.start();
  }
  const nc = await node.connect(t);
  const [js, jsm] = [jetstream(nc), await jetstreamManager(nc)];
  await complete(jsm);
  assert.deepEqual(await counts(jsm), EXPECTED);
  const auctions = await readAll(js, 'AUCTIONS', EXPECTED.AUCTIONS);
  assert.deepEqual(
    auctions.map(({ id }) => id),
    auctions.map((_, i) => 1000 + i),
  );
  await readAll(js, 'BIDS', EXPECTED.BIDS);
  await until(
    async () => {
      const answer = await nc
        .request('auction.get.1299', '', { timeout: 2000 })
        .catch(() => null);
      return answer?.data.length && answer.json().complete;
    },
    'the service, started again',
    20_000,
  );
});

check('the service is started again when it is killed', async (t) => {
  const node = await start(t, 10_000);
  const pids = () =>
    [...node.log.matchAll(/service\s+started name=auctions pid=(\d+)/g)].map((m) => +m[1]);
  const nc = await node.connect(t);
  const served = async () => {
    const answer = await nc.request('auction.get.1000', '', { timeout: 2000 }).catch(() => null);
    return answer?.data.length > 0;
  };
  await until(served, 'an answer', 20_000);
  process.kill(pids()[0], 'SIGKILL');
  await until(() => pids().length === 2, 'the second start');
  await until(served, 'an answer again', 20_000);
});
