// Limits of the front door: how many pass, who shares a bucket, what answers say, reload.
//
// Buckets fill slowly here (one request an hour), so that counts are exact however slow a machine
// is; how they fill again is tested with given times in tests/unit/rooms/test_buckets.c.

import assert from 'node:assert/strict';
import { Agent, request } from 'undici';
import { onNonet, until } from './lib/node.mjs';

const listen = { http: 0 };
const PROXY = 'trusted_proxies: [127.0.0.0/8]';

async function ask(server, target, headers = {}, dispatcher = undefined) {
  const url = `http://${server.ports.http}${target}`;
  const response = await request(url, { headers, dispatcher });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}
const from = (address) => ({ 'x-forwarded-for': address });

// COUNT requests at once, over so many connections that every shard has some; how many had STATUS.
async function crowd(server, target, count, headersOf = () => ({})) {
  const agent = new Agent({ connections: 32, pipelining: 1 });
  const answers = await Promise.all(
    Array.from({ length: count }, (_, n) => ask(server, target, headersOf(n), agent)),
  );
  await agent.close();
  const passed = answers.filter((answer) => answer.status === 200).length;
  const refused = answers.filter((answer) => answer.status === 429).length;
  assert.equal(passed + refused, count);
  return passed;
}

const ROUTES = `
gateway:
  ${PROXY}
  auth:
    keys: {api_keys: {keys: [{name: ann, key: "key-of-ann"}, {name: bob, key: "key-of-bob"}]}}
  routes:
    - {match: {path: /client}, to: {respond: {body: x}}, limit: {per: client, rate: 1/h, burst: 50}}
    - {match: {path: /route}, to: {respond: {body: x}}, limit: {per: route, rate: 1/h, burst: 50}}
    - match: {path: /key}
      to: {respond: {body: x}}
      auth: keys
      limit: {per: key, rate: 1/h, burst: 50}
    - {match: {path: /anybody}, to: {respond: {body: x}}, limit: {per: key, rate: 1/h, burst: 3}}
    - {match: {path: /few}, to: {respond: {body: x}}, limit: {rate: 1/10s, burst: 2}}
    - {match: {path: /usual}, to: {respond: {body: x}}, limit: {rate: 100/s}}
    - {match: {path: /slow}, to: {respond: {body: x}}, limit: {rate: 5/h}}
    - {match: {path: /soon}, to: {respond: {body: x}}, limit: {rate: 4/s, burst: 1}}
    - {match: {path: /v6}, to: {respond: {body: x}}, limit: {rate: 1/h, burst: 2}}
    - match: {path: /both}
      to: {respond: {body: x}}
      limit: [{per: route, rate: 1/h, burst: 20}, {per: client, rate: 1/h, burst: 5}]
    - match: {path: /twice}
      to: {respond: {body: x}}
      limit: [{per: client, rate: 1/h, burst: 3}, {per: client, rate: 1/d, burst: 9}]
    - match: {path: /mixed}
      to: {respond: {body: x}}
      auth: keys
      limit: [{per: key, rate: 1/h, burst: 4}, {per: client, rate: 1/h, burst: 6}]
    - {match: {path: /open}, to: {respond: {body: x}}}
`;

onNonet('gateway: limits', { config: ROUTES, listen }, (it) => {
  it('as many as a bucket holds pass, whichever shards they come by', async (t, server) => {
    assert.equal(await crowd(server, '/client', 200), 50);
    assert.equal(await crowd(server, '/client', 40), 0);
    assert.equal(await crowd(server, '/route', 200, (n) => from(`10.0.0.${n}`)), 50);
  });

  it('each client has its own', async (t, server) => {
    const twenty = (n) => from(`10.1.0.${n % 20}`);
    assert.equal(await crowd(server, '/client', 20 * 10, twenty), 20 * 10);
    assert.equal(await crowd(server, '/client', 20 * 60, twenty), 20 * 40);
  });

  it('each key has its own, whatever its address', async (t, server) => {
    const headers = (key) => (n) => ({ 'x-api-key': key, ...from(`10.2.0.${n}`) });
    assert.equal(await crowd(server, '/key', 100, headers('key-of-ann')), 50);
    assert.equal(await crowd(server, '/key', 100, headers('key-of-bob')), 50);
  });

  it('who has no key is known by his address', async (t, server) => {
    assert.equal(await crowd(server, '/anybody', 10, () => from('10.3.0.1')), 3);
    assert.equal(await crowd(server, '/anybody', 10, () => from('10.3.0.2')), 3);
  });

  it('an IPv6 subscriber is one client, whatever address of his he takes', async (t, server) => {
    const mine = (n) => from(`2001:db8:0:1:${(n + 1).toString(16)}::1`);
    assert.equal(await crowd(server, '/v6', 20, mine), 2);
    assert.equal(await crowd(server, '/v6', 20, () => from('2001:db8:0:2::1')), 2);
    assert.equal(await crowd(server, '/v6', 20, () => from('::ffff:10.4.0.1')), 2);
    assert.equal(await crowd(server, '/v6', 20, () => from('10.4.0.1')), 0);
  });

  it('answers tell the policy, what is left, and when to come again', async (t, server) => {
    const first = await ask(server, '/few', from('10.5.0.1'));
    assert.equal(first.status, 200);
    assert.equal(first.headers['ratelimit-policy'], '"default";q=2;w=20');
    assert.equal(first.headers['ratelimit'], '"default";r=1;t=10');
    assert.equal(first.headers['retry-after'], undefined);
    await ask(server, '/few', from('10.5.0.1'));
    const third = await ask(server, '/few', from('10.5.0.1'));
    assert.equal(third.status, 429);
    assert.equal(third.headers['content-type'], 'application/problem+json');
    assert.equal(third.headers['ratelimit-policy'], '"default";q=2;w=20');
    const [, wait] = /^"default";r=0;t=(\d+)$/.exec(third.headers['ratelimit']);
    assert.ok(Number(wait) >= 8 && Number(wait) <= 10, wait);
    assert.equal(third.headers['retry-after'], wait);
    const problem = JSON.parse(third.text);
    assert.equal(problem.status, 429);
    assert.equal(problem.title, 'Too Many Requests');
  });

  it('a burst that is not said is one second of the rate, or one', async (t, server) => {
    const usual = await ask(server, '/usual', from('10.6.0.1'));
    assert.equal(usual.headers['ratelimit-policy'], '"default";q=100;w=1');
    assert.equal(usual.headers['ratelimit'], '"default";r=99;t=1');
    const slow = await ask(server, '/slow', from('10.6.0.1'));
    assert.equal(slow.headers['ratelimit-policy'], '"default";q=1;w=720');
    assert.equal((await ask(server, '/slow', from('10.6.0.1'))).headers['retry-after'], '720');
  });

  it('tokens come back', async (t, server) => {
    const client = from('10.7.0.1');
    assert.equal((await ask(server, '/soon', client)).status, 200);
    const refused = await ask(server, '/soon', client);
    if (refused.status === 429) assert.equal(refused.headers['retry-after'], '1');
    await until(async () => (await ask(server, '/soon', client)).status === 200, 'a token');
  });

  it('routes without a limit say nothing of limits', async (t, server) => {
    const { headers } = await ask(server, '/open');
    assert.equal(headers['ratelimit'], undefined);
    assert.equal(headers['ratelimit-policy'], undefined);
  });

  it('of several limits all are told, by name', async (t, server) => {
    const both = await ask(server, '/both', from('10.8.0.1'));
    assert.equal(
      both.headers['ratelimit-policy'],
      '"route";q=20;w=72000, "client";q=5;w=18000',
    );
    assert.equal(both.headers['ratelimit'], '"route";r=19;t=3600, "client";r=4;t=3600');
    const twice = await ask(server, '/twice', from('10.8.0.1'));
    assert.equal(
      twice.headers['ratelimit-policy'],
      '"client";q=3;w=10800, "client-2";q=9;w=777600',
    );
  });

  it('a limit that refuses costs the others nothing', async (t, server) => {
    // 19 are left of the route; the first client has used one of his 5
    assert.equal(await crowd(server, '/both', 100, () => from('10.8.0.1')), 4);
    assert.equal(await crowd(server, '/both', 100, () => from('10.8.0.2')), 5);
    assert.equal(await crowd(server, '/both', 100, () => from('10.8.0.3')), 5);
    assert.equal(await crowd(server, '/both', 100, () => from('10.8.0.4')), 5);
    assert.equal(await crowd(server, '/both', 100, () => from('10.8.0.5')), 0);
    const last = await ask(server, '/both', from('10.8.0.5'));
    assert.match(last.headers['ratelimit'], /^"route";r=0;t=\d+, "client";r=5;t=0$/);
  });

  it('limits by key and by client hold together', async (t, server) => {
    const ann = () => ({ 'x-api-key': 'key-of-ann', ...from('10.9.0.1') });
    const bob = () => ({ 'x-api-key': 'key-of-bob', ...from('10.9.0.1') });
    assert.equal(await crowd(server, '/mixed', 50, ann), 4);
    assert.equal(await crowd(server, '/mixed', 50, bob), 2);
  });

  it('figures are counted', async (t, server) => {
    const metrics = await (await fetch(`${server.admin}/metrics`)).text();
    const value = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)[1]);
    assert.ok(value('nonet_gateway_limit_refused_total') > 500);
    assert.equal(value('nonet_gateway_limit_unanswered_total'), 0);
    assert.equal(value('nonet_gateway_limit_evicted_total'), 0);
  });
});

const version = (routes) => `
gateway:
  ${PROXY}
  routes:
    - {name: kept, match: {path: /kept}, to: {respond: {body: x}}, limit: {rate: 1/h, burst: 30}}
    ${routes}
`;
const changed = (burst) =>
  `- {name: c, match: {path: /c}, to: {respond: {body: x}}, limit: {rate: 1/h, burst: ${burst}}}`;

onNonet('gateway: limits, reload', { config: version(changed(10)), listen }, (it) => {
  it('keeps the buckets of limits that stay, on every shard', async (t, server) => {
    const ten = (n) => from(`10.0.0.${n % 10}`);
    assert.equal(await crowd(server, '/kept', 10 * 20, ten), 10 * 20);
    assert.equal(await crowd(server, '/c', 20), 10);
    assert.match(await server.reload(version(changed(12))), /reloaded/);
    assert.equal(await crowd(server, '/kept', 10 * 20, ten), 10 * 10);
    assert.equal(await crowd(server, '/c', 20), 12);
  });

  it('refuses a rate of nothing', async (t, server) => {
    const none = '- {match: {path: /c}, to: {respond: {body: x}}, limit: {rate: 0/s}}';
    assert.match(await server.reload(version(none)), /refused/);
    assert.equal(await crowd(server, '/c', 5), 0);
  });
});
