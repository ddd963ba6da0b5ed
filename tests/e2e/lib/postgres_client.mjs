// Clients of the listener sql: node-postgres, psql, and bare messages of the protocol.

import { spawn } from 'node:child_process';
import net from 'node:net';
import pg from 'pg';

const address = (node) => {
  const at = node.ports.sql.lastIndexOf(':');
  return { host: node.ports.sql.slice(0, at), port: Number(node.ports.sql.slice(at + 1)) };
};

// A connected node-postgres client that is closed when test T ends.
export async function pgClient(t, node, options = {}) {
  const client = new pg.Client({ ...address(node), user: 'ann', database: 'nonet', ...options });
  client.on('error', () => {}); // the node may be stopped first
  await client.connect();
  t?.after(() => client.end().catch(() => {}));
  return client;
}

// The error that PROMISE ends with.
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

// Runs COMMAND (psql, pgbench) against NODE; {status, stdout, stderr}.
export function runClient(node, command, args, { input = '', env = {} } = {}) {
  const { host, port } = address(node);
  const child = spawn(command, args, {
    env: {
      PATH: process.env.PATH,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: 'ann',
      PGDATABASE: 'nonet',
      PGSSLMODE: 'disable',
      PGCONNECT_TIMEOUT: '20',
      ...env,
    },
  });
  const result = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (result.stdout += data));
  child.stderr.on('data', (data) => (result.stderr += data));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...result }));
  });
}

export const psql = (node, input, args = [], options = {}) =>
  runClient(node, 'psql', ['-X', '-A', '-t', '-q', ...args], { input, ...options });

// Bodies of messages.
export const text = (string) => Buffer.from(`${string}\0`);
export const int16 = (number) => Buffer.from([(number >> 8) & 0xff, number & 0xff]);
export const int32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return bytes;
};

// A connection that speaks messages: {type, body} each.
export class Wire {
  static async open(t, node, { user = 'ann', database = 'nonet', start = true } = {}) {
    const wire = new Wire();
    wire.received = Buffer.alloc(0);
    wire.waiting = [];
    wire.socket = net.connect(address(node));
    wire.socket.on('data', (data) => {
      wire.received = Buffer.concat([wire.received, data]);
      wire.deliver();
    });
    wire.socket.on('error', () => {});
    wire.socket.on('close', () => {
      wire.closed = true;
      wire.deliver();
    });
    t.after(() => wire.socket.destroy());
    await new Promise((resolve) => wire.socket.once('connect', resolve));
    if (start) {
      wire.startup({ user, database });
      wire.greeting = await wire.until('Z');
    }
    return wire;
  }

  startup(parameters, version = 196608) {
    const pairs = Object.entries(parameters).map(([name, value]) => text(name) + text(value));
    this.request(version, Buffer.from(`${pairs.join('')}\0`));
  }

  // What stands in place of a startup message.
  request(code, body = Buffer.alloc(0)) {
    this.socket.write(Buffer.concat([int32(body.length + 8), int32(code), body]));
  }

  send(...messages) {
    const bytes = messages.map(([type, ...parts]) => {
      const body = Buffer.concat(parts);
      return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
    });
    this.socket.write(Buffer.concat(bytes));
  }

  deliver() {
    while (this.waiting.length) {
      const message = this.take();
      if (!message && !this.closed) return;
      this.waiting.shift()(message);
    }
  }

  take() {
    if (this.received.length < 5) return null;
    const length = this.received.readInt32BE(1);
    if (this.received.length < length + 1) return null;
    const message = {
      type: this.received.toString('latin1', 0, 1),
      body: this.received.subarray(5, length + 1),
    };
    this.received = this.received.subarray(length + 1);
    return message;
  }

  // The next message; null at the end of the connection.
  next() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.deliver();
    });
  }

  // All messages up to one of TYPE, which is the last.
  async until(type) {
    const messages = [];
    for (;;) {
      const message = await this.next();
      if (!message) throw new Error(`closed before ${type}: ${types(messages)}`);
      messages.push(message);
      if (message.type === type) return messages;
    }
  }
}

// "1 2 D C Z"
export const types = (messages) => messages.map((message) => message.type).join(' ');

// The fields of an ErrorResponse or NoticeResponse by their letter.
export function fields(message) {
  const parts = message.body.toString().split('\0').filter(Boolean);
  return Object.fromEntries(parts.map((part) => [part[0], part.slice(1)]));
}

// The values of a DataRow as texts.
export function row({ body }) {
  const values = [];
  for (let at = 2; at < body.length;) {
    const length = body.readInt32BE(at);
    values.push(length < 0 ? null : body.toString('utf8', at + 4, at + 4 + length));
    at += 4 + Math.max(length, 0);
  }
  return values;
}
