// Word-by-word difference of two texts: Myers' greedy algorithm (An O(ND) Difference Algorithm and
// Its Variations, 1986), after removing what is equal at both ends.

const MOST_EDITS = 1500; // with more edits, the middles count as entirely different

const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

/** [[kind, text], ...]: kind 0 in both, -1 in `a` only, 1 in `b` only. */
function diff(a, b) {
  const [one, other] = [words(a), words(b)];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (
    end < one.length - start && end < other.length - start &&
    one.at(-1 - end) === other.at(-1 - end)
  ) end++;
  const middle = edits(one.slice(start, one.length - end), other.slice(start, other.length - end));
  const same = (list) => list.map((word) => [0, word]);
  return joined([
    ...same(one.slice(0, start)), ...middle, ...same(end ? one.slice(-end) : []),
  ]);
}

function edits(a, b) {
  const frontier = new Map([[1, 0]]); // by diagonal x - y: how far in `a`
  const trail = [];
  for (let d = 0; d <= Math.min(a.length + b.length, MOST_EDITS); d++) {
    trail.push(new Map(frontier));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && frontier.get(k - 1) < frontier.get(k + 1));
      let x = down ? frontier.get(k + 1) : frontier.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      frontier.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trail);
    }
  }
  return [...a.map((word) => [-1, word]), ...b.map((word) => [1, word])];
}

function walkBack(a, b, trail) {
  const found = [];
  let [x, y] = [a.length, b.length];
  for (let d = trail.length - 1; d >= 0; d--) {
    const frontier = trail[d];
    const k = x - y;
    const down = k === -d || (k !== d && frontier.get(k - 1) < frontier.get(k + 1));
    const before = down ? k + 1 : k - 1;
    const fromX = frontier.get(before);
    const fromY = fromX - before;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      found.push([0, a[--x]]);
      y--;
    }
    if (d > 0) found.push(down ? [1, b[--y]] : [-1, a[--x]]);
  }
  return found.reverse();
}

/** Joins neighbours of the same kind. */
function joined(parts) {
  const found = [];
  for (const [kind, text] of parts) {
    if (found.length && found.at(-1)[0] === kind) found.at(-1)[1] += text;
    else found.push([kind, text]);
  }
  return found;
}
