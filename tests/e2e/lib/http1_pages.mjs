// What the differential tests of HTTP/1 share: the pages of tests/wire/http1, what our parser makes
// of each, and the judgement of two parsers that saw the same bytes.
//
// Both must see the same messages with the same bodies. Where we refuse what the other takes we are
// stricter: allowed, if the reason is one that is explained below. Where the other refuses what we
// take, or where both take it and see different things, the test fails.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

// Why it is right to refuse what the other takes, by the name of our refusal.
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
  FIELD_COLON: 'RFC 9112 5: no field; skipped by some',
  FIELD_NAME: 'RFC 9110 5.1: a name is a token; skipped by some',
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

// The method that a page's bytes answer; null where they are a request.
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
export function quote(bytes) {
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
      return { kind: 'looser', text: `we took ${a.what}, they: ${theirs.refused}` };
    }
    if (a.what !== b.what || a.data !== b.data)
      return { kind: 'different', text: `we: ${a.what} ${a.data}, they: ${b.what} ${b.data}` };
    if (onlyFirst && !a.what.startsWith('1')) return 'same';
  }
  if (mine.refused && !theirs.refused) return { kind: 'stricter', text: `we: ${mine.refused}` };
  if (!mine.refused && theirs.refused)
    return { kind: 'looser', text: `we took it all, they: ${theirs.refused}` };
  return 'same';
}

// Goes through the pages with two parsers and prints every difference. ARGS are the program
// http1_events and the folder of the pages. NAME is the other parser; SEES(input, method) gives
// what it sees, or null for what it cannot be asked; ON_PURPOSE says why it may refuse what we
// take or see it otherwise, by page and title. Ends the process: 0 when nothing failed and
// something was the same.
export async function compareWith(name, args, sees, onPurpose) {
  const [program, folder] = args;
  if (!program || !folder) {
    console.error(`usage: node ${path.basename(process.argv[1])} HTTP1_EVENTS FOLDER_OF_PAGES`);
    process.exit(2);
  }
  const counts = { same: 0, stricter: 0, onPurpose: 0, failed: 0 };
  const say = (kind, place, why) => console.log(`${kind.padEnd(10)} ${place}\n           ${why}`);
  for (const page of fs.readdirSync(folder).sort()) {
    for (const { title, codec, input } of casesOf(path.join(folder, page))) {
      const theirs = await sees(input, SIDES[codec]);
      if (!theirs) continue;
      const mine = ours(program, codec, input);
      const result = compare(mine, theirs, SIDES[codec] !== null);
      const place = `${page}: ${title}`;
      if (result === 'same') {
        counts.same++;
      } else if (result.kind === 'stricter' && STRICTER[mine.refused]) {
        counts.stricter++;
        say('stricter', place, `${mine.refused}: ${STRICTER[mine.refused]}`);
      } else if (result.kind !== 'stricter' && onPurpose[place]) {
        counts.onPurpose++;
        say('on purpose', place, onPurpose[place]);
      } else {
        counts.failed++;
        say('FAILED', place, `${result.kind}: ${result.text}`);
      }
    }
  }
  console.log(
    `${name}: ${counts.same} the same, ${counts.stricter} stricter, ` +
      `${counts.onPurpose} different on purpose, ${counts.failed} failed`,
  );
  process.exit(counts.failed || counts.same === 0 ? 1 : 0);
}
