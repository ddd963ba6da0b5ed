// What the tests of abuse share: the server's memory, an honest client beside the bad, crowds.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { sleep, until } from './node.mjs';

export const MIB = 1024 * 1024;

// Are we on a build with AddressSanitizer? Its memory says nothing about ours.
export const SANITIZED = (process.env.ASAN_OPTIONS ?? '') !== '' || process.env.NONET_SANITIZED;

// Resident memory of SERVER in MiB.
export function residentMib(server) {
  const status = fs.readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) / 1024;
}

// Processor seconds that SERVER has used.
export function processorSeconds(server) {
  const fields = fs
    .readFileSync(`/proc/${server.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

// How many sockets this process may open, with some kept back.
export function socketsMax() {
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(
    fs.readFileSync('/proc/self/limits', 'utf8'),
  );
  return line[1] === 'unlimited' ? Infinity : Number(line[1]) - 500;
}

// A client that asks and is answered over NATS and over HTTP for as long as it lives, and knows how
// long each answer took.
export class Honest {
  static async start(t, server, options = {}) {
    const honest = new Honest();
    honest.connection = await server.connect(t, { timeout: 20_000, ...options });
    const answer = { callback: (error, message) => message.respond(message.data) };
    honest.connection.subscribe('honest.echo', answer);
    await honest.connection.flush();
    honest.server = server;
    honest.running = honest.run();
    t.after(() => honest.stop());
    return honest;
  }

  constructor() {
    Object.assign(this, { times: [], failure: null, stopped: false });
  }

  async run() {
    try {
      while (!this.stopped) {
        const from = performance.now();
        await this.connection.request('honest.echo', 'hello', { timeout: 20_000 });
        this.times.push(performance.now() - from);
        if (this.times.length % 20 === 0) {
          const response = await fetch(`${this.server.admin}/healthz`);
          assert.equal(response.status, 200);
        }
        await sleep(5);
      }
    } catch (error) {
      this.failure = error;
    }
  }

  async stop() {
    this.stopped = true;
    await this.running;
  }

  // Milliseconds that 99 of 100 answers since the last call took less than.
  p99() {
    if (this.failure) throw this.failure;
    const times = this.times.splice(0).sort((a, b) => a - b);
    assert.ok(times.length > 0, 'the honest client was answered');
    return times[Math.floor(times.length * 0.99)];
  }
}

// One of a crowd: a socket, and the last of what it was told.
export class Stranger {
  constructor(port) {
    this.heard = '';
    this.closed = false;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on(
      'data',
      (bytes) => (this.heard = (this.heard + bytes.toString('latin1')).slice(-400)),
    );
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.closed = true));
    this.connected = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve).once('error', reject);
    });
  }

  send(text) {
    this.socket.write(text, 'latin1');
  }
}

// COUNT strangers, who come a few hundred at a time; GREET(stranger) is what each does first.
export async function crowd(t, port, count, greet = () => {}) {
  const strangers = [];
  t.after(() => strangers.forEach((stranger) => stranger.socket.destroy()));
  while (strangers.length < count) {
    const some = Array.from(
      { length: Math.min(250, count - strangers.length) },
      () => new Stranger(port),
    );
    strangers.push(...some);
    await Promise.all(some.map((stranger) => stranger.connected));
    await Promise.all(some.map(greet));
  }
  return strangers;
}

export const hears = (stranger, text, ms = 20_000) =>
  until(() => stranger.heard.includes(text) || stranger.closed, `'${text}'`, ms);
