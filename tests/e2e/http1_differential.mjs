// Our HTTP/1 parser against Node's (llhttp): every input of tests/wire/http1/*.md goes to both.
//
//     node http1_differential.mjs build/tests/wire/http1_events tests/wire/http1
//
// Both must see the same messages with the same bodies. Where we refuse what Node takes we are
// stricter: allowed, if the reason is one that is explained below. Where Node refuses what we
// take, or where both take it and see different things, the test fails.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

// Why it is right to refuse what Node takes, by the name of our refusal.
const STRICTER = {
  BARE_LF: 'RFC 9112 2.2 allows a bare LF; others then see another line',
  BARE_CR: 'a bare CR is a line end to some',
  CONTROL_BYTE: 'control bytes are cut off or skipped by some',
  METHOD: 'methods of more than 32 bytes',
  REQUEST_LINE: 'RFC 9112 3: one space, not several',
  TARGET: 'RFC 3986: no fragment, no user, no bare UTF-8; a form that fits the method',
  VERSION: 'RFC 9112 2.3: HTTP/ and two digits',
  VERSION_UNSUPPORTED: 'only 1.0 and 1.1 are spoken here',
  STATUS_LINE: 'statuses of 100 to 599 only',
  EMPTY_LINES: 'RFC 9112 2.2 asks for one, and for requests only',
  FIELD_FOLDED: 'RFC 9112 5.2: obsolete folding may be refused',
  FIELD_BLANK: 'RFC 9112 5.1: must be refused in requests',
  HOST_MISSING: 'RFC 9112 3.2',
  HOST_REPEATED: 'RFC 9112 3.2',
  HOST: 'RFC 9112 3.2: an invalid Host must be refused',
  LENGTH: 'RFC 9110 8.6: digits only; leading zeros are octal to some',
  LENGTH_REPEATED: 'RFC 9110 8.6: may be refused, equal or not',
  LENGTH_AND_CODING: 'RFC 9112 6.1: ought to be handled as an error',
  CODING: 'chunked once, alone, without empty elements',
  CODING_REPEATED: 'one Transfer-Encoding field is all that is ever needed',
  CODING_UNKNOWN: 'RFC 9112 6.1: 501 for a coding that is not understood',
  CODING_IN_1_0: 'RFC 9112 6.1: framing is faulty',
  BODY_NOT_ALLOWED: 'RFC 9110: CONNECT, 1xx, 204 and tunnels have no body',
  EXPECTATION: 'RFC 9110 10.1.1: may be answered 417',
  CHUNK_SIZE: 'no blanks, signs or more than 16 digits',
  CHUNK_EXTENSION: 'RFC 9112 7.1.1 in full, without its blanks',
  CHUNK_LINE_TOO_LONG: 'extensions are bounded per line',
  CHUNK_EXTENSIONS_TOO_LARGE: 'extensions are bounded per body',
  CHUNK_END: 'only CR LF follows a chunk',
  HEAD_TOO_LARGE: 'a bound of ours',
  TARGET_TOO_LONG: 'a bound of ours',
  TOO_MANY_FIELDS: 'a bound of ours',
  TRAILERS_TOO_LARGE: 'a bound of ours',
  TRAILER_FORBIDDEN: 'RFC 9110 6.5.1: framing and routing cannot come late',
  TRUNCATED: 'the message was cut short',
};

// What Node refuses or sees otherwise and we take on purpose, by page and title.
const ON_PURPOSE = {
  'request_line.md: A method is any token, in its own case':
    'Node has a fixed list of methods; here the room decides, and framing does not depend on it',
  'response_framing.md: A refusal of CONNECT is an ordinary response':
    'Node hands the connection over without reading the body; RFC 9110 9.3.6 makes it a response',
};

const SIDES = {
  request: null,
  response: 'GET',
  'response-to-head': 'HEAD',
  'response-to-connect': 'CONNECT',
};

function unescape(line) {
  const parts = [];
  for (let i = 0; i < line.length; i++) {
    if (line[i] !== '\\') {
      parts.push(Buffer.from(line[i], 'latin1'));
      continue;
    }
    const c = line[++i];
    if (c === 'x') {
      parts.push(Buffer.from(line.slice(i + 1, i + 3), 'hex'));
      i += 2;
    } else if (c === '{') {
      const blank = line.indexOf(' ', i),
        close = line.indexOf('}', i);
      const piece = unescape(line.slice(blank + 1, close));
      for (let n = Number(line.slice(i + 1, blank)); n > 0; n--) parts.push(piece);
      i = close;
    } else {
      parts.push(Buffer.from({ r: '\r', n: '\n', t: '\t', '\\': '\\' }[c]));
    }
  }
  return Buffer.concat(parts);
}

function* casesOf(file) {
  let title = '',
    codec = null,
    lines = [];
  for (const line of fs.readFileSync(file, 'latin1').split('\n')) {
    if (line.startsWith('## ')) title = line.slice(3);
    if (line === '```' && codec) {
      if (codec in SIDES) yield { title, codec, input: Buffer.concat(lines.map(unescape)) };
      codec = null;
    } else if (line.startsWith('```') && line !== '```') {
      codec = line.slice(3); // with settings it is none of SIDES: those are about our bounds
      lines = [];
    } else if (codec) {
      lines.push(line);
    }
  }
}

// As events_quote in tests/wire/events.c.
function quote(bytes) {
  const shown = bytes.length > 120 ? bytes.subarray(0, 30) : bytes;
  let text = '"';
  for (const c of shown) {
    if (c === 13) text += '\\r';
    else if (c === 10) text += '\\n';
    else if (c === 9) text += '\\t';
    else if (c === 34 || c === 92) text += '\\' + String.fromCharCode(c);
    else if (c < 32 || c > 126) text += '\\x' + c.toString(16).padStart(2, '0');
    else text += String.fromCharCode(c);
  }
  return text + '"' + (shown.length < bytes.length ? `... (${bytes.length} bytes)` : '');
}

// {messages: [{what, data, complete}], refused: name or null}
function ours(program, codec, input) {
  const text = execFileSync(program, [codec], { input, encoding: 'latin1' });
  const seen = { messages: [], refused: null };
  for (const line of text.split('\n')) {
    const last = seen.messages[seen.messages.length - 1];
    let m;
    if ((m = /^request (\S+) (".*") 1\.\d$/.exec(line))) {
      seen.messages.push({ what: `${m[1]} ${m[2]}`, data: '""', complete: false });
    } else if ((m = /^response (\d+) /.exec(line))) {
      seen.messages.push({ what: m[1], data: '""', complete: false });
    } else if ((m = /^data (.*)$/.exec(line))) {
      last.data = m[1];
    } else if (/^  body tunnel/.test(line) || line === 'end') {
      last.complete = true;
    } else if ((m = /^refused (\S+)/.exec(line))) {
      seen.refused = m[1];
    } else if (line === 'cut short in a head') {
      seen.refused = 'TRUNCATED';
    }
  }
  return seen;
}

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

// 'same', or what differs: {kind: 'stricter' | 'looser' | 'different', text}
function compare(mine, theirs, onlyFirst) {
  const count = Math.max(mine.messages.length, theirs.messages.length);
  for (let i = 0; i < count; i++) {
    const a = mine.messages[i],
      b = theirs.messages[i];
    if (!a || !a.complete) {
      if (b?.complete) return { kind: 'stricter', text: `we: ${mine.refused}` };
      break;
    }
    if (!b || !b.complete) {
      if (onlyFirst && i > 0) break;
      return { kind: 'looser', text: `we took ${a.what}, Node: ${theirs.refused}` };
    }
    if (a.what !== b.what || a.data !== b.data)
      return { kind: 'different', text: `we: ${a.what} ${a.data}, Node: ${b.what} ${b.data}` };
    if (onlyFirst && !a.what.startsWith('1')) return 'same';
  }
  if (mine.refused && !theirs.refused) return { kind: 'stricter', text: `we: ${mine.refused}` };
  if (!mine.refused && theirs.refused)
    return { kind: 'looser', text: `we took it all, Node: ${theirs.refused}` };
  return 'same';
}

const [program, folder] = process.argv.slice(2);
if (!program || !folder) {
  console.error('usage: node http1_differential.mjs HTTP1_EVENTS FOLDER_OF_PAGES');
  process.exit(2);
}

const counts = { same: 0, stricter: 0, onPurpose: 0, failed: 0 };
for (const name of fs
  .readdirSync(folder)
  .filter((n) => n.endsWith('.md'))
  .sort()) {
  for (const { title, codec, input } of casesOf(path.join(folder, name))) {
    const method = SIDES[codec];
    const mine = ours(program, codec, input);
    const theirs = method ? await nodeClient(input, method) : await nodeServer(input);
    const result = compare(mine, theirs, method !== null);
    const place = `${name}: ${title}`;
    if (result === 'same') {
      counts.same++;
    } else if (result.kind === 'stricter' && STRICTER[mine.refused]) {
      counts.stricter++;
      console.log(`stricter   ${place}\n           ${mine.refused}: ${STRICTER[mine.refused]}`);
    } else if (result.kind !== 'stricter' && ON_PURPOSE[place]) {
      counts.onPurpose++;
      console.log(`on purpose ${place}\n           ${ON_PURPOSE[place]}`);
    } else {
      counts.failed++;
      console.log(`FAILED     ${place}\n           ${result.kind}: ${result.text}`);
    }
  }
}
console.log(
  `node ${process.version}: ${counts.same} the same, ${counts.stricter} stricter, ` +
    `${counts.onPurpose} different on purpose, ${counts.failed} failed`,
);
process.exit(counts.failed || counts.same === 0 ? 1 : 0);
