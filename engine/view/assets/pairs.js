// The pairs that `engine export --to dpo` makes of the open tree, and how their halves differ.

const halfText = (messages) =>
  messages.map((message) => `${message.role}:\n${messageText(message)}`).join("\n\n");

/** One side of a comparison: the text of both sides, and what only this side has. */
function side(parts, kind, tag) {
  const shown = parts.filter(([of]) => of === 0 || of === kind);
  return el("pre", {}, shown.map(([of, text]) => (of ? el(tag, {}, text) : text)));
}

function pairBox(pair, number) {
  const parts = diff(halfText(pair.rejected), halfText(pair.chosen));
  const to = (id) =>
    el("button", { onclick: () => { selectNode(id); reveal(); } }, `node ${id}`);
  const [chosen, rejected] = pair.nodes;
  return el("div", { class: "pair" },
    el("b", {}, `Pair ${number + 1}`), el("span", { class: "dim" }, ` parts at depth ${pair.depth}`),
    el("div", { class: "sides" },
      el("div", { "data-half": "chosen" },
        el("span", { class: "solved" }, `✓ chosen, reward ${pair.rewards[0]} `), to(chosen),
        side(parts, 1, "ins")),
      el("div", { "data-half": "rejected" },
        el("span", { class: "failed" }, `✗ rejected, reward ${pair.rewards[1]} `), to(rejected),
        side(parts, -1, "del"))));
}

const PAIRS_SHOWN = 50;

function drawPairsPanel() {
  if (!at.tree) return [el("p", { class: "dim" }, "No tree is open.")];
  const { pairs } = at.tree;
  if (!pairs.length)
    return [el("p", { class: "dim" }, "No pair: no failed node stands beside a successful path.")];
  const all = run.tasks.get(at.task).more_pairs ? "The first " : "";
  const rest = pairs.slice(PAIRS_SHOWN);
  const showRest = (event) =>
    event.target.replaceWith(...rest.map((pair, n) => pairBox(pair, PAIRS_SHOWN + n)));
  return [
    el("p", { class: "dim" }, `${all}${plural(pairs.length, "pair")}, as engine export --to dpo writes them.`),
    pairs.slice(0, PAIRS_SHOWN).map(pairBox),
    rest.length ? el("button", { onclick: showRest }, `Show ${rest.length} more`) : null,
  ];
}
