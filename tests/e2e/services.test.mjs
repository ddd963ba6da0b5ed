// Micro services: found, asked and counted, the users' own and the node's.

import assert from 'node:assert/strict';
import { Svcm } from '@nats-io/services';
import { onBoth, onNonet } from './lib/node.mjs';

async function all(iterator) {
  const found = [];
  for await (const item of await iterator) found.push(item);
  return found;
}

async function serve(t, server, name, handler) {
  const service = await new Svcm(await server.connect(t)).add({ name, version: '1.2.3' });
  service.addEndpoint('work', { subject: `${name}.work`, handler });
  await service.nc.flush();
  return service;
}

const find = async (t, server) =>
  new Svcm(await server.connect(t)).client({ strategy: 'stall', maxWait: 2000, stall: 200 });

onBoth('services', {}, (it) => {
  it('each is found by PING, INFO and STATS, by name and by id', async (t, server) => {
    const answer = (error, message) => message.respond('done');
    const a = await serve(t, server, 'alpha', answer);
    const b = await serve(t, server, 'alpha', answer);
    await serve(t, server, 'beta', answer);
    const client = await find(t, server);
    const ids = (found) => found.map((item) => item.id).sort();
    assert.deepEqual(ids(await all(client.ping('alpha'))), [a.id, b.id].sort());
    assert.deepEqual(ids(await all(client.ping('alpha', a.id))), [a.id]);
    const names = (await all(client.ping())).map((item) => item.name);
    assert.deepEqual(names.filter((name) => name !== 'nonet').sort(), ['alpha', 'alpha', 'beta']);
    const [info] = await all(client.info('beta'));
    assert.equal(info.version, '1.2.3');
    assert.deepEqual(
      info.endpoints.map(({ subject, queue_group }) => [subject, queue_group]),
      [['beta.work', 'q']],
    );
  });

  it('requests are shared by its instances and counted', async (t, server) => {
    const answer = (error, message) => message.respond('done');
    for (let i = 0; i < 3; i++) await serve(t, server, 'gamma', answer);
    const nc = await server.connect(t);
    await Promise.all(
      Array.from({ length: 90 }, () => nc.request('gamma.work', '', { timeout: 5000 })),
    );
    const stats = await all((await find(t, server)).stats('gamma'));
    assert.equal(stats.length, 3);
    const counts = stats.map(({ endpoints }) => endpoints[0].num_requests);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      90,
    );
    assert.ok(
      counts.every((count) => count > 0),
      `${counts}`,
    );
  });

  it('an error arrives as headers', async (t, server) => {
    await serve(t, server, 'delta', (error, message) =>
      message.respondError(422, 'not like this'),
    );
    const answer = await (await server.connect(t)).request('delta.work', '', { timeout: 5000 });
    assert.equal(answer.headers.get('Nats-Service-Error-Code'), '422');
    assert.equal(answer.headers.get('Nats-Service-Error'), 'not like this');
  });

  it('who asks for a service that is not there hears so at once', async (t, server) => {
    const nc = await server.connect(t);
    await assert.rejects(nc.request('$SRV.PING.nobody', '', { timeout: 5000 }), /no responders/);
  });
});

onNonet("the node's own service", {}, (it) => {
  it('is discovered like any other, and answers', async (t, server) => {
    const client = await find(t, server);
    const [ping] = await all(client.ping('nonet'));
    assert.equal(ping.type, 'io.nats.micro.v1.ping_response');
    assert.match(ping.version, /^\d+\.\d+\.\d+/);
    const [info] = await all(client.info('nonet', ping.id));
    const status = info.endpoints.find(({ subject }) => subject === 'nonet.status');
    assert.ok(status, JSON.stringify(info.endpoints));
    const nc = await server.connect(t);
    const answer = (await nc.request('nonet.status', '', { timeout: 5000 })).json();
    assert.equal(answer.name, 'nonet');
    const [stats] = await all(client.stats('nonet'));
    const counted = stats.endpoints.find(({ subject }) => subject === 'nonet.status');
    assert.equal(counted.num_requests, 1);
    assert.equal(counted.num_errors, 0);
  });
});
