// The house's own auctions, event-sourced: commands with an expected revision, the page of an
// auction now and at any time in the past, the same after a kill.

import assert from 'node:assert/strict';
import { auctionConfig } from './lib/auction.mjs';
import { findChromium, Page } from './lib/browser.mjs';
import { check, onNonet, run, startNonet, until } from './lib/node.mjs';

const KEY = 'demo-key-of-the-auction';
// Few generated events, and no bound on how fast a test may bid.
const options = {
  config: auctionConfig('200/s').replace('rate: 10/s, burst: 20', 'rate: 10000/s, burst: 10000'),
  listen: { http: 0 },
};

function house(server) {
  const call = async (method, target, body, key = KEY) => {
    const response = await fetch(`http://${server.ports.http}/auctions${target}`, {
      method,
      headers: key ? { 'X-API-Key': key } : {},
      body: body && JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };
  return {
    get: (id, query = '') => call('GET', `/${id}${query}`, undefined, null),
    open: (auction, key) => call('POST', '', auction, key),
    bid: (id, bidder, price) => call('POST', `/${id}/bids`, { bidder, price }),
    close: (id) => call('POST', `/${id}/close`, {}),
    ready: () =>
      until(async () => (await call('GET', '/none', undefined, null)).status === 404, 'it', 20_000),
  };
}

async function good(answer) {
  const { status, body } = await answer;
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function refused(answer, status, words) {
  const { status: is, body } = await answer;
  assert.equal(is, status, JSON.stringify(body));
  assert.match(body.detail, words);
}

onNonet('auction: the house', options, (it) => {
  it('an auction from its opening to its end, and at any time between', async (t, server) => {
    const { get, open, bid, close, ready } = house(server);
    await ready();
    const opened = await good(open({ id: 'tea', item_name: 'tea pot', initial_bid: 100 }));
    assert.deepEqual(opened, { id: 'tea', revision: 0, item_name: 'tea pot', initial_bid: 100 });
    await refused(
      open({ id: 'tea', item_name: 'another' }),
      409,
      /^there is an auction tea already$/,
    );
    await refused(bid('tea', 7, 99), 409, /^99 is too low: 100 at least$/);
    assert.equal((await good(bid('tea', 7, 100))).revision, 1);
    await refused(bid('tea', 8, 100), 409, /^100 is too low: 101 at least$/);
    assert.equal((await good(bid('tea', 8, 350))).revision, 2);
    assert.equal((await good(close('tea'))).revision, 3);
    await refused(bid('tea', 9, 999), 409, /^auction tea was closed at \d{4}-/);
    await refused(close('tea'), 409, /closed/);

    const now = await good(get('tea'));
    const { history, opened: since, closed, ...state } = now.state;
    assert.deepEqual(state, {
      bids: 2,
      item_name: 'tea pot',
      initial_bid: 100,
      price: 350,
      bidder: 8,
    });
    assert.deepEqual([history.length, history[1].price, now.time], [2, 350, closed]);
    const at = async (time) => (await good(get('tea', `?at=${encodeURIComponent(time)}`))).state;
    assert.deepEqual(await at(now.time), now.state);
    assert.equal((await at(history[0].time)).price, 100);
    assert.deepEqual(await at(since), {
      bids: 0,
      history: [],
      item_name: 'tea pot',
      initial_bid: 100,
      opened: since,
    });
    assert.equal((await at(2)).price, 350);
    assert.equal((await at(2)).closed, undefined);
    await refused(get('tea', '?at=4'), 404, /^no auction tea at 4$/);
    await refused(get('tea', '?at=2020-01-01T00:00:00Z'), 404, /^no auction tea at 2020-/);
    const read = await run(['events', 'read', 'auction-tea', '--json', '--data', server.data]);
    const lines = read.stdout.trim().split('\n');
    const events = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ type, metadata }) => [type, metadata.actor]),
      ['Opened', 'Bid', 'Bid', 'Closed'].map((type) => [type, 'demo']), // the name of the key
    );
  });

  it('of bids that come together each one is judged by what was there', async (t, server) => {
    const { get, open, bid, ready } = house(server);
    await ready();
    const { id } = await good(open({ item_name: 'chair' }));
    const bids = Array.from({ length: 24 }, (_, i) => ({ bidder: i + 1, price: 10 + (i % 8) }));
    const answers = await Promise.all(bids.map(({ bidder, price }) => bid(id, bidder, price)));
    answers.forEach(({ status }) => assert.ok([200, 409, 503].includes(status), `${status}`));
    const { revision, state } = await good(get(id));
    const prices = state.history.map(({ price }) => price);
    assert.deepEqual(
      prices,
      [...new Set(prices)].sort((a, b) => a - b),
    ); // each above the one before
    const taken = answers.filter(({ status }) => status === 200).map(({ body }) => body.revision);
    assert.deepEqual(
      taken.sort((a, b) => a - b),
      prices.map((_, i) => i + 1),
    );
    assert.equal(revision, prices.length);
  });

  it('the page shows it as it was', async (t, server) => {
    if (!findChromium()) return t.skip('Chromium is not installed');
    await house(server).ready();
    const page = await Page.open(t, `http://${server.ports.http}/`);
    const complete = () => page.evaluate("document.readyState === 'complete'");
    await until(complete, 'the page', 20_000);
    const set = (name, value) =>
      page.evaluate(`document.querySelector('#house [name=${name}]').value = '${value}'`);
    const press = async (what, answer) => {
      await page.evaluate(`document.querySelector('#house [value=${what}]').click()`);
      await until(async () => answer.test(await page.text('#judgement')), `${what}`, 20_000);
    };
    await set('id', 'page');
    await press('open', /^Event 0$/);
    await press('bid', /^Event 1$/);
    await press('bid', /^100 is too low: 101 at least$/);
    await set('price', 2350);
    await press('bid', /^Event 2$/);
    await press('close', /^Event 3$/);
    const then = (words) => until(async () => words.test(await page.text('#then')), `${words}`);
    await then(/: tea pot, the highest 2,350, closed$/);
    const back = "const back = document.querySelector('#back');";
    const event = "back.dispatchEvent(new Event('input'));";
    await page.evaluate(`{ ${back} back.value = 1; ${event} }`);
    await then(/: tea pot, the highest 100$/);
    assert.equal(await page.text('#revision'), '1');
    await page.evaluate(`{ ${back} back.value = 0; ${event} }`);
    await then(/: tea pot, no bid$/);
    if (process.env.SCREENSHOTS) await page.screenshot(`${process.env.SCREENSHOTS}/house.png`);
    return undefined;
  });

  it('what is no command is refused', async (t, server) => {
    const { get, open, bid, close, ready } = house(server);
    await ready();
    await refused(open({ id: '7', item_name: 'x' }), 400, /^id: /);
    await refused(open({ id: 'a.b', item_name: 'x' }), 400, /^id: /);
    await refused(open({}), 400, /^item_name: /);
    await refused(open({ item_name: 'x', initial_bid: 0.5 }), 400, /^initial_bid: /);
    await refused(bid('nothing', 1, 1), 404, /^no auction nothing$/);
    await refused(close('nothing'), 404, /^no auction nothing$/);
    await refused(get('1007', '?at=1'), 404, /^auction 1007 is the generator's: it has no past$/);
    assert.equal((await open({ item_name: 'x' }, 'another key')).status, 401);
  });
});

check('the house outlives a kill', async (t) => {
  const server = await startNonet(t, options);
  const { get, open, bid, ready } = house(server);
  await ready();
  await good(open({ id: 'tea', item_name: 'tea pot' }));
  await good(bid('tea', 7, 100));
  const before = await good(get('tea'));
  await server.stop('SIGKILL');
  await server.start();
  const again = house(server);
  await again.ready();
  assert.deepEqual(await good(again.get('tea')), before);
  assert.equal((await good(again.bid('tea', 8, 200))).revision, 2);
});
