// Services for the gateway to stand before: honest ones of node:http, and ones of node:net that do
// what no honest one does.

import http from 'node:http';
import net from 'node:net';

const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

// A service of node:http. HANDLE(request, response, body) is called with the whole body.
export class Honest {
  static async start(handle = Honest.tell) {
    const service = new Honest();
    service.asked = [];
    service.sockets = new Set();
    service.server = http.createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      service.asked.push(request);
      handle(request, response, Buffer.concat(parts));
    });
    service.server.on('connection', (socket) => {
      service.connections = (service.connections ?? 0) + 1;
      service.sockets.add(socket);
      socket.on('close', () => service.sockets.delete(socket));
    });
    service.port = await listening(service.server);
    service.url = `http://127.0.0.1:${service.port}`;
    return service;
  }

  // Answers with what it was asked.
  static tell(request, response, body) {
    const { method, url, headers, rawHeaders, trailers } = request;
    response.setHeader('Content-Type', 'application/json');
    response.end(
      JSON.stringify({ method, url, headers, rawHeaders, trailers, body: body.toString('latin1') }),
    );
  }

  stop() {
    this.server.close();
    this.sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => this.server.once('close', resolve));
  }

  // At the same place again.
  async back() {
    await new Promise((resolve, reject) =>
      this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve),
    );
  }
}

// A service that is nothing but a socket. For each head that comes, the behaviour under the first
// word of its path is called: PLAYS.word(socket, head, connection). `ended` counts connections that
// the other side has ended.
export class Hostile {
  static async start(plays) {
    const service = new Hostile();
    Object.assign(service, { heads: [], bytes: '', ended: 0 });
    service.sockets = new Set();
    service.server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const connection = { text: '', heads: 0 };
      service.sockets.add(socket);
      const over = () => (service.ended += connection.over ? 0 : 1) && (connection.over = true);
      socket.on('error', () => {});
      socket.on('end', over);
      socket.on('close', () => over() && service.sockets.delete(socket));
      socket.on('data', (bytes) => {
        connection.text += bytes.toString('latin1');
        if (service.bytes.length < 1e6) service.bytes += bytes.toString('latin1');
        for (let end; (end = connection.text.indexOf('\r\n\r\n')) >= 0 && !connection.raw; ) {
          const head = connection.text.slice(0, end + 4);
          connection.text = connection.text.slice(end + 4);
          connection.heads++;
          service.heads.push(head);
          const word = /^\S+ \/([a-z0-9_]*)/.exec(head)?.[1];
          if (plays[word]) plays[word](socket, head, connection);
          else socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
        }
      });
    });
    service.port = await listening(service.server);
    service.url = `http://127.0.0.1:${service.port}`;
    return service;
  }

  stop() {
    this.server.close();
    this.sockets.forEach((socket) => socket.destroy());
  }
}

// A port that nobody listens on, and that nobody will be given soon.
export async function deadPort() {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A client of the gateway that is nothing but a socket. Keeps all that comes in `heard`.
export class Client {
  static async open(t, server) {
    const client = new Client();
    const [host, port] = server.ports.http.split(':');
    Object.assign(client, { heard: '', closed: false, ended: false });
    client.socket = net.connect({ port: Number(port), host, allowHalfOpen: true });
    client.socket.on('data', (bytes) => (client.heard += bytes.toString('latin1')));
    client.socket.on('end', () => (client.ended = true) && client.socket.end());
    client.socket.on('error', () => {});
    client.socket.on('close', () => (client.closed = true));
    t.after(() => client.socket.destroy());
    await new Promise((resolve, reject) =>
      client.socket.once('connect', resolve).once('error', reject),
    );
    return client;
  }

  send(text) {
    this.socket.write(text, 'latin1');
  }
}
