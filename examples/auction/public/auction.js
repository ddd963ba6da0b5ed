// The auction house in a browser: bids as they come by server-sent events, and bids of one's own.
//
// Ten thousand bids a second are more than eyes take, so the newest are shown four times a second.
// When the connection breaks, the browser asks again by itself and says the last sequence it has
// seen (Last-Event-ID): the node goes on behind it, and no bid is missed.

const ROWS = 12;
const DRAW_MS = 250;
const YOURS = 'http'; // the channel of bids that are made here, or with curl

const element = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString('en');
const newest = [];
let total = 0;
let before = 0;
let sequence = 0;

function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) tr.insertCell().textContent = cell;
  return tr;
}

function take(event) {
  const bid = JSON.parse(event.data);
  total++;
  sequence = Number(event.lastEventId);
  newest.push(bid);
  if (newest.length > ROWS) newest.shift();
  if (bid.channel !== YOURS) return;
  const body = element('yours').tBodies[0];
  body.prepend(row([bid.auction, bid.bidder, number(bid.price), number(sequence)]));
  while (body.rows.length > ROWS) body.lastElementChild.remove();
}

function draw() {
  const rows = newest.map((bid) =>
    row([bid.auction, bid.bidder, number(bid.price), bid.channel]),
  );
  element('live').tBodies[0].replaceChildren(...rows.reverse());
  element('total').textContent = number(total);
  element('sequence').textContent = number(sequence);
}

function count() {
  element('rate').textContent = number(total - before);
  before = total;
}

function say(id, text, mood = '') {
  element(id).textContent = text;
  element(id).className = mood;
}

// What is for sale, and for how much.
async function describe() {
  const id = element('form').elements.auction.value;
  const response = await fetch(`/auctions/${id}`);
  const found = await response.json();
  if (!response.ok) return say('about', found.detail);
  const highest = found.highest ? `the highest ${number(found.highest.price)}` : 'make the first';
  return say('about', `${found.item_name}: ${number(found.bids)} bids, ${highest}`);
}

async function bid(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const response = await fetch('/bids', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': form.get('key') },
    body: JSON.stringify({
      auction: Number(form.get('auction')),
      bidder: 1,
      price: Number(form.get('price')),
      channel: YOURS,
      date_time: new Date().toISOString(),
    }),
  });
  const answer = await response.json();
  if (response.ok) say('answer', `On disk: ${answer.stream} ${number(answer.seq)}`, 'good');
  else say('answer', `${response.status}: ${answer.detail}`, 'bad');
}

function choose(event) {
  const chosen = event.target.closest('tbody tr');
  if (!chosen) return;
  element('form').elements.auction.value = chosen.cells[0].textContent;
  describe();
}

const live = new EventSource('/live');
live.onopen = () => say('state', 'live', 'live');
live.onerror = () => say('state', 'connecting again');
live.onmessage = take;
element('form').addEventListener('submit', bid);
element('form').elements.auction.addEventListener('change', describe);
element('live').addEventListener('click', choose);
setInterval(draw, DRAW_MS);
setInterval(count, 1000);
describe();
