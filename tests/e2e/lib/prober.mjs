// An honest HTTP client in a thread of its own, so that what it measures is the server and not a
// test that is busy with thousands of sockets beside it.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { request, Agent } from 'undici';

const PAUSE_MS = 5;

// Asks URLS, one after another, again and again, until it is stopped or T ends.
export class Prober {
  static start(t, urls) {
    const prober = new Prober();
    prober.worker = new Worker(new URL(import.meta.url), { workerData: urls });
    prober.failure = null;
    prober.worker.on('error', (error) => (prober.failure = error));
    t.after(() => prober.worker.terminate());
    return prober;
  }

  // What happened since the last call: {count, p50, p99, max}, in milliseconds. Throws where an
  // answer was none.
  async times() {
    if (this.failure) throw this.failure;
    const answer = new Promise((resolve, reject) => {
      this.worker.once('message', resolve).once('error', reject);
    });
    this.worker.postMessage('times');
    const times = (await answer).sort((a, b) => a - b);
    const part = (share) => times[Math.floor(times.length * share)];
    return { count: times.length, p50: part(0.5), p99: part(0.99), max: times.at(-1) };
  }
}

async function probe(urls) {
  const agent = new Agent({ connections: 1, pipelining: 1 });
  let times = [];
  parentPort.on('message', () => {
    parentPort.postMessage(times);
    times = [];
  });
  for (let n = 0; ; n++) {
    const from = performance.now();
    const { statusCode, body } = await request(urls[n % urls.length], { dispatcher: agent });
    await body.text();
    if (statusCode !== 200) throw new Error(`${urls[n % urls.length]}: ${statusCode}`);
    times.push(performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

if (!isMainThread) await probe(workerData);
