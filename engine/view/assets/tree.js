// Draws the open tree as SVG. Only the visible part is in the document, so that thousands of nodes
// scroll as smoothly as ten. Each outcome has its own shape and symbol as well as a colour.

const SHAPES = {
  solved: ["M-9 0A9 9 0 1 1 9 0A9 9 0 1 1 -9 0Z", "M-4 0L-1 3.5L4.5 -3.5"],
  failed: ["M-8 -8H8V8H-8Z", "M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5"],
  gave_up: ["M-8 -8H8V2L0 9L-8 2Z", "M-4 -2H4"],
  cut: ["M-9 0L-5 -9H5L9 0L5 9H-5Z", "M-4 4L4 -4"],
  pruned: ["M0 -11L11 0L0 11L-11 0Z", "M-4 0H4"],
  open: ["M-9 8L0 -9L9 8Z", "M0 -2V4"],
};
const LARGEST = 2;
const SMALLEST = 0.005;
const READABLE = 0.55; // below this scale, labels are not drawn
let scale = 1;
let picture = null; // the svg element, as large as the visible part

const ERROR_SHAPE = ["M-4 -10H4L10 -4V4L4 10H-4L-10 4V-4Z", "M0 -6V1M0 3.5V6"];

/** The symbol of an outcome: filled if the path ends here, hollow if it goes on. A step that went
    on after an error has the symbol of an error, whatever came below. */
function sign(outcome, inner) {
  const [outline, inside] = SHAPES[outcome] ?? ERROR_SHAPE;
  const hollow = inner ? " inner" : "";
  return svg("g", { class: outcome },
    svg("path", { class: `shape ${outcome}${hollow}`, d: outline }),
    svg("path", { class: `sign${hollow}`, d: inside }));
}

function drawLegend() {
  for (const outcome of [...Object.keys(SHAPES), "error"]) {
    const icon = svg("svg", { viewBox: "-12 -12 24 24", "aria-hidden": "true" }, sign(outcome, false));
    $("legend").append(el("span", {}, icon, ` ${STATUS[outcome] ?? outcome}`));
  }
  $("legend").append(el("span", { class: "dim" }, "hollow: goes on; colour of the best below"));
}

/** The values of a state, with how many continuations each was estimated from, and whose. */
function valueWords(values) {
  return values.map(({ by, mean, number }) =>
    `Q ${mean.toFixed(2)} of ${number}${values.length > 1 ? ` by ${by}` : ""}`);
}

/** Reward, value, cost, actor (if it was not the run's teacher) and marks, in a few words. */
function facts(node) {
  const parts = [];
  parts.push(...valueWords(node.values ?? []));
  if (node.ended) parts.push(`reward ${Number(node.reward.toFixed(3))}`);
  if (node.calls) parts.push(plural(node.calls, "call"), `${count(node.tokens)} tok`);
  if (node.actor) parts.push(node.actor);
  for (const scope of ["node", "trajectory"]) {
    const mark = markOn(node, scope);
    if (mark) parts.push(`[${markWords(mark)}]`);
  }
  return parts.join(" · ");
}

/** The status for a node's line, with what the world said of an error. */
function statusLine(node) {
  const words = statusWords(node);
  const said = node.said ? `: ${shorten(node.said, 70)}` : "";
  return words ? `${words}${said}  ` : "";
}

function drawNode(node, words) {
  const group = svg("g", {
    class: ["node", node.id === at.node && "here", node.continues && "continues",
      isWanted(node) && "found"].filter(Boolean).join(" "),
    "data-node": node.id,
    transform: `translate(${node.x} ${node.y})`,
  },
  svg("rect", { class: "row", x: -14, y: -LINE / 2, width: LABEL, height: LINE, rx: 5 }),
  sign(node.error && !node.ended ? "error" : node.outcome, !node.ended));
  if (!words) return group;
  const name = node.tool || "malformed";
  const args = node.id ? shorten(node.arguments, 60) : "";
  group.append(
    svg("title", {}, shorten(`${node.id} ${name} ${statusLine(node)}${node.arguments}`, 600)),
    svg("text", { x: 18, y: 4 },
      svg("tspan", { class: "name" }, `${node.id} ${name} `),
      svg("tspan", { class: `status ${node.error && !node.ended ? "error" : node.status}` },
        statusLine(node)),
      svg("tspan", { class: "facts" }, `${facts(node)}  `),
      svg("tspan", {}, args)));
  return group;
}

/** All lines from parents to children, as one SVG path per kind. */
function drawEdges(isVisible) {
  const { nodes } = at.tree;
  const walked = new Set(lineage(at.tree, at.node));
  const lines = { "": "", solved: "", walked: "" };
  for (const node of nodes) {
    if (!node.id) continue;
    const from = nodes[node.parent];
    if (!isVisible(from.x, from.y, node.x, node.y)) continue;
    const kind = walked.has(node.id) ? "walked" : node.outcome === "solved" ? "solved" : "";
    lines[kind] += `M${from.x} ${from.y + 10}V${node.y}H${node.x - 11}`;
  }
  return Object.entries(lines).map(([kind, d]) => svg("path", { class: `edge ${kind}`, d }));
}

const drawTree = eachFrame(() => {
  const box = $("tree");
  if (!picture) {
    picture = svg("svg", { "aria-hidden": "true" });
    box.prepend(picture);
  }
  const { clientWidth: width, clientHeight: height, scrollLeft, scrollTop } = box;
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  picture.style.marginBottom = `${-height}px`; // so that the extent lies under it
  if (!at.tree) {
    picture.replaceChildren();
    return;
  }
  $("extent").style.width = `${at.tree.width * scale}px`;
  $("extent").style.height = `${at.tree.height * scale}px`;
  const [left, top] = [scrollLeft / scale, scrollTop / scale];
  const [right, bottom] = [left + width / scale, top + height / scale];
  const isVisible = (x0, y0, x1, y1) =>
    x1 >= left - LABEL && x0 <= right && y1 >= top - LINE && y0 <= bottom + LINE;
  const shown = at.tree.nodes.filter((node) => isVisible(node.x, node.y, node.x, node.y));
  const words = scale >= READABLE;
  picture.replaceChildren(svg("g", { transform: `scale(${scale}) translate(${-left} ${-top})` },
    drawEdges(isVisible), shown.map((node) => drawNode(node, words))));
});

/** Changes the scale, and keeps the selected node where it was on the screen. */
function zoom(to) {
  if (!at.tree) return;
  const box = $("tree");
  const { x, y } = at.tree.nodes[at.node];
  const before = [x * scale - box.scrollLeft, y * scale - box.scrollTop];
  scale = Math.min(LARGEST, Math.max(SMALLEST, to));
  $("extent").style.width = `${at.tree.width * scale}px`;
  $("extent").style.height = `${at.tree.height * scale}px`;
  box.scrollTo(x * scale - before[0], y * scale - before[1]);
  drawTree();
}

function fit() {
  if (!at.tree) return;
  const box = $("tree");
  zoom(Math.min(1, box.clientWidth / at.tree.width, box.clientHeight / at.tree.height));
}

/** Scrolls so that the selected node is visible. */
function reveal() {
  const box = $("tree");
  const { x, y } = at.tree.nodes[at.node];
  const inside = (where, from, size) => where >= from + 15 && where <= from + size;
  const [left, top] = [x * scale, y * scale];
  if (!inside(left, box.scrollLeft, box.clientWidth / 2)) box.scrollLeft = left - 60;
  if (!inside(top, box.scrollTop, box.clientHeight - LINE))
    box.scrollTop = top - box.clientHeight / 2;
}

$("tree").addEventListener("scroll", drawTree);
$("tree").addEventListener("click", (event) => {
  const node = event.target.closest("[data-node]");
  if (!node) return;
  selectNode(Number(node.dataset.node));
  showPane("side");
});
$("smaller").addEventListener("click", () => zoom(scale / 1.25));
$("larger").addEventListener("click", () => zoom(scale * 1.25));
$("fit").addEventListener("click", fit);
new ResizeObserver(drawTree).observe($("tree"));
