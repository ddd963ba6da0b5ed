// Folds in JavaScript: what a state of an event stream must be, said a second time.
//
// RULES is the section `on` of a fold as an object; values as in nonet.yaml, but literals only as
// JSON has them. Numbers are small integers here.

const words = {
  $time: (event) => event.time,
  $revision: (event) => event.revision,
  $position: (event) => event.position,
  $id: (event) => event.id,
  $type: (event) => event.type,
  $stream: (event) => event.stream,
};

const member = (value, name) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && Object.hasOwn(value, name)
    ? value[name]
    : undefined;

function expression(text, event) {
  if (words[text]) return words[text](event);
  const [root, ...path] = text.split('.');
  const from = root === '$metadata' ? event.metadata : event.data;
  return text === '.' ? from : path.reduce(member, from);
}

function value(rule, event) {
  if (typeof rule === 'string') {
    if (/^([.$])\1/.test(rule)) return rule.slice(1);
    return /^[.$]/.test(rule) ? expression(rule, event) : rule;
  }
  if (Array.isArray(rule)) return rule.map((element) => value(element, event) ?? null);
  if (rule === null || typeof rule !== 'object') return rule;
  const made = {};
  for (const [key, each] of Object.entries(rule)) {
    const found = value(each, event);
    if (found !== undefined) made[key] = found;
  }
  return made;
}

// The object that the last name of PATH is a member of, and that name; null where there is no way.
function place(state, path, event, make) {
  const names = [...path.matchAll(/\[([^\]]+)\]|[^.[\]]+/g)].map(([name, inside]) =>
    inside ? expression(inside, event) : name,
  );
  if (names.includes(undefined)) return null;
  const last = `${names.pop()}`;
  for (const name of names) {
    if (make && (state[name] ?? null) === null) state[name] = {};
    state = member(state, name);
    if (state === undefined) return null;
  }
  return state !== null && typeof state === 'object' && !Array.isArray(state)
    ? [state, last]
    : null;
}

const operators = {
  merge: (state, rule, event) => Object.assign(state, value(rule, event)),
  set: (state, path, rule, event) => {
    const found = value(rule, event);
    const at = found !== undefined && place(state, path, event, true);
    if (at) at[0][at[1]] = found;
  },
  inc: (state, path, rule, event) => {
    const more = value(rule, event);
    const at = typeof more === 'number' && place(state, path, event, true);
    if (at && typeof (at[0][at[1]] ?? 0) === 'number') at[0][at[1]] = (at[0][at[1]] ?? 0) + more;
  },
  append: (state, path, rule, event) => {
    const found = value(rule, event);
    const at = found !== undefined && place(state, path, event, true);
    if (at && Array.isArray(at[0][at[1]] ?? [])) (at[0][at[1]] ??= []).push(found);
  },
  remove: (state, path, event) => {
    const at = place(state, path, event, false);
    if (at) delete at[0][at[1]];
  },
};

// The state after EVENTS, as the API gives them.
export function fold({ initial = {}, on }, events) {
  let state = structuredClone(initial);
  for (const event of events) {
    const { clear, merge, set, inc, append, remove } = on[event.type] ?? {};
    if (clear) state = structuredClone(initial);
    if (merge) operators.merge(state, merge, event);
    for (const [path, rule] of Object.entries(set ?? {})) operators.set(state, path, rule, event);
    for (const [path, rule] of Object.entries(inc ?? {})) operators.inc(state, path, rule, event);
    for (const [path, rule] of Object.entries(append ?? {}))
      operators.append(state, path, rule, event);
    for (const path of [remove ?? []].flat()) operators.remove(state, path, event);
  }
  return state;
}
