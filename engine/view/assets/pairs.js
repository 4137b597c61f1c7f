// The pairs that `engine export --to dpo` makes of the open tree, and how their halves differ.

const isTrained = (message) => message.role === "assistant" && message.weight !== 0;

/** The text of one half, and which of its characters are trained: [text, [[from, to], ...]]. */
function half(messages) {
  let text = "";
  const trained = [];
  for (const message of messages) {
    text += `${text ? "\n\n" : ""}${message.role}:\n`;
    const from = text.length;
    text += messageText(message);
    if (isTrained(message)) trained.push([from, text.length]);
  }
  return [text, trained];
}

/** `text`, which begins at character `start` of its half, as trained and untrained pieces. */
function pieces(text, start, trained) {
  const edges = trained.flat().map((edge) => edge - start);
  const cuts = [0, ...edges.filter((edge) => edge > 0 && edge < text.length), text.length];
  return cuts.slice(1).map((to, n) => {
    const middle = start + (cuts[n] + to) / 2;
    const on = trained.some(([from, end]) => from < middle && middle < end);
    return el("span", { class: on ? "trained" : "untrained" }, text.slice(cuts[n], to));
  });
}

/** One side of a comparison: the text of both sides, and what only this side has. */
function side(parts, kind, tag, trained) {
  let start = 0;
  return el("pre", {}, parts.filter(([of]) => of === 0 || of === kind).flatMap(([of, text]) => {
    const inside = pieces(text, start, trained);
    start += text.length;
    return of ? [el(tag, {}, inside)] : inside;
  }));
}

const trainedWords = (trained) =>
  ` ${plural(trained.reduce((sum, [from, to]) => sum + to - from, 0), "trained character")} `;

function pairBox(pair, number) {
  const [[good, goodTrained], [bad, badTrained]] = [half(pair.chosen), half(pair.rejected)];
  const parts = diff(bad, good);
  const to = (id) =>
    el("button", { onclick: () => { selectNode(id); reveal(); } }, `node ${id}`);
  const [chosen, rejected] = pair.nodes;
  return el("div", { class: "pair" },
    el("b", {}, `Pair ${number + 1}`), el("span", { class: "dim" }, ` parts at depth ${pair.depth}`),
    el("div", { class: "sides" },
      el("div", { "data-half": "chosen" },
        el("span", { class: "solved" }, `✓ chosen, reward ${pair.rewards[0]} `), to(chosen),
        el("span", { class: "dim" }, trainedWords(goodTrained)), side(parts, 1, "ins", goodTrained)),
      el("div", { "data-half": "rejected" },
        el("span", { class: "failed" }, `✗ rejected, reward ${pair.rewards[1]} `), to(rejected),
        el("span", { class: "dim" }, trainedWords(badTrained)), side(parts, -1, "del", badTrained))));
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
    el("p", { class: "dim" }, `${all}${plural(pairs.length, "pair")}, as engine export --to dpo writes them, from where they part.`),
    el("p", {}, el("span", { class: "trained" }, "Trained"), " text is underlined; ",
      el("span", { class: "untrained" }, "the rest"), " is context. ",
      el("ins", {}, "Only in the chosen"), " ", el("del", {}, "only in the rejected")),
    pairs.slice(0, PAIRS_SHOWN).map(pairBox),
    rest.length ? el("button", { onclick: showRest }, `Show ${rest.length} more`) : null,
  ];
}
