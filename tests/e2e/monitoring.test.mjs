// What a node tells about itself: NATS's monitoring pages, health, Prometheus, system requests.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { request } from 'undici';
import { SHARDS, onNonet, until } from './lib/node.mjs';
import { Raw } from './lib/raw.mjs';

async function page(server, address) {
  const { statusCode, headers, body } = await request(`${server.admin}${address}`);
  assert.equal(statusCode, 200, address);
  assert.match(headers['content-type'], /^application\/json/);
  return body.json();
}

// A request with exactly these headers, which clients with manners do not send.
function bare(server, method, address, headers) {
  const { port } = new URL(server.admin);
  return new Promise((resolve, reject) => {
    const asked = http.request({ host: '127.0.0.1', port, method, path: address, headers });
    asked.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function metrics(server) {
  const { body } = await request(`${server.admin}/metrics`);
  const values = {};
  for (const line of (await body.text()).split('\n')) {
    const [, name, value] = /^([^#\s]\S*) (\S+)$/.exec(line) ?? [];
    if (name) values[name] = Number(value);
  }
  return values;
}

onNonet('monitoring', {}, (it) => {
  it('/varz is the server in figures', async (t, server) => {
    const before = await page(server, '/varz');
    const nc = await server.connect(t);
    let got = 0;
    nc.subscribe('figures', { callback: () => got++ });
    for (let i = 0; i < 10; i++) nc.publish('figures', 'x'.repeat(100));
    await nc.flush();
    const after = await until(async () => {
      const varz = await page(server, '/varz');
      return varz.out_msgs >= before.out_msgs + 10 && varz;
    }, 'the figures');
    assert.equal(got, 10);
    assert.equal(after.server_id, nc.info.server_id);
    assert.equal(after.version, nc.info.version);
    assert.equal(after.port, server.port);
    assert.equal(after.max_payload, 1_048_576);
    assert.equal(after.connections, before.connections + 1);
    assert.equal(after.in_msgs, before.in_msgs + 10);
    assert.ok(after.in_bytes >= before.in_bytes + 1000);
    assert.equal(after.slow_consumers, 0);
    assert.ok(after.mem > 1_000_000);
    assert.ok(Math.abs(Date.parse(after.now) - Date.now()) < 60_000);
    assert.ok(after.jetstream);
  });

  it('/connz lists clients, whole, sorted, in pages, by number', async (t, server) => {
    const clients = [];
    for (let i = 0; i < 5; i++) clients.push(await server.connect(t, { name: `client ${i}` }));
    for (let i = 0; i < 3; i++) clients[2].subscribe(`connz.${i}`, { callback: () => {} });
    await clients[2].flush();
    const connz = await page(server, '/connz?subs=1');
    assert.equal(connz.num_connections, 5);
    assert.equal(connz.total, 5);
    const mine = connz.connections.find(({ name }) => name === 'client 2');
    assert.equal(mine.cid, clients[2].info.client_id);
    assert.equal(mine.ip, '127.0.0.1');
    assert.equal(mine.lang, 'nats.js');
    assert.equal(mine.subscriptions, 3);
    assert.deepEqual(mine.subscriptions_list.sort(), ['connz.0', 'connz.1', 'connz.2']);
    const { connections: most } = await page(server, '/connz?sort=subs&limit=1');
    assert.deepEqual(
      most.map(({ name }) => name),
      ['client 2'],
    );
    const second = await page(server, '/connz?limit=2&offset=4');
    assert.equal(second.connections.length, 1);
    const one = await page(server, `/connz?cid=${mine.cid}`);
    assert.deepEqual(
      one.connections.map(({ name }) => name),
      ['client 2'],
    );
  });

  it('/subsz counts subscriptions and finds those of a subject', async (t, server) => {
    const nc = await server.connect(t);
    const before = await page(server, '/subsz');
    for (const subject of ['subsz.a', 'subsz.*', 'other']) nc.subscribe(subject, { callback() {} });
    await nc.flush();
    assert.equal((await page(server, '/subsz')).num_subscriptions, before.num_subscriptions + 3);
    const { subscriptions_list: list } = await page(server, '/subsz?subs=1&test=subsz.a');
    assert.deepEqual(list.map(({ subject }) => subject).sort(), ['subsz.*', 'subsz.a']);
  });

  it('/jsz tells streams and consumers', async (t, server) => {
    const nc = await server.connect(t);
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'JSZ', subjects: ['jsz'] });
    await jsm.consumers.add('JSZ', { durable_name: 'c', ack_policy: 'explicit' });
    for (let i = 0; i < 7; i++) await jetstream(nc).publish('jsz', 'x');
    const sum = await page(server, '/jsz');
    assert.deepEqual([sum.streams, sum.consumers, sum.messages], [1, 1, 7]);
    const full = await page(server, '/jsz?streams=1&consumers=1&config=1');
    const [stream] = full.account_details[0].stream_detail;
    assert.equal(stream.name, 'JSZ');
    assert.equal(stream.state.messages, 7);
    assert.deepEqual(stream.config.subjects, ['jsz']);
    assert.equal(stream.consumer_detail[0].name, 'c');
    assert.equal(stream.consumer_detail[0].num_pending, 7);
    assert.equal(sum.account_details, undefined);
    assert.equal(sum.api.level, 1);
  });

  it('/jsz chooses accounts, and lists all of their streams', async (t, server) => {
    const jsm = await jetstreamManager(await server.connect(t));
    for (let i = 0; i < 3; i++)
      await jsm.streams.add({ name: `ACC${i}`, subjects: [`acc${i}`], max_bytes: 1000 });
    const named = async (query) => {
      const { account_details: all = [] } = await page(server, `/jsz?${query}`);
      return all.map((a) => [a.name, (a.stream_detail ?? []).length]);
    };
    const { streams, reserved_storage } = await page(server, '/jsz');
    assert.ok(streams >= 3 && reserved_storage >= 3000);
    assert.deepEqual(await named('accounts=1'), [['$G', 0]]);
    assert.deepEqual(await named('acc=$G'), [['$G', 0]]);
    assert.deepEqual(await named('acc=none&streams=1'), []);
    assert.deepEqual(await named('streams=1&limit=1'), [['$G', streams]]);
    assert.deepEqual(await named('consumers=1'), [['$G', streams]]);
    assert.deepEqual(await named('streams=1&offset=1'), []);
    assert.deepEqual(await named('config=1'), []);
  });

  it('/healthz and /v1/status say that all is well', async (t, server) => {
    assert.deepEqual(await page(server, '/healthz'), { status: 'ok' });
    const status = await page(server, '/v1/status');
    assert.equal(status.phase, 'running');
    assert.equal(status.shards, Number(SHARDS));
    assert.deepEqual(status.listeners, server.ports);
  });

  it('/metrics is what Prometheus reads', async (t, server) => {
    const { headers, body } = await request(`${server.admin}/metrics`);
    assert.match(headers['content-type'], /^(text\/plain|application\/openmetrics-text)/);
    const text = await body.text();
    for (const line of text.trimEnd().split('\n')) {
      assert.match(
        line,
        /^(# (HELP|TYPE|UNIT|EOF)|[a-z_:][a-z0-9_:]*(\{[^}]*\})? [-+0-9.eInNaf]+$)/i,
      );
    }
    for (const [, name] of text.matchAll(/^([a-z0-9_]+)(?:\{[^}]*\})? /gm)) {
      assert.match(
        text,
        new RegExp(`^# HELP ${name.replace(/_(total|bucket|sum|count)$/, '')}`, 'm'),
      );
    }
    const before = await metrics(server);
    const nc = await server.connect(t);
    for (let i = 0; i < 20; i++) nc.publish('metric', 'x');
    await nc.flush();
    await until(
      async () =>
        (await metrics(server)).nonet_nats_messages_in_total ===
        before.nonet_nats_messages_in_total + 20,
      'twenty more messages',
    );
    assert.equal((await metrics(server)).nonet_nats_connections, before.nonet_nats_connections + 1);
  });

  it('/metrics tells what the log does', async (t, server) => {
    const before = await metrics(server); // may be older than what earlier tests have stored
    const nc = await server.connect(t);
    await (await jetstreamManager(nc)).streams.add({ name: 'LOG', subjects: ['logged'] });
    for (let i = 0; i < 5; i++) await jetstream(nc).publish('logged', 'x'.repeat(1000));
    await until(
      async () => {
        const now = await metrics(server);
        return now.nonet_log_batches_total >= before.nonet_log_batches_total + 6;
      },
      'the figures of the log, which are gathered every five seconds',
      10_000,
    );
    const after = await metrics(server);
    const grown = (name) => after[`nonet_log_${name}`] - before[`nonet_log_${name}`];
    assert.ok(grown('groups_total') >= 6 && after.nonet_log_streams >= 1);
    assert.ok(grown('syncs_total') >= grown('groups_total'));
    assert.ok(grown('sync_seconds_total') > 0 && grown('sync_seconds_total') < 10);
    assert.ok(grown('journal_written_bytes_total') >= 6 * 4096);
    assert.ok(after.nonet_log_unsaved_bytes > 5000);
    assert.ok(after.nonet_log_journal_bytes <= after.nonet_log_journal_capacity_bytes);
    assert.ok(after.nonet_log_journal_bytes > 0);
    for (const name of ['full', 'disk_full', 'damaged_messages', 'checkpoints_failed_total']) {
      assert.equal(after[`nonet_log_${name}`], 0, name);
    }
    const { body } = await request(`${server.admin}/metrics`);
    assert.match(await body.text(), /^# HELP nonet_log_checkpoint_stall_seconds_max \w/m);
  });

  it('a slow consumer is counted', async (t, server) => {
    const before = (await metrics(server)).nonet_nats_slow_consumers_total;
    const slow = await (await Raw.open(t, server)).hello();
    slow.send('SUB flood 1\r\n');
    await slow.fence();
    slow.socket.pause();
    const nc = await server.connect(t);
    const payload = Buffer.alloc(1_000_000);
    await until(
      async () => {
        for (let i = 0; i < 10; i++) nc.publish('flood', payload);
        await nc.flush();
        return (await metrics(server)).nonet_nats_slow_consumers_total > before;
      },
      'the count',
      30_000,
    );
  });

  it('what is not there is 404, what is asked wrongly 400', async (t, server) => {
    assert.equal(await bare(server, 'GET', '/nothing', {}), 404);
    assert.equal(await bare(server, 'GET', '/connz?limit=many', {}), 400);
    assert.equal(await bare(server, 'GET', '/connz?sort=colour', {}), 400);
  });

  it('$SYS.REQ answers what the nats CLI asks', async (t, server) => {
    const nc = await server.connect(t);
    const { data } = (await nc.request('$SYS.REQ.USER.INFO', '', { timeout: 3000 })).json();
    assert.equal(data.account, '$G');
    const ping = (await nc.request('$SYS.REQ.SERVER.PING', '', { timeout: 3000 })).json();
    assert.equal(ping.server.id, nc.info.server_id);
    assert.ok(ping.statsz);
  });
});

onNonet('monitoring: who may ask', {}, (it) => {
  it('only under a name of this machine', async (t, server) => {
    const { port } = new URL(server.admin);
    const status = (host) => bare(server, 'GET', '/varz', { host });
    assert.equal(await status(`localhost:${port}`), 200);
    assert.equal(await status(`127.0.0.1:${port}`), 200);
    assert.equal(await status(`evil.example:${port}`), 403);
    assert.equal(await status('localhost.evil.example'), 403);
  });

  it('changes need the token, and another origin may not even with it', async (t, server) => {
    const token = server.token.trim();
    assert.equal(fs.statSync(path.join(server.data, 'admin.token')).mode & 0o777, 0o600);
    const own = new URL(server.admin).host;
    const reload = (headers) => bare(server, 'POST', '/v1/reload', { host: own, ...headers });
    const authorization = `Bearer ${token}`;
    assert.equal(await reload({}), 401);
    assert.equal(await reload({ authorization: `Bearer ${token}x` }), 401);
    assert.equal(await reload({ authorization, origin: 'http://evil.example' }), 403);
    assert.equal(await reload({ authorization, origin: 'null' }), 403);
    assert.equal(await reload({ authorization, 'sec-fetch-site': 'cross-site' }), 403);
    assert.equal(await reload({ authorization, origin: server.admin }), 204);
    assert.equal(await reload({ authorization }), 204);
  });
});

// bcrypt of "brisk", cost 10, and of "slow", cost 13: more than half a second of work.
const BRISK = '$2b$10$KBCwKxOzLha2MUDgW0PjXeg6X.Xw8NO1zzzj7VBxNV9nyKfGvTa4u';
const SLOW = '$2b$13$KBCwKxOzLha2MUDgW0PjXe7Y.V131etGSV8C4Xfghjwt5gPLpNRYy';

onNonet(
  'monitoring: with users',
  {
    config: `
auth:
  users:
    - {user: ann, password: secret, publish: {allow: ["a.>"]}}
    - {user: tim, password: "${BRISK}"}
    - {user: sam, password: "${SLOW}"}
`,
  },
  (it) => {
    const basic = (server, text) => ({
      host: new URL(server.admin).host,
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    });
    const reload = (server, text) => bare(server, 'POST', '/v1/reload', basic(server, text));

    it('a user may change, a wrong password may not', async (t, server) => {
      assert.equal(await reload(server, 'ann:wrong'), 401);
      assert.equal(await reload(server, 'ann:secret'), 204);
      assert.equal(await reload(server, 'tim:wrong'), 401);
      assert.equal(await reload(server, 'tim:brisk'), 204);
    });

    it('while a hash is computed everybody else is served', async (t, server) => {
      let judged = 0;
      const guesses = Array.from({ length: 3 }, async () => {
        assert.equal(await reload(server, 'sam:guess'), 401);
        judged += 1;
      });
      const nc = await server.connect(t, { user: 'ann', pass: 'secret' });
      for (let i = 0; i < 20; i++) {
        await nc.flush();
        assert.equal(await bare(server, 'GET', '/healthz', basic(server, ':')), 200);
      }
      assert.ok(judged < 3, 'twenty rounds took longer than three hashes');
      await Promise.all(guesses);
    });

    it('more than a few such logins at once are told to come again', async (t, server) => {
      const all = await Promise.all(Array.from({ length: 18 }, () => reload(server, 'tim:guess')));
      assert.ok(all.includes(429) && all.every((status) => [401, 429].includes(status)), `${all}`);
    });

    it('rights hold for system requests, too, and /connz tells who is there', async (t, server) => {
      const nc = await server.connect(t, { user: 'ann', pass: 'secret' });
      await assert.rejects(nc.request('$SYS.REQ.USER.INFO', '', { timeout: 1000 }));
      const { connections } = await page(server, '/connz?auth=1');
      assert.deepEqual(
        connections.map((connection) => connection.authorized_user),
        ['ann'],
      );
    });
  },
);
