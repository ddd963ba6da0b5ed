// What a stream does with subjects and numbers on the way in and out: subject_transform, republish,
// first_seq, and what it asks of its consumers.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { headers } from '@nats-io/transport-node';
import { errorOf, openJetstream } from './lib/jetstream.mjs';
import { check, onBoth, onNonet, sleep, startNonet, temporaryFolder, until } from './lib/node.mjs';

// Gathers what comes on SUBJECT; gives it once there are COUNT.
function listen(nc, subject) {
  const got = [];
  nc.subscribe(subject, { callback: (error, m) => got.push(m) });
  return (count) => until(() => got.length >= count && got, `${count} messages`);
}

onBoth('republish', {}, (it, kind) => {
  it('what is stored is published again, with where it stands', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    const heard = listen(nc, 'again.>');
    await nc.flush();
    await api('STREAM.CREATE.R', {
      name: 'R',
      subjects: ['r.*'],
      republish: { src: 'r.*', dest: 'again.$1' },
    });
    await publish('r.a', 'one');
    await publish('r.a', 'two', { Key: 'value' });
    await publish('r.b', 'three');
    const got = await heard(3);
    assert.deepEqual(
      got.map((m) => [m.subject, m.string()]),
      [
        ['again.a', 'one'],
        ['again.a', 'two'],
        ['again.b', 'three'],
      ],
    );
    assert.equal(got[1].headers.get('Key'), 'value');
    assert.deepEqual(
      got.map((m) => m.headers.get('Nats-Sequence')),
      ['1', '2', '3'],
    );
    assert.deepEqual(
      got.map((m) => m.headers.get('Nats-Last-Sequence')),
      ['0', '1', '0'],
    );
    for (const m of got) {
      assert.equal(m.headers.get('Nats-Stream'), 'R');
      assert.equal(m.headers.get('Nats-Subject'), m.subject.replace('again', 'r'));
      if (kind === 'nonet') assert.match(m.headers.get('Nats-Time-Stamp'), /^20.*Z$/);
    }
    const { republish } = (await api('STREAM.INFO.R')).config;
    assert.deepEqual(republish, { src: 'r.*', dest: 'again.$1' });
  });

  it('headers_only leaves the payload out and says how large it is', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    const heard = listen(nc, 'heads.>');
    await nc.flush();
    await api('STREAM.CREATE.H', {
      name: 'H',
      subjects: ['h.>'],
      republish: { src: 'h.>', dest: 'heads.>', headers_only: true },
    });
    await publish('h.a.b', 'twelve bytes');
    const [m] = await heard(1);
    assert.equal(m.subject, 'heads.a.b');
    assert.equal(m.data.length, 0);
    assert.equal(m.headers.get('Nats-Msg-Size'), '12');
  });

  it('what is not its source, and what was refused, is not republished', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    const heard = listen(nc, 'some.>');
    await nc.flush();
    await api('STREAM.CREATE.S', {
      name: 'S',
      subjects: ['s.*'],
      republish: { src: 's.yes', dest: 'some.yes' },
    });
    await publish('s.no', 'x');
    await publish('s.yes', 'x', { 'Nats-Expected-Last-Sequence': '77' });
    await publish('s.yes', 'y');
    assert.deepEqual(
      (await heard(1)).map((m) => m.string()),
      ['y'],
    );
  });

  it('a republish that would not end is refused', async (t, server) => {
    const { api } = await openJetstream(t, server);
    for (const republish of [
      { src: 'c.*', dest: 'c.x' },
      { src: 'c.*', dest: 'd.$2' },
      { src: 'c.*', dest: 'd.{{wildcard(2)}}' },
      { src: 'c.*', dest: 'd.>' },
    ]) {
      const answer = await api('STREAM.CREATE.C', { name: 'C', subjects: ['c.*'], republish });
      assert.equal(errorOf(answer), '500 10052', republish.dest);
    }
  });
});

onNonet('subjects beyond 2.9', {}, (it) => {
  it('a transform gives the subject a message is stored by', async (t, server) => {
    const { api, publish, js } = await openJetstream(t, server);
    const transform = { src: 'in.*.*.>', dest: 'out.{{wildcard(2)}}.$1.>' };
    const { config } = await api('STREAM.CREATE.T', {
      name: 'T',
      subjects: ['in.>'],
      subject_transform: transform,
      max_msgs_per_subject: 1,
    });
    assert.deepEqual(config.subject_transform, transform);
    await publish('in.a.b.c.d', 'one');
    await publish('in.a.b.c.d', 'two');
    await publish('in.short', 'three');
    const { state } = await api('STREAM.INFO.T', { subjects_filter: '>' });
    assert.deepEqual(state.subjects, { 'out.b.a.c.d': 1, 'in.short': 1 });
    const stale = await publish('in.a.b.c.d', 'x', {
      'Nats-Expected-Last-Subject-Sequence': '1',
    });
    assert.equal(errorOf(stale), '400 10071');
    await api('CONSUMER.CREATE.T.c.out.>', {
      stream_name: 'T',
      config: { durable_name: 'c', ack_policy: 'explicit', filter_subject: 'out.>' },
    });
    const m = await (await js.consumers.get('T', 'c')).next();
    assert.equal(m.subject, 'out.b.a.c.d');
    assert.equal(m.string(), 'two');
  });

  it('each function of a mapping', async (t, server) => {
    const { nc, api, publish } = await openJetstream(t, server);
    const cases = [
      ['f.*', '$1.x', 'f.abc', 'abc.x'],
      ['f.*.*', 'x.{{ Wildcard(2) }}.{{wildcard(1)}}', 'f.a.b', 'x.b.a'],
      ['f.*', 'x.{{split(1,-)}}', 'f.-a-b--c-', 'x.a.b.c'],
      ['f.*', 'x.{{splitfromleft(1,2)}}', 'f.abcde', 'x.ab.cde'],
      ['f.*', 'x.{{SplitFromRight(1,2)}}', 'f.abcde', 'x.abc.de'],
      ['f.*', 'x.{{splitfromleft(1,9)}}', 'f.abc', 'x.abc'],
      ['f.*', 'x.{{slicefromleft(1,2)}}', 'f.abcde', 'x.ab.cd.e'],
      ['f.*', 'x.{{slicefromright(1,2)}}', 'f.abcde', 'x.a.bc.de'],
      ['f.*', 'x.{{left(1,2)}}', 'f.abc', 'x.ab'],
      ['f.*', 'x.{{right(1,2)}}', 'f.abc', 'x.bc'],
      ['f.*', 'x.$one', 'f.abc', 'x.$one'],
      // FNV-1a of "abc" is 440920331, of "a" and "b" together as of "ab" 1294271946.
      ['f.*', 'x.{{partition(10,1)}}', 'f.abc', 'x.1'],
      ['f.*.*', 'x.{{partition(10,1,2)}}', 'f.a.b', 'x.6'],
      ['f.>', 'x.>', 'f.a.b', 'x.a.b'],
      ['', 'x.>', 'f.a.b', 'x.f.a.b'],
    ];
    for (const [src, dest, subject, stored] of cases) {
      const created = await api('STREAM.CREATE.F', {
        name: 'F',
        subjects: ['f.>'],
        subject_transform: { src, dest },
      });
      assert.equal(created.error, undefined, `${src} ${dest}`);
      await publish(subject, 'x');
      const { message } = await api('STREAM.MSG.GET.F', { seq: 1 });
      assert.equal(message.subject, stored, `${src} ${dest}`);
      await api('STREAM.DELETE.F');
    }
    await nc.flush();
  });

  it('a mapping that cannot be is refused', async (t, server) => {
    const { api } = await openJetstream(t, server);
    for (const [src, dest, code] of [
      ['b..x', 'x', '400 10155'],
      ['b.*', 'x.$2', '400 10156'],
      ['b.*', 'x.{{wildcard(0)}}', '400 10156'],
      ['b.*', 'x.{{wildcard()}}', '400 10156'],
      ['b.*', 'x.{{wildcard(1,1)}}', '400 10156'],
      ['b.*', 'x.{{partition(1)}}', '400 10156'],
      ['b.*', 'x.{{magic(1)}}', '400 10156'],
      ['b.*', 'x.{{left(1,0)}}', '400 10156'],
      ['b.*', 'x.*', '400 10156'],
      ['b.>', 'x', '400 10156'],
      ['b.*', 'x.>', '400 10156'],
      ['b.*', 'x..y', '400 10156'],
    ]) {
      const answer = await api('STREAM.CREATE.B', {
        name: 'B',
        subjects: ['b.>'],
        subject_transform: { src, dest },
      });
      assert.equal(errorOf(answer), code, `${src} ${dest}`);
    }
  });

  it('a stream begins at its first_seq, which does not change', async (t, server) => {
    const { api, publish } = await openJetstream(t, server);
    const config = { name: 'N', subjects: ['n'], first_seq: 1000 };
    const { state } = await api('STREAM.CREATE.N', config);
    assert.deepEqual([state.first_seq, state.last_seq], [1000, 999]);
    assert.equal((await publish('n', 'x')).seq, 1000);
    assert.equal(errorOf(await api('STREAM.UPDATE.N', { ...config, first_seq: 7 })), '500 10052');
    const same = await api('STREAM.UPDATE.N', { name: 'N', subjects: ['n'] });
    assert.equal(same.config.first_seq, 1000);
    assert.equal((await publish('n', 'x')).seq, 1001);
  });

  it('consumers have the limits of their stream', async (t, server) => {
    const { api } = await openJetstream(t, server);
    const base = { name: 'L', subjects: ['l'] };
    const limits = { inactive_threshold: 3600e9, max_ack_pending: 50 };
    await api('STREAM.CREATE.L', { ...base, consumer_limits: limits });
    const create = (name, config) =>
      api(`CONSUMER.CREATE.L.${name}`, {
        stream_name: 'L',
        config: { durable_name: name, ack_policy: 'explicit', ...config },
      });
    const { config } = await create('a', {});
    assert.equal(config.inactive_threshold, 3600e9);
    assert.equal(config.max_ack_pending, 50);
    assert.equal(errorOf(await create('b', { inactive_threshold: 3601e9 })), '400 10153');
    assert.equal(errorOf(await create('b', { max_ack_pending: 51 })), '400 10121');
    const less = { ...limits, max_ack_pending: 10 };
    assert.equal(
      errorOf(await api('STREAM.UPDATE.L', { ...base, consumer_limits: less })),
      '500 10069',
    );
    await api('CONSUMER.DELETE.L.a');
    const updated = await api('STREAM.UPDATE.L', { ...base, consumer_limits: less });
    assert.deepEqual(updated.config.consumer_limits, less);
  });
});

check('transform, republish and first_seq are there after kill -9', async (t) => {
  const server = await startNonet(t);
  let opened = await openJetstream(null, server);
  await opened.api('STREAM.CREATE.K', {
    name: 'K',
    subjects: ['k.*'],
    subject_transform: { src: 'k.*', dest: 'kept.$1' },
    republish: { src: 'kept.*', dest: 'again.$1' },
    first_seq: 10,
  });
  await opened.publish('k.a', 'one');
  await server.stop('SIGKILL');
  await server.start();
  opened = await openJetstream(t, server);
  const heard = listen(opened.nc, 'again.>');
  await opened.nc.flush();
  assert.equal((await opened.publish('k.a', 'two')).seq, 11);
  const [m] = await heard(1);
  assert.deepEqual([m.subject, m.string()], ['again.a', 'two']);
  assert.equal(m.headers.get('Nats-Last-Sequence'), '10');
});

check('nothing is republished to where the node speaks to itself', async (t) => {
  const server = await startNonet(t);
  const { api, publish } = await openJetstream(t, server);
  for (const dest of ['_NONET.node.backup', '_NONET.node.>', '$JS.API.>', '$JS.ACK.>']) {
    const republish = { src: dest.endsWith('>') ? 'x.>' : 'x.a', dest };
    const answer = await api('STREAM.CREATE.X', { name: 'X', subjects: ['x.>'], republish });
    assert.equal(errorOf(answer), '500 10052', dest);
  }
  // What a wildcard stands for is known only when a message comes.
  await api('STREAM.CREATE.Y', {
    name: 'Y',
    subjects: ['y.*'],
    republish: { src: 'y.*', dest: '$1.node.backup' },
  });
  const folder = path.join(temporaryFolder(), 'backup');
  await publish('y._NONET', folder);
  await publish('y.other', folder);
  await sleep(500);
  assert.equal(fs.existsSync(folder) || fs.existsSync(`${folder}.partial`), false);
  assert.doesNotMatch(server.log, /backup/);
});

// Where the node takes orders nothing is sent for a client that may not send it there himself.
const users = `auth:
  users:
    - {user: all, password: all}
    - {user: few, password: few, publish: {allow: ["few.>", "$JS.API.INFO"]}}
`;

check('an answer is no way around the rights of who asked', async (t) => {
  const server = await startNonet(t, { config: users });
  const all = { connect: () => server.connect(t, { user: 'all', pass: 'all' }) };
  const { api, publish } = await openJetstream(t, all);
  await api('STREAM.CREATE.MINE', { name: 'MINE', subjects: ['few.>'] });
  await api('STREAM.CREATE.OTHER', { name: 'OTHER', subjects: ['other'] });
  const few = await server.connect(t, { user: 'few', pass: 'few' });
  const refused = [];
  (async () => {
    for await (const status of few.status()) if (status.type === 'error') refused.push(status);
  })();
  for (const subject of ['few.a', '$JS.API.INFO'])
    few.publish(subject, '', { reply: '$JS.API.STREAM.DELETE.OTHER' });
  await until(() => refused.length === 2, 'both to be refused');
  assert.match(`${refused[0].error}`, /Publish with Reply of "\$JS\.API\.STREAM\.DELETE\.OTHER"/);
  assert.equal((await publish('other', 'x')).seq, 1);
  assert.equal((await few.request('few.a', 'x')).json().seq, 1);
});

check('what a stream sends to where it is acknowledged acknowledges nothing', async (t) => {
  const server = await startNonet(t);
  const { nc, api, publish } = await openJetstream(t, server);
  await api('STREAM.CREATE.S', { name: 'S', subjects: ['s'] });
  const pull = { name: 'C', durable_name: 'C', ack_policy: 'explicit' };
  await api('CONSUMER.CREATE.S.C', { stream_name: 'S', config: pull });
  await publish('s', 'x');
  const taken = listen(nc, 'here');
  nc.publish('$JS.API.CONSUMER.MSG.NEXT.S.C', '', { reply: 'here' });
  const [{ reply }] = await taken(1);
  await api('STREAM.CREATE.T', { name: 'T', subjects: ['t.>'] });
  for (const deliver_subject of [reply, '$JS.API.STREAM.DELETE.S', '_NONET.x']) {
    nc.subscribe(deliver_subject, { callback: () => {} });
    const push = { name: 'P', durable_name: 'P', ack_policy: 'none', deliver_subject };
    const answer = await api('CONSUMER.CREATE.T.P', { stream_name: 'T', config: push });
    assert.equal(errorOf(answer), '400 10112', deliver_subject);
  }
  assert.equal((await api('CONSUMER.INFO.S.C')).num_ack_pending, 1);
});

check('many messages are republished, in order', async (t) => {
  const server = await startNonet(t);
  const { nc, api, publish } = await openJetstream(t, server);
  const heard = listen(nc, 'all.again');
  await api('STREAM.CREATE.M', {
    name: 'M',
    subjects: ['all'],
    republish: { src: 'all', dest: 'all.again' },
  });
  const h = headers();
  h.set('Key', 'value');
  for (let i = 0; i < 20_000; i++) nc.publish('all', `${i}`, { headers: h });
  await publish('all', 'end');
  const got = await heard(20_001);
  got.slice(0, -1).forEach((m, i) => assert.equal(m.string(), `${i}`));
});
