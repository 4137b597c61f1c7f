// Layout of a tree: the outcome and the position of each node. Every pass is a loop over the list of
// nodes, in which children come after their parents.

const INDENT = 24; // pixels between a parent's symbol and its children's
const LINE = 28; // pixels between two nodes
const LABEL = 640; // pixels reserved for a label

/** Prepares a loaded tree for drawing; nodes[id] becomes node `id`, nodes[0] the start. */
function layOut(tree) {
  const start = {
    id: 0, parent: -1, status: "open", closed: tree.closed, reward: 0, tool: "start",
    arguments: "", info: "", error: "", said: "", cut_by: "", thought: "", actor: "", overruled: "", request: [],
    messages: tree.messages, signature: tree.signature, values: tree.values,
  };
  tree.nodes = [start, ...tree.nodes];
  for (const node of tree.nodes) {
    node.children = [];
    node.ended = node.id > 0 && node.status !== "open";
    node.depth = node.id ? tree.nodes[node.parent].depth + 1 : 0;
    [node.calls, node.tokens, node.usd] = tree.costs[node.id];
    if (node.id) tree.nodes[node.parent].children.push(node.id);
  }
  setOutcomes(tree.nodes);
  place(tree);
  return tree;
}

/** Sets node.outcome (a word of STATUS): its own, or the best one below. */
function setOutcomes(nodes) {
  for (let id = nodes.length - 1; id >= 0; id--) {
    const node = nodes[id];
    const below = new Set(node.children.map((child) => nodes[child].outcome));
    if (node.ended) node.outcome = node.status;
    else if (below.has("solved")) node.outcome = "solved";
    else if (node.closed === "pruned" || (node.closed && !below.size)) node.outcome = "pruned";
    else if (below.has("open") || !below.size) node.outcome = "open";
    else node.outcome = UNSOLVED.find((status) => below.has(status)) ?? "pruned";
  }
}

/** Sets node.x and node.y: one line per node, depth first, indented by depth. */
function place(tree) {
  const { nodes } = tree;
  let lines = 0;
  let deepest = 0;
  const waiting = [0];
  while (waiting.length) {
    const node = nodes[waiting.pop()];
    node.x = 20 + node.depth * INDENT;
    node.y = 20 + LINE * lines++;
    deepest = Math.max(deepest, node.depth);
    for (let n = node.children.length - 1; n >= 0; n--) waiting.push(node.children[n]);
  }
  tree.width = 20 + deepest * INDENT + LABEL;
  tree.height = 20 + LINE * lines;
}

/** Ids from the start to node `id`, inclusive. */
function lineage(tree, id) {
  const ids = [];
  for (let node = tree.nodes[id]; node; node = tree.nodes[node.parent]) ids.push(node.id);
  return ids.reverse();
}

/** The node that an arrow key selects from node `id`. */
function step(tree, id, key) {
  const node = tree.nodes[id];
  if (key === "ArrowLeft") return Math.max(node.parent, 0);
  if (key === "ArrowRight") return node.children[0] ?? id;
  const level = tree.nodes.filter((other) => other.depth === node.depth);
  level.sort((a, b) => a.y - b.y);
  const to = level.indexOf(node) + (key === "ArrowDown" ? 1 : -1);
  return level[to]?.id ?? id;
}
