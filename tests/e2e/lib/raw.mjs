// A client that is nothing but a socket: sends what it is told, keeps every line that comes.

import net from 'node:net';
import tls from 'node:tls';
import { until } from './node.mjs';

export class Raw {
  // Connects, and by default waits for INFO. OPTIONS: tls, options of tls.connect for a handshake
  // after INFO; info: false for what is not a NATS listener.
  static async open(t, server, options = {}) {
    const raw = new Raw();
    raw.socket = net.connect(options.port ?? server.port, '127.0.0.1');
    t?.after(() => raw.socket.destroy());
    raw.listen();
    if (options.info !== false) {
      raw.info = JSON.parse((await raw.expect(/^INFO /)).slice(5));
    }
    if (options.tls) {
      raw.socket.removeAllListeners('data');
      raw.socket = tls.connect({ socket: raw.socket, ...options.tls });
      raw.listen();
      await new Promise((resolve, reject) => {
        raw.socket.once('secureConnect', resolve).once('error', reject);
      });
    }
    return raw;
  }

  constructor() {
    Object.assign(this, { text: '', lines: [], closed: false, error: null });
  }

  listen() {
    this.socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
      const lines = this.text.split('\r\n');
      this.text = lines.pop();
      this.lines.push(...lines);
    });
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('close', () => (this.closed = true));
  }

  send(text) {
    this.socket.write(text, typeof text === 'string' ? 'latin1' : undefined);
  }

  // Waits for a line that matches, drops it with all before it, and gives it.
  async expect(pattern, ms = 5_000) {
    const matches = (line) =>
      typeof pattern === 'string' ? line === pattern : pattern.test(line);
    const found = () => this.lines.findIndex(matches);
    await until(() => found() >= 0 || this.closed, '', ms).catch(() => {});
    const at = found();
    if (at < 0) {
      const end = this.closed ? ', then the end' : '';
      throw new Error(`waited for ${pattern}, got ${JSON.stringify(this.lines)}${end}`);
    }
    return this.lines.splice(0, at + 1).pop();
  }

  // Waits until the other side has closed.
  async end(ms = 5_000) {
    await until(() => this.closed, 'the end of the connection', ms);
  }

  // Says CONNECT and PING, waits for PONG.
  async hello(options = {}) {
    const defaults = {
      verbose: false,
      pedantic: false,
      protocol: 1,
      headers: true,
      no_responders: true,
    };
    this.send(`CONNECT ${JSON.stringify({ ...defaults, ...options })}\r\nPING\r\n`);
    await this.expect('PONG');
    return this;
  }

  // What has come once a PING sent now is answered.
  async fence() {
    this.send('PING\r\n');
    await until(() => this.lines.includes('PONG') || this.closed, 'PONG');
    const at = this.lines.indexOf('PONG');
    if (at < 0) throw new Error(`no PONG, got ${JSON.stringify(this.lines)}, closed`);
    return this.lines.splice(0, at + 1).slice(0, -1);
  }
}
