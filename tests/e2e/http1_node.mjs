// Our HTTP/1 parser against Node's (llhttp): every input of tests/wire/http1/*.md goes to both.
//
//     node http1_node.mjs build/tests/wire/http1_events tests/wire/http1

import http from 'node:http';
import net from 'node:net';
import { compareWith, quote } from './lib/http1_pages.mjs';

// What Node refuses or sees otherwise and we take on purpose, by page and title.
const ON_PURPOSE = {
  'request_line.md: A method is any token, in its own case':
    'Node has a fixed list of methods; here the room decides, and framing does not depend on it',
  'response_framing.md: A refusal of CONNECT is an ordinary response':
    'Node hands the connection over without reading the body; RFC 9110 9.3.6 makes it a response',
};

function collect(stream, message) {
  const parts = [];
  stream.on('data', (part) => {
    parts.push(part);
    message.data = quote(Buffer.concat(parts));
  });
  stream.on('end', () => {
    message.complete = stream.complete;
  });
  stream.on('error', () => {});
}

// What Node's server makes of INPUT, a client's bytes and then its end.
function nodeServer(input) {
  return new Promise((resolve) => {
    const seen = { messages: [], refused: null };
    const add = (request, complete) => {
      const what = `${request.method} ${quote(Buffer.from(request.url, 'latin1'))}`;
      const message = { what, data: '""', complete };
      seen.messages.push(message);
      return message;
    };
    const server = http.createServer({ keepAliveTimeout: 0 });
    const answer = (request, response) => {
      collect(request, add(request, false));
      request.on('end', () => response.end());
    };
    server.on('request', answer);
    server.on('checkContinue', answer);
    server.on('checkExpectation', (request, response) => {
      seen.refused = 'expectation';
      response.writeHead(417).end();
    });
    const handedOver = (request, socket) => {
      add(request, true);
      socket.end();
    };
    server.on('connect', handedOver);
    server.on('clientError', (error, socket) => {
      seen.refused = error.code || 'error';
      socket.destroy();
    });
    server.listen(0, '127.0.0.1', () => {
      const client = net.connect(server.address().port, '127.0.0.1');
      let reply = '';
      client.on('data', (bytes) => (reply += bytes.toString('latin1')));
      client.on('error', () => {});
      client.on('close', () => {
        clearTimeout(timer);
        server.closeAllConnections?.();
        server.close();
        if (!seen.refused && /^HTTP\/1\.1 4\d\d/m.test(reply)) seen.refused = 'answered 4xx';
        resolve(seen);
      });
      const timer = setTimeout(() => client.destroy(), 1500);
      client.end(input);
    });
  });
}

// What Node's client makes of INPUT, a server's bytes and then its end, as the answer to METHOD.
function nodeClient(input, method) {
  return new Promise((resolve) => {
    const seen = { messages: [], refused: null };
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(input));
    });
    server.listen(0, '127.0.0.1', () => {
      const finish = () => {
        clearTimeout(timer);
        server.close();
        resolve(seen);
      };
      const timer = setTimeout(finish, 1500);
      const request = http.request({
        host: '127.0.0.1',
        port: server.address().port,
        method,
        agent: false,
        path: method === 'CONNECT' ? 'a:80' : '/',
      });
      const tunnel = (response, socket) => {
        seen.messages.push({ what: String(response.statusCode), data: '""', complete: true });
        socket.destroy();
        finish();
      };
      request.on('information', (info) => {
        seen.messages.push({ what: String(info.statusCode), data: '""', complete: true });
      });
      request.on('upgrade', tunnel);
      request.on('connect', tunnel);
      request.on('response', (response) => {
        const message = { what: String(response.statusCode), data: '""', complete: false };
        seen.messages.push(message);
        collect(response, message);
        response.on('close', () => {
          if (!message.complete) seen.refused = 'aborted';
          finish();
        });
      });
      request.on('error', (error) => {
        seen.refused = error.code || 'error';
        setTimeout(finish, 10);
      });
      request.end();
    });
  });
}

await compareWith(
  `node ${process.version}`,
  process.argv.slice(2),
  (input, method) => (method ? nodeClient(input, method) : nodeServer(input)),
  ON_PURPOSE,
);
