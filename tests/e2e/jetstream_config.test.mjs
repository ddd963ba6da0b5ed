// What a stream may be configured as, and what follows from it: codes as nats-server gives them,
// roll-ups, sealed streams, what may change afterwards.

import assert from 'node:assert/strict';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { onBoth, onNonet, run, startNonet, check, until } from './lib/node.mjs';

const INVALID = '500 10052';

onBoth('stream configuration', {}, (it, kind) => {
  it('what cannot be is refused with the official code', async (t, server) => {
    const { api } = await openJetstream(t, server);
    const cases = [
      [{ subjects: ['$JS.API.>'] }, INVALID],
      [{ subjects: ['$JS.API.x'], no_ack: true }, INVALID],
      [{ subjects: ['a', 'a'] }, INVALID],
      [{ subjects: ['a', '*'] }, INVALID],
      [{ subjects: ['a..b'] }, INVALID],
      [{ sealed: true }, INVALID],
      [{ deny_purge: true, allow_rollup_hdrs: true }, INVALID],
      [{ max_age: 5 }, INVALID],
      [{ duplicate_window: -5 }, INVALID],
      [{ duplicate_window: 5 }, INVALID],
      [{ max_age: 1e9, duplicate_window: 2e9 }, INVALID],
      [{ discard_new_per_subject: true }, INVALID],
      [{ discard_new_per_subject: true, discard: 'new' }, INVALID],
      [{ description: 'x'.repeat(5000) }, INVALID],
      [{ num_replicas: -1 }, '400 10133'],
      [{ num_replicas: 3 }, '500 10074'],
      [{ num_replicas: 9 }, INVALID],
      [{ storage: 'paper' }, '400 10025'],
      [{ retention: 'forever' }, '400 10025'],
    ];
    for (const [config, code] of cases) {
      const answer = await api('STREAM.CREATE.BAD', {
        name: 'BAD',
        subjects: ['bad'],
        ...config,
      });
      assert.equal(errorOf(answer), code, JSON.stringify(config).slice(0, 100));
    }
    assert.equal(errorOf(await api('STREAM.INFO.BAD')), '404 10059');
  });

  it('what may not change is refused with the official code', async (t, server) => {
    const { api } = await openJetstream(t, server);
    const base = {
      name: 'FIXED',
      subjects: ['fixed'],
      deny_delete: true,
      deny_purge: true,
      max_consumers: 3,
    };
    await api('STREAM.CREATE.FIXED', base);
    for (const change of [
      { deny_delete: false },
      { deny_purge: false },
      { max_consumers: 4 },
      { storage: 'memory' },
      { retention: 'workqueue' },
    ]) {
      const answer = await api('STREAM.UPDATE.FIXED', { ...base, ...change });
      assert.equal(errorOf(answer), INVALID, JSON.stringify(change));
    }
    const same = await api('STREAM.UPDATE.FIXED', { ...base, max_msgs: 7 });
    assert.equal(same.config.max_msgs, 7);
    assert.equal(errorOf(await api('STREAM.UPDATE.NONE', { name: 'NONE' })), '404 10059');
  });

  it('a sealed stream takes nothing, loses nothing and stays sealed', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    const base = { name: 'SEAL', subjects: ['seal'], max_age: 3600e9 };
    await api('STREAM.CREATE.SEAL', base);
    await publish('seal', 'x');
    const { config } = await api('STREAM.UPDATE.SEAL', { ...base, sealed: true });
    assert.equal(config.sealed, true);
    assert.equal(config.max_age, 0);
    assert.equal(config.discard, 'new');
    assert.ok(config.deny_delete && config.deny_purge && !config.allow_rollup_hdrs);
    assert.equal(errorOf(await publish('seal', 'y')), '400 10109');
    assert.equal(errorOf(await api('STREAM.MSG.DELETE.SEAL', { seq: 1 })), '400 10109');
    assert.equal(errorOf(await api('STREAM.PURGE.SEAL')), '400 10109');
    assert.equal(errorOf(await api('STREAM.UPDATE.SEAL', base)), INVALID);
    assert.equal((await api('STREAM.INFO.SEAL')).state.messages, 1);
    assert.equal((await api('STREAM.DELETE.SEAL')).success, true);
  });

  it('deny_delete and deny_purge answer with the official codes', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.DENY', {
      name: 'DENY',
      subjects: ['deny'],
      deny_delete: true,
      deny_purge: true,
    });
    await publish('deny', 'x');
    assert.equal(errorOf(await api('STREAM.MSG.DELETE.DENY', { seq: 1 })), '500 10057');
    assert.equal(errorOf(await api('STREAM.PURGE.DENY')), '500 10110');
    const rollup = await publish('deny', 'x', { 'Nats-Rollup': 'sub' });
    assert.equal(errorOf(rollup), '500 10111');
    assert.equal((await api('STREAM.INFO.DENY')).state.messages, 1);
  });

  it('a roll-up replaces its subject, or all', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    for (const [name, more] of [
      ['ROLL', {}],
      ['ROLL3', { max_msgs_per_subject: 3 }],
      ['ROLL1', { max_msgs_per_subject: 1 }],
      // nats-server 2.9 keeps the subjects of what a roll-up of all takes from memory.
      ...(kind === 'nonet' ? [['ROLLM', { storage: 'memory' }]] : []),
    ]) {
      const low = name.toLowerCase();
      await api(`STREAM.CREATE.${name}`, {
        name,
        subjects: [`${low}.*`],
        allow_rollup_hdrs: true,
        ...more,
      });
      const subjects = async () =>
        (await api(`STREAM.INFO.${name}`, { subjects_filter: '>' })).state.subjects;
      for (let i = 0; i < 3; i++) for (const s of 'ab') await publish(`${low}.${s}`, `${i}`);
      const kept = name === 'ROLL1' ? 1 : 3;
      const ack = await publish(`${low}.a`, 'new', { 'Nats-Rollup': 'sub' });
      assert.deepEqual([ack.stream, ack.seq], [name, 7]);
      assert.deepEqual(await subjects(), { [`${low}.a`]: 1, [`${low}.b`]: kept });
      await publish(`${low}.a`, 'on');
      const first = await publish(`${low}.c`, 'alone', { 'Nats-Rollup': 'all' });
      assert.equal(first.seq, 9);
      assert.deepEqual(await subjects(), { [`${low}.c`]: 1 });
      const { state } = await api(`STREAM.INFO.${name}`);
      assert.deepEqual([state.messages, state.first_seq, state.last_seq], [1, 9, 9]);
      assert.equal((await publish(`${low}.a`, 'x')).seq, 10);
      assert.deepEqual(await subjects(), { [`${low}.a`]: 1, [`${low}.c`]: 1 });
    }
  });

  it('max_consumers bounds the consumers', async (t, server) => {
    const { api } = await openJetstream(t, server);
    await api('STREAM.CREATE.FEW', { name: 'FEW', subjects: ['few'], max_consumers: 1 });
    const create = (name) =>
      api(`CONSUMER.CREATE.FEW.${name}`, {
        stream_name: 'FEW',
        config: { durable_name: name, ack_policy: 'explicit' },
      });
    assert.equal((await create('one')).error, undefined);
    assert.equal(errorOf(await create('two')), '400 10026');
  });
});

onBoth('a stream of everything', {}, (it) => {
  it('everything but the API may be captured without acknowledgements', async (t, server) => {
    const { nc, api } = await openJetstream(t, server);
    const all = { name: 'ALL', subjects: ['>'], no_ack: true };
    assert.deepEqual((await api('STREAM.CREATE.ALL', all)).config.subjects, ['>']);
    nc.publish('anything.at.all', 'x');
    await nc.flush();
    const wanted = { last_by_subj: 'anything.at.all' };
    const found = await until(
      async () => (await api('STREAM.MSG.GET.ALL', wanted)).message,
      'the message',
    );
    assert.equal(found.subject, 'anything.at.all');
    await api('STREAM.DELETE.ALL');
  });
});

onNonet('stream configuration beyond 2.9', {}, (it) => {
  it('the server’s own subjects need no_ack', async (t, server) => {
    const { api } = await openJetstream(t, server);
    for (const subject of ['>', '$JS.>', '$JS.ACK.>', '$SYS.>', '*.x', '$NRG.>']) {
      const config = { name: 'OWN', subjects: [subject] };
      assert.equal(errorOf(await api('STREAM.CREATE.OWN', config)), INVALID, subject);
      const created = await api('STREAM.CREATE.OWN', { ...config, no_ack: true });
      assert.equal(created.error, undefined, subject);
      await api('STREAM.DELETE.OWN');
    }
    for (const subject of ['$JS.EVENT.>', '$SYS.ACCOUNT.>']) {
      const created = await api('STREAM.CREATE.OWN', { name: 'OWN', subjects: [subject] });
      assert.equal(created.error, undefined, subject);
      await api('STREAM.DELETE.OWN');
    }
    const bad = { name: 'OWN', subjects: ['_NONET.x'], no_ack: true };
    assert.equal(errorOf(await api('STREAM.CREATE.OWN', bad)), INVALID);
  });

  it('a stream of everything does not hear itself', async (t, server) => {
    const { nc, api, js } = await openJetstream(t, server);
    await api('STREAM.CREATE.ALL', { name: 'ALL', subjects: ['>'], no_ack: true });
    await api('CONSUMER.CREATE.ALL.c', {
      stream_name: 'ALL',
      config: { durable_name: 'c', ack_policy: 'explicit', filter_subject: 'news' },
    });
    for (let i = 0; i < 5; i++) nc.publish('news', `${i}`);
    await nc.flush();
    const consumer = await js.consumers.get('ALL', 'c');
    for (let i = 0; i < 5; i++) {
      const m = await consumer.next();
      assert.equal(m.string(), `${i}`);
      m.ack();
    }
    const { state } = await api('STREAM.INFO.ALL', { subjects_filter: 'news' });
    assert.deepEqual(state.subjects, { news: 5 });
    await api('STREAM.DELETE.ALL');
  });
});

onNonet('roll-ups beyond 2.9', {}, (it) => {
  it('a bad roll-up is told so', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.RB', { name: 'RB', subjects: ['rb'], allow_rollup_hdrs: true });
    assert.equal(errorOf(await publish('rb', 'x', { 'Nats-Rollup': 'some' })), '500 10111');
  });

  it('a roll-up of a subject with many messages leaves one', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    await api('STREAM.CREATE.MANY', {
      name: 'MANY',
      subjects: ['many.*'],
      allow_rollup_hdrs: true,
    });
    for (let i = 0; i < 5000; i++) nc.publish('many.a', `${i}`);
    for (let i = 0; i < 10; i++) await publish('many.b', `${i}`);
    const { seq } = await publish('many.a', 'last', { 'Nats-Rollup': 'sub' });
    assert.equal(seq, 5011);
    const subjects = async () =>
      (await api('STREAM.INFO.MANY', { subjects_filter: '>' })).state.subjects;
    await until(async () => (await subjects())['many.a'] === 1, 'the others to go');
    assert.deepEqual(await subjects(), { 'many.a': 1, 'many.b': 10 });
    const { message } = await api('STREAM.MSG.GET.MANY', { last_by_subj: 'many.a' });
    assert.equal(message.seq, 5011);
  });
});

check('roll-ups and a seal survive kill -9', async (t) => {
  const server = await startNonet(t);
  let { api, publish } = await openJetstream(null, server);
  for (const [name, more] of [
    ['A', {}],
    ['B', { max_msgs_per_subject: 5 }],
  ]) {
    const low = name.toLowerCase();
    const config = { name, subjects: [`${low}.*`], allow_rollup_hdrs: true, ...more };
    await api(`STREAM.CREATE.${name}`, config);
    for (let i = 0; i < 4; i++) for (const s of 'xy') await publish(`${low}.${s}`, `${i}`);
    await publish(`${low}.x`, 'new', { 'Nats-Rollup': 'sub' });
  }
  await api('STREAM.CREATE.C', { name: 'C', subjects: ['c'], allow_rollup_hdrs: true });
  for (let i = 0; i < 4; i++) await publish('c', `${i}`);
  await publish('c', 'new', { 'Nats-Rollup': 'all' });
  await api('STREAM.UPDATE.C', { name: 'C', subjects: ['c'], sealed: true });
  await server.stop('SIGKILL');
  await server.start();
  ({ api, publish } = await openJetstream(t, server));
  const subjects = async (name) =>
    (await api(`STREAM.INFO.${name}`, { subjects_filter: '>' })).state.subjects;
  assert.deepEqual(await subjects('A'), { 'a.x': 1, 'a.y': 4 });
  assert.deepEqual(await subjects('B'), { 'b.x': 1, 'b.y': 4 });
  assert.deepEqual(await subjects('C'), { c: 1 });
  assert.equal((await publish('a.x', 'x')).seq, 10);
  assert.equal(errorOf(await publish('c', 'x')), '400 10109');
});

check('nonet.yaml and the API go by one rule for subjects', async (t) => {
  const server = await startNonet(t, {
    config:
      'streams:\n  ALL: {subjects: [">"], no_ack: true}\n' +
      '  S: {subjects: [$SYS.X.>], no_ack: true}\n',
    args: [],
  }).catch((e) => e);
  assert.match(server.message ?? server.log, /overlaps/);
  const good = await startNonet(t, {
    config:
      'streams:\n  ALL: {subjects: [">"], no_ack: true, allow_rollup_hdrs: true, ' +
      'metadata: {a: b}}\n',
  });
  const more = await startNonet(t, {
    config:
      'streams:\n  W: {subjects: [w], retention: workqueue, first_seq: 7, ' +
      'subject_delete_marker_ttl: 1m, allow_atomic: true}\n',
  });
  const declared = (await (await openJetstream(t, more)).api('STREAM.INFO.W')).config;
  assert.equal(declared.retention, 'workqueue');
  assert.equal(declared.first_seq, 7);
  assert.equal(declared.subject_delete_marker_ttl, 60e9);
  assert.equal(declared.allow_msg_ttl, true);
  assert.equal(declared.allow_atomic, true);
  const mapped = await startNonet(t, {
    config:
      'streams:\n  M:\n    subjects: ["m.*"]\n' +
      '    subject_transform: {src: "m.*", dest: "stored.$1"}\n' +
      '    republish: {src: "stored.*", dest: "heard.$1", headers_only: true}\n' +
      '    consumer_limits: {inactive_threshold: 1h, max_ack_pending: 7}\n',
  });
  const m = await openJetstream(t, mapped);
  const stored = (await m.api('STREAM.INFO.M')).config;
  assert.deepEqual(stored.subject_transform, { src: 'm.*', dest: 'stored.$1' });
  assert.deepEqual(stored.republish, { src: 'stored.*', dest: 'heard.$1', headers_only: true });
  assert.deepEqual(stored.consumer_limits, { inactive_threshold: 3600e9, max_ack_pending: 7 });
  await m.publish('m.a', 'x');
  assert.equal((await m.jsm.streams.getMessage('M', { seq: 1 })).subject, 'stored.a');
  const shown = (await run(['stream', 'info', 'M', '--server', mapped.url])).stdout;
  assert.match(shown, /^stored as +m\.\* -> stored\.\$1$/m);
  assert.match(shown, /^republished as +stored\.\* -> heard\.\$1$/m);
  const refused = await startNonet(t, {
    config: 'streams:\n  B: {subjects: ["b.*"], subject_transform: {src: "b.*", dest: "c.$2"}}\n',
  }).catch((e) => e);
  assert.match(refused.message, /subject_transform of stream B: /);
  const { api } = await openJetstream(t, good);
  const { config } = await api('STREAM.INFO.ALL');
  assert.equal(config.allow_rollup_hdrs, true);
  assert.deepEqual(config.metadata, { a: 'b' });
});
