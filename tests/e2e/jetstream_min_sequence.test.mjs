// Read your own writes: reading requests that wait for the stream to have a sequence.

import assert from 'node:assert/strict';
import { createInbox, headers } from '@nats-io/transport-node';
import { openJetstream } from './lib/jetstream.mjs';
import { onNonet, until } from './lib/node.mjs';

const FIELD = 'Nonet-Min-Sequence';

async function open(t, server, name) {
  const opened = await openJetstream(t, server);
  const { nc, api } = opened;
  await api(`STREAM.CREATE.${name}`, {
    name,
    subjects: [`${name.toLowerCase()}.*`],
    allow_direct: true,
  });
  // The answer to a direct get: its payload, or "CODE TEXT" of its status.
  const get = async (what, minimum, body = '') => {
    const h = headers();
    h.set(FIELD, `${minimum}`);
    const m = await nc.request(`$JS.API.DIRECT.GET.${name}${what}`, body, {
      headers: h,
      timeout: 5000,
    });
    return m.headers.code ? `${m.headers.code} ${m.headers.description}` : m.string();
  };
  return { ...opened, get };
}

onNonet('a read with a minimum sequence', {}, (it) => {
  it('sees what was acknowledged, from any connection, at once', async (t, server) => {
    const { publish, get } = await open(t, server, 'OWN');
    for (let i = 1; i <= 50; i++) {
      const { seq } = await publish('own.a', `${i}`);
      assert.equal(await get('.own.a', seq), `${i}`);
    }
    assert.equal(await get('', 50, JSON.stringify({ last_by_subj: 'own.a' })), '50');
    assert.equal(await get('.own.b', 50), '404 Message Not Found');
  });

  it('waits for what is to come', async (t, server) => {
    const { publish, get } = await open(t, server, 'COME');
    const asked = ['.come.a', '.come.a', '.come.b'].map((what) => get(what, 3));
    await publish('come.a', 'one');
    await publish('come.b', 'two');
    await publish('come.a', 'three');
    assert.deepEqual(await Promise.all(asked), ['three', 'three', 'two']);
  });

  it('is told after two seconds that it did not come', async (t, server) => {
    const { get, api } = await open(t, server, 'NEVER');
    assert.equal(await get('.never.a', 1), '412 Min Last Sequence');
    assert.match(await get('.never.a', 'x'), /^400 Bad Request - Nonet-Min-Sequence/);
    const gone = assert.rejects(get('.never.a', 1), /no responders/);
    await api('STREAM.DELETE.NEVER');
    await gone;
  });

  it('is refused where too many bytes wait', async (t, server) => {
    const { get } = await open(t, server, 'MANY');
    const large = `${' '.repeat(1_000_000)}{"last_by_subj":"many.a"}`;
    const answers = await Promise.all(Array.from({ length: 80 }, () => get('', 1, large)));
    const count = (text) => answers.filter((answer) => answer === text).length;
    const [waited, refused] = [count('412 Min Last Sequence'), count('429 Too Many Requests')];
    assert.ok(waited >= 67 && refused > 0, `${waited} waited, ${refused} did not`);
    assert.equal(waited + refused, answers.length);
    assert.equal(await get('', 1), '412 Min Last Sequence');
  });

  it('holds for pull requests, too', async (t, server) => {
    const { nc, api, publish } = await open(t, server, 'PULL');
    await api('CONSUMER.CREATE.PULL.c', {
      stream_name: 'PULL',
      config: { name: 'c', durable_name: 'c', ack_policy: 'explicit', filter_subject: 'pull.a' },
    });
    const heard = [];
    const pull = (minimum) => {
      const inbox = createInbox();
      nc.subscribe(inbox, {
        callback: (_, m) => heard.push(m.headers?.code ? m.headers.code : m.string()),
      });
      const h = headers();
      h.set(FIELD, `${minimum}`);
      nc.publish('$JS.API.CONSUMER.MSG.NEXT.PULL.c', JSON.stringify({ batch: 1, no_wait: true }), {
        headers: h,
        reply: inbox,
      });
    };
    pull(2); // without the wait: 404 at once
    await nc.flush();
    await publish('pull.b', '1');
    await publish('pull.a', '2');
    await until(() => heard.length === 1, 'the message');
    assert.deepEqual(heard, ['2']);
    pull(99);
    await until(() => heard.length === 2, 'the end of its time');
    assert.equal(heard[1], 412);
  });
});
