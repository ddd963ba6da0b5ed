// The service behind the auction house: answers auction.get.<id> with the auction, how many bids
// it has and the highest of them, from what it has read in the streams AUCTIONS and BIDS. The
// house's own auctions, whose ids are no numbers, and their commands are in house.mjs.
//
// The data stays in the streams; what is kept here is an index of the newest million auctions in
// 40 MB: where each lies in AUCTIONS, its number of bids, and where its highest bid lies in BIDS.
//
// The index is not saved. At each start the streams are read again, so nothing is acknowledged:
// ordered consumers deliver every message once, in the stream's order, and begin anew by
// themselves where one was missed. Reading starts at the oldest auction that will be kept, and for
// bids at its time, so a start has a bound however long the streams are. Auctions are read to
// their end before the first bid, so that a bid finds its auction; a later bid may be a moment
// ahead of its auction (the generator means it so) and is kept until that comes. While reading
// goes on, an answer says `"complete": false`.

import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Svcm } from '@nats-io/services';
import { connect } from '@nats-io/transport-node';
import * as house from './house.mjs';

const AUCTIONS_MAX = 1_000_000;
const BATCH = 5_000;

// The index: auction ID is in slot ID % AUCTIONS_MAX until a newer one takes its place.
const ids = new Float64Array(AUCTIONS_MAX);
const auctionSequences = new Float64Array(AUCTIONS_MAX); // 0: not seen yet, only bids for it
const bidCounts = new Uint32Array(AUCTIONS_MAX);
const highestPrices = new Float64Array(AUCTIONS_MAX);
const highestSequences = new Float64Array(AUCTIONS_MAX);
let complete = false;

// The slot of auction ID, or -1 where a newer one has it.
function slotOf(id) {
  if (!Number.isSafeInteger(id) || id <= 0) throw new Error(`not an auction's id: ${id}`);
  const slot = id % AUCTIONS_MAX;
  if (ids[slot] > id) return -1;
  if (ids[slot] < id) {
    ids[slot] = id;
    auctionSequences[slot] = bidCounts[slot] = highestPrices[slot] = highestSequences[slot] = 0;
  }
  return slot;
}

function takeAuction({ id }, sequence) {
  const slot = slotOf(id);
  if (slot >= 0) auctionSequences[slot] = sequence;
}

function takeBid({ auction, price }, sequence) {
  const slot = slotOf(auction);
  if (slot < 0) return;
  bidCounts[slot]++;
  if (price <= highestPrices[slot]) return; // of equal bids the first one holds
  highestPrices[slot] = price;
  highestSequences[slot] = sequence;
}

async function describe(jsm, id) {
  const slot = id % AUCTIONS_MAX;
  if (ids[slot] !== id || !auctionSequences[slot]) return null;
  const bids = bidCounts[slot];
  const [auction, highest] = await Promise.all([
    jsm.streams.getMessage('AUCTIONS', { seq: auctionSequences[slot] }),
    bids ? jsm.streams.getMessage('BIDS', { seq: highestSequences[slot] }) : null,
  ]);
  if (!auction) return null; // a limit of the stream has removed it
  const { extra, ...body } = auction.json();
  if (!highest) return { ...body, bids, highest: null, complete };
  const { price, bidder, date_time } = highest.json();
  return { ...body, bids, highest: { price, bidder, date_time }, complete };
}

const idOf = (message) => message.subject.split('.').slice(2).join('.');
// What the gateway tells of a request beside its body (docs/gateway.md).
const told = (message, key) => message.headers?.get(`Nonet-${key}`) ?? '';

// Answers a command with what RUN makes of its JSON.
async function obey(message, run) {
  try {
    let body = {};
    try {
      if (message.data.length) body = message.json();
    } catch {
      throw new house.Refused(400, 'the body is no JSON');
    }
    const actor = told(message, 'Principal') || 'somebody';
    message.respond(JSON.stringify(await run(actor, body ?? {})));
  } catch (error) {
    message.respondError(error.status ?? 500, error.message);
  }
}

async function answer(jsm, message) {
  const id = idOf(message);
  try {
    const at = new URLSearchParams(told(message, 'Query')).get('at');
    if (!/^\d+$/.test(id)) {
      const found = await house.find(id, at);
      if (found) message.respond(JSON.stringify(found));
      else message.respondError(404, `no auction ${id}${at ? ` at ${at}` : ''}`);
      return;
    }
    if (at !== null)
      throw new house.Refused(404, `auction ${id} is the generator's: it has no past`);
    const found = await describe(jsm, Number(id));
    if (found) message.respond(JSON.stringify(found));
    else if (complete) message.respondError(404, `no auction ${id}`);
    else message.respondError(503, `auction ${id} has not been read yet, try again`);
  } catch (error) {
    message.respondError(error.status ?? 500, error.message);
  }
}

// Reads STREAM from sequence START, for ever; resolves when its present end has been reached.
async function read(js, stream, start, take) {
  const consumer = await js.consumers.get(stream, { opt_start_seq: start });
  const { num_pending: pending } = await consumer.info();
  let left = pending;
  return new Promise((resolve, reject) => {
    if (left === 0) resolve(pending);
    const callback = (message) => {
      try {
        take(message.json(), message.seq);
      } catch (error) {
        console.error(`${stream} ${message.seq}: not taken: ${error.message}`);
      }
      if (--left === 0) resolve(pending);
    };
    consumer.consume({ max_messages: BATCH, callback }).then(
      (messages) => messages.closed().then((error) => error && fail(error)),
      reject,
    );
  });
}

// The sequence of the oldest auction that will be kept, and that of the first bid since then.
async function findStart(js, jsm) {
  const { state } = await jsm.streams.info('AUCTIONS');
  const auction = Math.max(state.last_seq - AUCTIONS_MAX + 1, state.first_seq, 1);
  if (auction <= Math.max(state.first_seq, 1)) return { auction, bid: 1 };
  const { time } = await jsm.streams.getMessage('AUCTIONS', { seq: auction });
  const since = await js.consumers.get('BIDS', { opt_start_time: time.toISOString() });
  const bid = await since.next({ expires: 1000 });
  await since.delete();
  return { auction, bid: bid?.seq ?? (await jsm.streams.info('BIDS')).state.last_seq + 1 };
}

function fail(error) {
  console.error(`auctions: ${error.message}`);
  process.exit(1); // the node starts us again
}

async function main() {
  const connection = await connect({
    servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222',
    name: 'auctions',
    reconnect: false, // a new start reads everything again, which is what a new node needs
  });
  connection.closed().then((error) => fail(error ?? new Error('the connection was closed')));
  process.on('SIGTERM', () => process.exit(0));

  const js = jetstream(connection);
  const jsm = await jetstreamManager(connection);
  const service = await new Svcm(connection).add({
    name: 'auctions',
    version: '1.0.0',
    description: 'auctions with their bids, as read from the streams',
  });
  service.addEndpoint('get', {
    subject: 'auction.get.*',
    handler: (error, message) => (error ? fail(error) : void answer(jsm, message)),
    metadata: { answer: 'the auction as JSON, with its number of bids and the highest' },
  });

  const commands = {
    open: ['auction.open', () => house.open],
    bid: ['auction.bid.*', (id) => (actor, body) => house.bid(actor, id, body)],
    close: ['auction.close.*', (id) => (actor) => house.close(actor, id)],
  };
  for (const [name, [subject, run]] of Object.entries(commands)) {
    service.addEndpoint(name, {
      subject,
      handler: (error, message) => (error ? fail(error) : void obey(message, run(idOf(message)))),
      metadata: { answer: 'the event that was appended, with its revision' },
    });
  }

  const start = await findStart(js, jsm);
  const auctions = await read(js, 'AUCTIONS', start.auction, takeAuction);
  const bids = await read(js, 'BIDS', start.bid, takeBid);
  complete = true;
  console.log(`caught up: ${auctions} auctions and ${bids} bids read`);
}

main().catch(fail);
