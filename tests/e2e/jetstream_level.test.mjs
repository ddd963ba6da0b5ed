// What INFO's version lets clients take up: the official client at that level, with none of its
// gates opened by hand; and what the level has and Nonet has not is refused by its name.

import assert from 'node:assert/strict';
import { AckPolicy, DeliverPolicy, RetentionPolicy } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { onNonet, until } from './lib/node.mjs';

const texts = async (iterator) => {
  const all = [];
  for await (const m of iterator) all.push(m.string());
  return all;
};

onNonet('the level of nats-server 2.10 and 2.11', {}, (it) => {
  it('is what INFO says, and opens every gate of the client', async (t, server) => {
    const { nc } = await openJetstream(t, server);
    assert.match(nc.info.version, /^2\.11\.\d+$/);
    const closed = [...nc.features.features].filter(([, { ok }]) => !ok).map(([name]) => name);
    assert.deepEqual(closed, []);
  });

  it('streams: metadata, first_seq, transforms, limits of consumers, clock', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    const before = Date.now();
    const { config, ts } = await jsm.streams.add({
      name: 'FIELDS',
      subjects: ['fields.*'],
      metadata: { owner: 'ann' },
      first_seq: 100,
      subject_transform: { src: 'fields.*', dest: 'kept.{{wildcard(1)}}' },
      consumer_limits: { inactive_threshold: nanos(60_000), max_ack_pending: 50 },
      compression: 'none',
    });
    assert.deepEqual(config.metadata, { owner: 'ann' });
    assert.ok(Math.abs(Date.parse(ts) - before) < 60_000, ts);
    assert.equal((await js.publish('fields.a', 'x')).seq, 100);
    assert.equal((await jsm.streams.getMessage('FIELDS', { seq: 100 })).subject, 'kept.a');
    const c = await jsm.consumers.add('FIELDS', {
      ack_policy: AckPolicy.Explicit,
      filter_subjects: ['kept.a', 'kept.b'],
      metadata: { why: 'test' },
    });
    assert.equal(c.config.max_ack_pending, 50);
    assert.equal(c.config.inactive_threshold, nanos(60_000));
    assert.deepEqual(c.config.metadata, { why: 'test' });
    assert.ok(Math.abs(Date.parse(c.ts) - before) < 60_000, c.ts);
    for await (const s of jsm.streams.list('fields.*')) assert.ok(s.ts);
  });

  it('retention changes between limits and interest, not to work queue', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'RETAIN', subjects: ['retain'] });
    await js.publish('retain', 'x');
    const { config } = await jsm.streams.update('RETAIN', { retention: RetentionPolicy.Interest });
    assert.equal(config.retention, 'interest');
    await until(async () => (await jsm.streams.info('RETAIN')).state.messages === 0, 'it to go');
    const wrong = jsm.streams.update('RETAIN', { retention: RetentionPolicy.Workqueue });
    await assert.rejects(wrong, /retention policy to\/from workqueue/);
  });

  it('ordered consumers of several subjects', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'SEVERAL', subjects: ['several.*'] });
    for (const end of ['a', 'b', 'c', 'a']) await js.publish(`several.${end}`, end);
    const filters = ['several.a', 'several.c'];
    const c = await js.consumers.get('SEVERAL', { filter_subjects: filters });
    assert.deepEqual(await texts(await c.fetch({ max_messages: 3, expires: 2000 })), [
      'a',
      'c',
      'a',
    ]);
  });

  it('direct get: batches, the last of several subjects, by time', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'DIRECT', subjects: ['direct.*'], allow_direct: true });
    for (const end of ['a', 'b', 'a', 'c', 'b']) await js.publish(`direct.${end}`, end);
    const batch = await jsm.direct.getBatch('DIRECT', { seq: 2, batch: 3 });
    assert.deepEqual(await texts(batch), ['b', 'a', 'c']);
    const last = await jsm.direct.getLastMessagesFor('DIRECT', {
      multi_last: ['direct.a', 'direct.b'],
      up_to_seq: 4,
    });
    assert.deepEqual(await texts(last), ['b', 'a']);
    const time = (await jsm.direct.getMessage('DIRECT', { seq: 4 })).time;
    const found = await jsm.direct.getMessage('DIRECT', { start_time: time });
    assert.ok(found.seq <= 4);
  });

  it('key-value: watches of several keys, times to live, markers', async (t, server) => {
    const { nc } = await openJetstream(t, server);
    const kv = await new Kvm(nc).create('level', { history: 3, markerTTL: 2000 });
    await kv.put('a.1', 'x');
    await kv.put('b', 'y');
    await kv.put('c', 'z');
    const seen = [];
    const watch = await kv.watch({ key: ['a.*', 'b'] });
    (async () => {
      for await (const e of watch) seen.push(`${e.key} ${e.operation}`);
    })();
    await until(() => seen.length === 2, 'two keys');
    await kv.create('a.2', 'short', '1s');
    await until(() => seen.includes('a.2 PUT'), 'the new one');
    await until(() => seen.some((s) => s.startsWith('a.2') && s !== 'a.2 PUT'), 'its end');
    assert.ok(!seen.some((s) => s.startsWith('c')));
    watch.stop();
    const status = await kv.status();
    assert.equal(status.streamInfo.config.subject_delete_marker_ttl, nanos(2000));
  });

  it('the account says its level and what is reserved', async (t, server) => {
    const { jsm, api } = await openJetstream(t, server);
    const before = await api('INFO');
    await jsm.streams.add({ name: 'KEPT', subjects: ['kept'], max_bytes: 1_000_000 });
    const info = await api('INFO');
    assert.equal(info.api.level, 1);
    assert.equal(info.reserved_storage - before.reserved_storage, 1_000_000);
    assert.equal(info.reserved_memory, before.reserved_memory);
    assert.ok(info.api.total > before.api.total);
    assert.equal((await jsm.getAccountInfo()).limits.max_bytes_required, false);
  });

  it('pedantic: what would be put right in silence is refused', async (t, server) => {
    const { jsm } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'PED', subjects: ['ped'] });
    const config = {
      durable_name: 'c',
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(1000),
      backoff: [nanos(2000)],
    };
    await assert.rejects(jsm.consumers.add('PED', config, { pedantic: true }), /pedantic mode/);
    assert.equal((await jsm.consumers.add('PED', config)).config.ack_wait, nanos(2000));
  });

  it('what is not served is refused by its name', async (t, server) => {
    const { nc, jsm, api } = await openJetstream(t, server);
    const stream = (fields) => jsm.streams.add({ name: 'NOT', subjects: ['not'], ...fields });
    await assert.rejects(stream({ compression: 's2' }), /"compression"/);
    const source = { name: 'X', subject_transforms: [{ src: '>', dest: 'x.>' }] };
    await assert.rejects(stream({ sources: [source] }), /"sources"/);
    await assert.rejects(stream({ mirror: { name: 'X' }, subjects: [] }), /"mirror"/);
    await stream({});
    const groups = { priority_groups: ['g'], priority_policy: 'overflow' };
    const named = { durable_name: 'c', ack_policy: AckPolicy.Explicit };
    await assert.rejects(jsm.consumers.add('NOT', { ...named, ...groups }), /"priority_/);
    await assert.rejects(
      jsm.consumers.add('NOT', {
        ...named,
        priority_policy: 'pinned_client',
        priority_groups: ['g'],
      }),
      /"priority_/,
    );
    await jsm.consumers.add('NOT', named);
    for (const more of [{ group: 'g' }, { min_pending: 5 }, { min_ack_pending: 5 }, { id: 'x' }]) {
      const pull = JSON.stringify({ batch: 1, expires: nanos(1000), ...more });
      const answer = await nc.request('$JS.API.CONSUMER.MSG.NEXT.NOT.c', pull);
      assert.equal(answer.headers.code, 400, JSON.stringify(more));
      assert.match(answer.headers.description, /priority groups are not served/);
    }
    const answer = await api('CONSUMER.UNPIN.NOT.c', { group: 'g' });
    assert.equal(errorOf(answer), '400 10003');
    assert.match(answer.error.description, /UNPIN/);
  });

  it('by start time, from where others have gone', async (t, server) => {
    const { jsm, js } = await openJetstream(t, server);
    await jsm.streams.add({ name: 'SINCE', subjects: ['since'] });
    for (let i = 0; i < 3; i++) await js.publish('since', `${i}`);
    const { time } = await jsm.streams.getMessage('SINCE', { seq: 2 });
    const c = await js.consumers.get('SINCE', {
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: time.toISOString(),
    });
    const all = await texts(await c.fetch({ max_messages: 3, expires: 1000 }));
    assert.deepEqual(all.slice(-2), ['1', '2']);
  });
});
