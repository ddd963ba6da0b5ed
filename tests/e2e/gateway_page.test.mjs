// The auction house as a person meets it: its page in Chromium, and bids made with curl.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { auctionConfig } from './lib/auction.mjs';
import { findChromium, Page } from './lib/browser.mjs';
import { onNonet, until } from './lib/node.mjs';

const KEY = 'demo-key-of-the-auction';
const BURST = 20; // as nonet.yaml says, and 10 a second
const POLICY = `"default";q=${BURST};w=2`;
const SCREENSHOTS = process.env.SCREENSHOTS; // a folder to leave pictures in

// Runs curl; gives an answer {status, headers, body} for each URL among ARGS.
function curl(...args) {
  return new Promise((resolve, reject) => {
    execFile('curl', ['-s', '-i', '--max-time', '20', ...args], (error, stdout) => {
      if (error) return reject(error);
      return resolve(stdout.split(/(?=HTTP\/1\.1 \d)/).map(readAnswer));
    });
  });
}

function readAnswer(text) {
  const [head, body] = text.split(/\r\n\r\n([^]*)/);
  const [line, ...lines] = head.split('\r\n');
  const fields = lines.map((field) => /^([^:]+): (.*)$/.exec(field).slice(1));
  const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
  return { status: Number(line.split(' ')[1]), headers, body };
}

// Bids PRICE with curl, COUNT times on one connection.
function bid(server, price, { key, count = 1 }) {
  const offer = { auction: 1007, bidder: 1, price, channel: 'http' };
  const body = JSON.stringify({ ...offer, date_time: '2026-01-01T00:00:00Z' });
  const args = ['-X', 'POST', '-H', 'Content-Type: application/json', '-d', body];
  if (key) args.push('-H', `X-API-Key: ${key}`);
  return curl(...args, ...Array(count).fill(`http://${server.ports.http}/bids`));
}

async function showsLiveBids(page) {
  await until(async () => (await page.text('#state')) === 'live', 'a live page', 20_000);
  const total = async () => Number((await page.text('#total')).replaceAll(',', ''));
  const before = await total();
  await until(async () => (await total()) > before + 100, 'bids to come', 20_000);
  const rows = await page.evaluate(
    "[...document.querySelectorAll('#live tbody tr')].map((row) => row.innerText)",
  );
  assert.ok(rows.length >= 10, `${rows.length} rows`);
  rows.forEach((row) => assert.match(row, /^\d[\d,]*\t\d[\d,]*\t\d[\d,]*\t\S+$/));
}

const yours = (page) =>
  page.evaluate("[...document.querySelectorAll('#yours tbody tr')].map((row) => row.innerText)");

const options = { config: auctionConfig('500/s'), listen: { http: 0 } }; // the machine is shared

onNonet('auction: the front door', options, (it) => {
  it('without the key a bid is refused', async (t, server) => {
    for (const key of [undefined, 'demo-key-of-another']) {
      const [{ status, headers, body }] = await bid(server, 990_000, { key });
      assert.equal(status, 401);
      assert.equal(headers['content-type'], 'application/problem+json');
      assert.match(headers['www-authenticate'], /^\w+/);
      assert.equal(JSON.parse(body).status, 401);
    }
  });

  it('with the key it is on disk', async (t, server) => {
    const [{ status, headers, body }] = await bid(server, 990_001, { key: KEY });
    assert.equal(status, 202);
    assert.equal(headers['ratelimit-policy'], POLICY);
    assert.equal(JSON.parse(body).stream, 'BIDS');
    assert.ok(JSON.parse(body).seq > 0);
  });

  it('the page shows bids as they come, and yours', async (t, server) => {
    if (!findChromium()) return t.skip('Chromium is not installed');
    const page = await Page.open(t, `http://${server.ports.http}/`);
    await showsLiveBids(page);

    const [{ body }] = await bid(server, 987_654, { key: KEY });
    const sequence = JSON.parse(body).seq;
    await until(async () => (await yours(page)).length === 1, "curl's bid", 20_000);
    const [row] = await yours(page);
    const cells = row.replaceAll(',', '').split('\t');
    assert.deepEqual(cells, ['1007', '1', '987654', `${sequence}`]);

    await page.evaluate("document.querySelector('[name=price]').value = 123456");
    await page.evaluate("document.querySelector('#form button').click()");
    await until(async () => (await yours(page)).length === 2, "the form's bid", 20_000);
    assert.match((await yours(page))[0], /123,?456/);
    await until(async () => /On disk/.test(await page.text('#answer')), 'the answer');
    if (SCREENSHOTS) await page.screenshot(`${SCREENSHOTS}/auction.png`);

    await page.evaluate("document.querySelector('[name=key]').value = 'no-key-at-all'");
    await page.evaluate("document.querySelector('#form button').click()");
    await until(async () => /401/.test(await page.text('#answer')), 'a refusal');
    assert.deepEqual(
      page.errors.filter((text) => !/401/.test(text)),
      [],
    );
    return undefined;
  });

  it('too fast is told so, and when to come again', async (t, server) => {
    const answers = await bid(server, 990_002, { key: KEY, count: 4 * BURST });
    const good = answers.filter(({ status }) => status === 202);
    const refused = answers.filter(({ status }) => status === 429);
    assert.equal(good.length + refused.length, answers.length);
    assert.ok(good.length > 0 && refused.length > 0, `${good.length}, ${refused.length}`);
    for (const { headers, body } of refused) {
      assert.equal(headers['ratelimit-policy'], POLICY);
      assert.match(headers.ratelimit, /^"default";r=0;t=1$/);
      assert.equal(headers['retry-after'], '1');
      assert.equal(JSON.parse(body).status, 429);
    }
    assert.match(good.at(-1).headers.ratelimit, /^"default";r=\d+;t=\d+$/);
    await until(
      async () => (await bid(server, 990_003, { key: KEY }))[0].status === 202,
      'the bucket to fill',
    );
  });

  it('a question goes to the service and comes back', async (t, server) => {
    const url = `http://${server.ports.http}/auctions/1007`;
    await until(async () => (await curl(url))[0].status === 200, 'the service', 20_000);
    const [{ headers, body }] = await curl(url);
    assert.equal(JSON.parse(body).id, 1007);
    assert.match(headers['x-request-id'], /^[0-9a-f]{32}$/);
    assert.equal((await curl(`http://${server.ports.http}/auctions/999999`))[0].status, 404);
  });
});
