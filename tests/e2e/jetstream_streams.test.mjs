// Durable streams: made, changed, listed, read, trimmed and removed by the official client.

import assert from 'node:assert/strict';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { onBoth, until } from './lib/node.mjs';

// What the API refuses with: {code, err_code}.
async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (failure) => failure.apiError?.() ?? failure.api_error ?? failure,
  );
  return { code: error.code, err_code: error.err_code };
}

async function open(t, server) {
  const nc = await server.connect(t);
  return { nc, jsm: await jetstreamManager(nc), js: jetstream(nc) };
}

async function fill(js, subject, count) {
  for (let i = 1; i <= count; i++) await js.publish(subject, `message ${i}`);
}

onBoth('streams', {}, (it) => {
  it('the account says what there is', async (t, server) => {
    const { jsm } = await open(t, server);
    const info = await jsm.getAccountInfo();
    assert.equal(info.streams, 0);
    assert.equal(info.consumers, 0);
    assert.equal(info.limits.max_streams, -1);
    assert.ok(info.api.total >= 0);
  });

  it('a new stream has the defaults', async (t, server) => {
    const { jsm } = await open(t, server);
    const { config, state, created } = await jsm.streams.add({
      name: 'NEW',
      subjects: ['new.>'],
    });
    assert.equal(config.name, 'NEW');
    assert.deepEqual(config.subjects, ['new.>']);
    assert.equal(config.retention, 'limits');
    assert.equal(config.discard, 'old');
    assert.equal(config.storage, 'file');
    assert.equal(config.num_replicas, 1);
    for (const key of [
      'max_consumers',
      'max_msgs',
      'max_bytes',
      'max_msgs_per_subject',
      'max_msg_size',
    ]) {
      assert.equal(config[key], -1, key);
    }
    assert.equal(config.max_age, 0);
    assert.equal(config.duplicate_window, 120e9);
    assert.equal(state.messages, 0);
    assert.equal(state.bytes, 0);
    assert.equal(state.first_seq, 0);
    assert.equal(state.last_seq, 0);
    assert.equal(state.consumer_count, 0);
    assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60_000, created);
  });

  it('without subjects it takes its name', async (t, server) => {
    const { jsm, js } = await open(t, server);
    assert.deepEqual((await jsm.streams.add({ name: 'plain' })).config.subjects, ['plain']);
    assert.equal((await js.publish('plain', 'x')).stream, 'plain');
  });

  it('what was said is kept', async (t, server) => {
    const { jsm } = await open(t, server);
    const said = {
      name: 'SAID',
      description: 'words ✓',
      subjects: ['said.a', 'said.b.*', 'said.c.>'],
      max_msgs: 10,
      max_bytes: 100_000,
      max_age: 60e9,
      max_msgs_per_subject: 3,
      max_msg_size: 1000,
      max_consumers: 2,
      discard: 'new',
      duplicate_window: 5e9,
      allow_direct: true,
      deny_delete: true,
      deny_purge: true,
      storage: 'memory',
      discard_new_per_subject: true,
    };
    await jsm.streams.add(said);
    const { config } = await jsm.streams.info('SAID');
    for (const [key, value] of Object.entries(said)) assert.deepEqual(config[key], value, key);
    await jsm.streams.delete('SAID');
  });

  it('the same stream again is fine, another one under its name is not', async (t, server) => {
    const { jsm } = await open(t, server);
    await jsm.streams.add({ name: 'SAME', subjects: ['same'] });
    await jsm.streams.add({ name: 'SAME', subjects: ['same'] });
    assert.deepEqual(await refusal(jsm.streams.add({ name: 'SAME', subjects: ['other'] })), {
      code: 400,
      err_code: 10058,
    });
  });

  it('subjects of two streams do not overlap', async (t, server) => {
    const { jsm } = await open(t, server);
    await jsm.streams.add({ name: 'ONE', subjects: ['over.*'] });
    for (const subject of ['over.a', 'over.>', 'over.*']) {
      assert.deepEqual(
        await refusal(jsm.streams.add({ name: 'TWO', subjects: [subject] })),
        { code: 400, err_code: 10065 },
        subject,
      );
    }
    await jsm.streams.add({ name: 'TWO', subjects: ['over.a.b'] });
  });

  it('what cannot be is refused', async (t, server) => {
    const { nc, jsm } = await open(t, server);
    const add = async (name, config) => {
      const answer = await nc.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config));
      return answer.json().error?.code >= 400;
    };
    assert.ok(await add('BAD', { name: 'OTHER', subjects: ['bad'] }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['bad..x'] }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['bad', 'bad'] }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['bad'], num_replicas: 3 }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['bad'], max_age: 1 }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['$JS.API.>'] }));
    assert.ok(await add('BAD', { name: 'BAD', subjects: ['bad'], storage: 'paper' }));
    assert.deepEqual(await refusal(jsm.streams.info('BAD')), { code: 404, err_code: 10059 });
  });

  it('an update changes limits and subjects, but not the storage', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'UP', subjects: ['up.a'] });
    await fill(js, 'up.a', 10);
    const info = await jsm.streams.update('UP', { subjects: ['up.a', 'up.b'], max_msgs: 4 });
    assert.deepEqual(info.config.subjects, ['up.a', 'up.b']);
    const { state } = await jsm.streams.info('UP');
    assert.equal(state.messages, 4);
    assert.equal(state.first_seq, 7);
    assert.equal((await js.publish('up.b', 'x')).seq, 11);
    await assert.rejects(jsm.streams.update('UP', { storage: 'memory' }));
    assert.deepEqual(await refusal(jsm.streams.update('NONE', { max_msgs: 1 })), {
      code: 404,
      err_code: 10059,
    });
  });

  it('a deleted stream is gone, and its subjects are free', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'GONE', subjects: ['gone'] });
    await fill(js, 'gone', 3);
    assert.equal(await jsm.streams.delete('GONE'), true);
    assert.deepEqual(await refusal(jsm.streams.info('GONE')), { code: 404, err_code: 10059 });
    assert.deepEqual(await refusal(jsm.streams.delete('GONE')), { code: 404, err_code: 10059 });
    await assert.rejects(js.publish('gone', 'x'));
    await jsm.streams.add({ name: 'AGAIN', subjects: ['gone'] });
    assert.equal((await js.publish('gone', 'x')).seq, 1);
  });

  it('names and lists come in pages and by subject', async (t, server) => {
    const { nc, jsm } = await open(t, server);
    const names = [];
    for (let i = 0; i < 300; i++) names.push(`page-${String(i).padStart(3, '0')}`);
    await Promise.all(
      names.map((name) => jsm.streams.add({ name, subjects: [`${name}.x`], storage: 'memory' })),
    );
    const listed = [];
    for await (const stream of jsm.streams.list()) listed.push(stream.config.name);
    assert.deepEqual(listed.filter((name) => name.startsWith('page-')).sort(), names);
    const named = [];
    for await (const name of jsm.streams.names()) named.push(name);
    assert.deepEqual(named.sort(), listed.sort());
    const page = (await nc.request('$JS.API.STREAM.LIST', '{"offset":256}')).json();
    assert.equal(page.total, named.length);
    assert.equal(page.offset, 256);
    assert.equal(page.streams.length, named.length - 256);
    const beyond = (await nc.request('$JS.API.STREAM.LIST', '{"offset":9999}')).json();
    assert.deepEqual([beyond.offset, beyond.total], [named.length, named.length]);
    assert.deepEqual(beyond.streams, []);
    const none = (await nc.request('$JS.API.STREAM.NAMES', '{"offset":9999}')).json();
    assert.deepEqual([none.offset, none.streams ?? []], [named.length, []]);
    const consumers = await nc.request('$JS.API.CONSUMER.NAMES.page-000', '{"offset":7}');
    assert.equal(consumers.json().offset, 0);
    assert.equal(await jsm.streams.find('page-123.x'), 'page-123');
    await assert.rejects(jsm.streams.find('page-999.x'));
    await Promise.all(names.map((name) => jsm.streams.delete(name)));
  });

  it('counts by subject come in pages of 100,000', async (t, server) => {
    const { nc, jsm } = await open(t, server);
    const COUNT = 100_003;
    await jsm.streams.add({ name: 'WIDE', subjects: ['wide.*'], storage: 'memory', no_ack: true });
    for (let i = 0; i < COUNT; i++) nc.publish(`wide.${i}`);
    nc.publish('wide.0');
    await nc.flush();
    await until(
      async () => (await jsm.streams.info('WIDE')).state.messages === COUNT + 1,
      'all of them',
      30_000,
    );
    const { state } = await jsm.streams.info('WIDE', { subjects_filter: '>' });
    assert.equal(Object.keys(state.subjects).length, COUNT);
    assert.equal(state.subjects['wide.0'], 2);
    const ask = async (offset) =>
      (
        await nc.request(
          '$JS.API.STREAM.INFO.WIDE',
          JSON.stringify({ subjects_filter: '>', offset }),
          { timeout: 5000 },
        )
      ).json();
    const last = await ask(100_000);
    assert.deepEqual([last.total, last.offset, last.limit], [COUNT, 100_000, 100_000]);
    assert.equal(Object.keys(last.state.subjects).length, 3);
    await jsm.streams.delete('WIDE');
  });

  it('messages are read by sequence and by subject, headers included', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'READ', subjects: ['read.*'] });
    const sent = headers();
    sent.set('Key', 'value');
    await js.publish('read.a', 'one', { headers: sent });
    await js.publish('read.b', 'two');
    await js.publish('read.a', 'three');
    const first = await jsm.streams.getMessage('READ', { seq: 1 });
    assert.equal(first.subject, 'read.a');
    assert.equal(first.seq, 1);
    assert.equal(first.string(), 'one');
    assert.equal(first.header.get('Key'), 'value');
    assert.ok(Math.abs(first.time.getTime() - Date.now()) < 60_000);
    assert.equal((await jsm.streams.getMessage('READ', { last_by_subj: 'read.a' })).seq, 3);
    assert.equal((await jsm.streams.getMessage('READ', { last_by_subj: 'read.*' })).seq, 3);
    assert.equal((await jsm.streams.getMessage('READ', { next_by_subj: 'read.a', seq: 2 })).seq, 3);
    assert.equal(await jsm.streams.getMessage('READ', { seq: 9 }), null);
    assert.equal(await jsm.streams.getMessage('READ', { last_by_subj: 'read.z' }), null);
  });

  it('direct get reads the same where it is allowed', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'DIRECT', subjects: ['direct.*'], allow_direct: true });
    const sent = headers();
    sent.set('Key', 'value');
    await js.publish('direct.a', 'one', { headers: sent });
    await js.publish('direct.b', 'two');
    await js.publish('direct.a', '');
    const first = await jsm.direct.getMessage('DIRECT', { seq: 1 });
    assert.equal(first.subject, 'direct.a');
    assert.equal(first.seq, 1);
    assert.equal(first.string(), 'one');
    assert.equal(first.header.get('Key'), 'value');
    assert.ok(Math.abs(first.time.getTime() - Date.now()) < 60_000);
    assert.equal((await jsm.direct.getMessage('DIRECT', { last_by_subj: 'direct.b' })).seq, 2);
    assert.equal(
      (await jsm.direct.getMessage('DIRECT', { next_by_subj: 'direct.a', seq: 2 })).seq,
      3,
    );
    const raw = await nc.request('$JS.API.DIRECT.GET.DIRECT.direct.b', '');
    assert.equal(raw.string(), 'two');
    assert.equal(raw.headers.get('Nats-Sequence'), '2');
    assert.equal(raw.headers.get('Nats-Stream'), 'DIRECT');
    const missing = await nc.request('$JS.API.DIRECT.GET.DIRECT', '{"seq":77}');
    assert.equal(missing.headers.code, 404);
    await jsm.streams.add({ name: 'INDIRECT', subjects: ['indirect'] });
    await js.publish('indirect', 'x');
    await assert.rejects(nc.request('$JS.API.DIRECT.GET.INDIRECT', '{"seq":1}', { timeout: 500 }));
  });

  it('a direct get that says nothing, or too much, is told so', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'ASKED', subjects: ['asked'], allow_direct: true });
    await js.publish('asked', 'x');
    const status = async (body, suffix = '') => {
      const answer = await nc.request(`$JS.API.DIRECT.GET.ASKED${suffix}`, body);
      return `${answer.headers.code} ${answer.headers.description}`;
    };
    assert.equal(await status(''), '408 Empty Request');
    assert.equal(await status('{}'), '408 Empty Request');
    assert.equal(await status('{"seq":'), '408 Malformed Request');
    assert.equal(await status('{"seq":1,"last_by_subj":"asked"}'), '408 Bad Request');
    assert.equal(await status('{"seq":1}', '.asked'), '408 Bad Request');
    assert.equal(await status('{"seq":7}'), '404 Message Not Found');
  });

  it('purge: all, of a subject, up to a sequence, all but the newest', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'PURGE', subjects: ['purge.*'] });
    for (let i = 0; i < 5; i++) for (const s of ['a', 'b']) await js.publish(`purge.${s}`, 'x');
    const purge = async (options) => (await jsm.streams.purge('PURGE', options)).purged;
    const state = async () => (await jsm.streams.info('PURGE')).state;
    assert.equal(await purge({ seq: 3 }), 2);
    assert.equal((await state()).first_seq, 3);
    assert.equal(await purge({ keep: 7 }), 1);
    assert.equal((await state()).first_seq, 4);
    assert.equal(await purge({ filter: 'purge.a', keep: 2 }), 1);
    assert.equal(await purge({ filter: 'purge.b' }), 4);
    assert.equal((await state()).messages, 2);
    assert.equal(await purge({ filter: 'purge.none' }), 0);
    assert.equal(await purge({}), 2);
    assert.equal((await state()).messages, 0);
    assert.equal((await state()).bytes, 0);
    assert.equal((await state()).first_seq, 11);
    assert.equal((await state()).last_seq, 10);
    assert.equal((await js.publish('purge.a', 'x')).seq, 11);
  });

  it('a deleted message leaves a gap', async (t, server) => {
    const { nc, jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'GAP', subjects: ['gap'] });
    await fill(js, 'gap', 5);
    assert.equal(await jsm.streams.deleteMessage('GAP', 3), true);
    assert.equal(await jsm.streams.getMessage('GAP', { seq: 3 }), null);
    const { state } = await jsm.streams.info('GAP', { deleted_details: true });
    assert.equal(state.messages, 4);
    assert.equal(state.num_deleted, 1);
    assert.deepEqual(state.deleted, [3]);
    assert.equal(state.last_seq, 5);
    const again = await nc.request('$JS.API.STREAM.MSG.DELETE.GAP', '{"seq":3}');
    assert.ok(again.json().error.code >= 400);
  });

  it('info counts messages by subject', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'COUNT', subjects: ['count.>'] });
    for (const s of ['a', 'a', 'b', 'b.c', 'a']) await js.publish(`count.${s}`, 'x');
    const { state } = await jsm.streams.info('COUNT', { subjects_filter: '>' });
    assert.deepEqual(state.subjects, { 'count.a': 3, 'count.b': 1, 'count.b.c': 1 });
    assert.equal(state.num_subjects, 3);
    const some = await jsm.streams.info('COUNT', { subjects_filter: 'count.b.*' });
    assert.deepEqual(some.state.subjects, { 'count.b.c': 1 });
  });

  it('limits: messages, bytes, messages of a subject', async (t, server) => {
    const { jsm, js } = await open(t, server);
    const state = async (name) => (await jsm.streams.info(name)).state;
    await jsm.streams.add({ name: 'L1', subjects: ['l1'], max_msgs: 3 });
    await fill(js, 'l1', 5);
    assert.equal((await state('L1')).messages, 3);
    assert.equal((await state('L1')).first_seq, 3);
    await jsm.streams.add({ name: 'L2', subjects: ['l2'], max_bytes: 10_000 });
    for (let i = 0; i < 20; i++) await js.publish('l2', 'x'.repeat(1000));
    const { messages, bytes, last_seq } = await state('L2');
    assert.ok(messages >= 7 && messages <= 9 && bytes <= 10_000, `${messages} ${bytes}`);
    assert.equal(last_seq, 20);
    await jsm.streams.add({ name: 'L3', subjects: ['l3.*'], max_msgs_per_subject: 2 });
    for (let i = 0; i < 4; i++) for (const s of ['a', 'b']) await js.publish(`l3.${s}`, `${i}`);
    assert.equal((await state('L3')).messages, 4);
    assert.equal(
      (await jsm.streams.getMessage('L3', { next_by_subj: 'l3.a', seq: 1 })).string(),
      '2',
    );
  });

  it('limits: age', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({
      name: 'AGE',
      subjects: ['age'],
      max_age: 500e6,
      duplicate_window: 500e6,
    });
    await fill(js, 'age', 3);
    assert.equal((await jsm.streams.info('AGE')).state.messages, 3);
    await until(async () => (await jsm.streams.info('AGE')).state.messages === 0, 'their end');
    const { first_seq, last_seq } = (await jsm.streams.info('AGE')).state;
    assert.deepEqual([first_seq, last_seq], [4, 3]);
  });

  it('discard new refuses what does not fit', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({ name: 'FULL', subjects: ['full'], max_msgs: 2, discard: 'new' });
    await fill(js, 'full', 2);
    assert.equal((await refusal(js.publish('full', 'x'))).err_code, 10077);
    assert.equal((await jsm.streams.info('FULL')).state.last_seq, 2);
    await jsm.streams.add({
      name: 'FULLS',
      subjects: ['fulls.*'],
      max_msgs_per_subject: 1,
      discard: 'new',
      discard_new_per_subject: true,
    });
    await js.publish('fulls.a', 'x');
    assert.equal((await refusal(js.publish('fulls.a', 'y'))).err_code, 10077);
    await js.publish('fulls.b', 'x');
    await jsm.streams.add({ name: 'SMALL', subjects: ['small'], max_msg_size: 10 });
    assert.equal((await refusal(js.publish('small', 'x'.repeat(11)))).err_code, 10054);
    await js.publish('small', 'x'.repeat(10));
  });

  it('what may not be deleted or purged stays', async (t, server) => {
    const { jsm, js } = await open(t, server);
    await jsm.streams.add({
      name: 'KEEP',
      subjects: ['keep'],
      deny_delete: true,
      deny_purge: true,
    });
    await fill(js, 'keep', 2);
    await assert.rejects(jsm.streams.deleteMessage('KEEP', 1));
    await assert.rejects(jsm.streams.purge('KEEP'));
    assert.equal((await jsm.streams.info('KEEP')).state.messages, 2);
  });

  it('malformed requests get an answer', async (t, server) => {
    const { nc } = await open(t, server);
    for (const subject of [
      'STREAM.CREATE.X',
      'STREAM.INFO.X',
      'CONSUMER.CREATE.X',
      'STREAM.LIST',
    ]) {
      for (const text of ['{', '[]', '"x"', '{"name":7}', 'null', '\0']) {
        const answer = await nc.request(`$JS.API.${subject}`, text, { timeout: 3000 });
        assert.equal(typeof answer.json().type, 'string', `${subject} ${text}`);
      }
    }
  });
});
