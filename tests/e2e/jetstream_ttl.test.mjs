// Messages with a time of their own (Nats-TTL), and the markers they leave.

import assert from 'node:assert/strict';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { check, onNonet, startNonet, until } from './lib/node.mjs';

const decode = (text) => Buffer.from(text ?? '', 'base64').toString();

onNonet('per-message TTL', {}, (it) => {
  it('is refused where the stream does not allow it, or where it is none', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.NO', { name: 'NO', subjects: ['no'] });
    assert.equal(errorOf(await publish('no', 'x', { 'Nats-TTL': '5s' })), '400 10166');
    await api('STREAM.CREATE.BAD', { name: 'BAD', subjects: ['bad'], allow_msg_ttl: true });
    for (const ttl of ['soon', '500ms', '-5', '1.5', '1d', '5x']) {
      assert.equal(errorOf(await publish('bad', 'x', { 'Nats-TTL': ttl })), '400 10165', ttl);
    }
    for (const ttl of ['0', '90', '1h30m', 'never', 'NEVER']) {
      assert.equal((await publish('bad', 'x', { 'Nats-TTL': ttl })).error, undefined, ttl);
    }
  });

  it('the message goes when its time is over, others stay', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    for (const storage of ['file', 'memory']) {
      const s = `ttl-${storage}`;
      await api(`STREAM.CREATE.${s}`, { name: s, subjects: [s], storage, allow_msg_ttl: true });
      await publish(s, 'stays');
      await publish(s, 'goes', { 'Nats-TTL': '1' });
      await publish(s, 'later', { 'Nats-TTL': '1h' });
      await publish(s, 'goes', { 'Nats-TTL': '1s' });
      const state = async () => (await api(`STREAM.INFO.${s}`)).state;
      assert.equal((await state()).messages, 4);
      await until(async () => (await state()).messages === 2, 'two to go');
      assert.equal(decode((await api(`STREAM.MSG.GET.${s}`, { seq: 3 })).message.data), 'later');
    }
  });

  it('"never" outlives max_age', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.OLD', {
      name: 'OLD',
      subjects: ['old.*'],
      allow_msg_ttl: true,
      max_age: 1e9,
      duplicate_window: 1e9,
    });
    await publish('old.a', 'x');
    await publish('old.b', 'stays', { 'Nats-TTL': 'never' });
    await publish('old.a', 'x', { 'Nats-TTL': '1h' });
    const state = async () => (await api('STREAM.INFO.OLD')).state;
    await until(async () => (await state()).messages === 1, 'the others to go');
    assert.equal((await state()).first_seq, 2);
    await publish('old.a', 'x');
    assert.equal((await state()).messages, 2);
    await until(async () => (await state()).messages === 1, 'it to go');
  });

  it('the last message of a subject leaves a marker', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    const heard = [];
    nc.subscribe('said.>', { callback: (error, m) => heard.push(m) });
    const { config } = await api('STREAM.CREATE.MARK', {
      name: 'MARK',
      subjects: ['mark.*'],
      subject_delete_marker_ttl: 3e9,
      republish: { src: 'mark.*', dest: 'said.$1' },
    });
    assert.equal(config.allow_msg_ttl, true);
    assert.equal(config.allow_rollup_hdrs, true);
    await publish('mark.two', 'first');
    await publish('mark.two', 'second', { 'Nats-TTL': '1' });
    await publish('mark.one', 'only', { 'Nats-TTL': '1' });
    const last = async (subject) =>
      (await api('STREAM.MSG.GET.MARK', { last_by_subj: subject })).message;
    const marker = await until(async () => {
      const m = await last('mark.one');
      return m?.seq > 3 && m;
    }, 'the marker');
    assert.equal(decode(marker.data), '');
    const fields = decode(marker.hdrs);
    assert.match(fields, /^Nats-Marker-Reason: MaxAge\r$/m);
    assert.match(fields, /^Nats-TTL: 3s\r$/m);
    await until(async () => decode((await last('mark.two')).data) === 'first', 'the second to go');
    const told = await until(() => heard.find((m) => m.headers.get('Nats-Marker-Reason')), 'word');
    assert.equal(told.subject, 'said.one');
    await until(async () => !(await last('mark.one')), 'the end of the marker');
    const left = async () => (await api('STREAM.INFO.MARK')).state.messages;
    await until(async () => (await left()) === 1, 'it to be counted no more');
  });

  it('the longest times there are last', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    const far = { name: 'FAR', subjects: ['far'], allow_msg_ttl: true, max_age: 9.2e18 };
    await api('STREAM.CREATE.FAR', { ...far, duplicate_window: 1e9 });
    await publish('far', 'goes', { 'Nats-TTL': '1' });
    await publish('far', 'stays', { 'Nats-TTL': '9223372036' });
    await publish('far', 'stays');
    const state = async () => (await api('STREAM.INFO.FAR')).state;
    await until(async () => (await state()).first_seq > 1, 'the first to go');
    assert.equal((await state()).messages, 2);
  });

  it('markers and the permission follow the rules', async (t, server) => {
    const { api } = await openJetstream(t, server);
    const base = { name: 'RULE', subjects: ['rule'] };
    for (const subject_delete_marker_ttl of [-1, 1e6]) {
      const answer = await api('STREAM.CREATE.RULE', { ...base, subject_delete_marker_ttl });
      assert.equal(errorOf(answer), '500 10052');
    }
    await api('STREAM.CREATE.RULE', base);
    const on = await api('STREAM.UPDATE.RULE', { ...base, allow_msg_ttl: true });
    assert.equal(on.config.allow_msg_ttl, true);
    assert.equal(errorOf(await api('STREAM.UPDATE.RULE', base)), '500 10052');
  });

  it('many messages with many times', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.LOT', { name: 'LOT', subjects: ['lot'], allow_msg_ttl: true });
    const all = [];
    for (let i = 0; i < 3000; i++) all.push(publish('lot', 'x', { 'Nats-TTL': `${1 + (i % 3)}` }));
    await Promise.all(all);
    await publish('lot', 'stays');
    const state = async () => (await api('STREAM.INFO.LOT')).state;
    await until(async () => (await state()).messages === 1, 'all to go');
    await nc.flush();
  });
});

check('times are kept over kill -9', async (t) => {
  const server = await startNonet(t);
  let { api, publish } = await openJetstream(null, server);
  await api('STREAM.CREATE.K', {
    name: 'K',
    subjects: ['k.*'],
    allow_msg_ttl: true,
    subject_delete_marker_ttl: 3600e9,
  });
  await publish('k.a', 'x', { 'Nats-TTL': '1' });
  await publish('k.b', 'x', { 'Nats-TTL': '3' });
  await publish('k.c', 'x', { 'Nats-TTL': '1h' });
  await publish('k.d', 'x');
  await server.stop('SIGKILL');
  await server.start();
  ({ api, publish } = await openJetstream(t, server));
  const value = async (subject) =>
    decode((await api('STREAM.MSG.GET.K', { last_by_subj: subject })).message.data);
  await until(async () => (await value('k.a')) === '' && (await value('k.b')) === '', 'both');
  assert.equal(await value('k.c'), 'x');
  assert.equal(await value('k.d'), 'x');
});
