// Charts of the whole run: solve rate by the depth at which paths end, and the share of tasks solved
// within a number of calls, tokens or dollars.

const WIDE = 460;
const HIGH = 170;
const EDGE = { left: 44, right: 12, top: 10, bottom: 30 };
const inner = { width: WIDE - EDGE.left - EDGE.right, height: HIGH - EDGE.top - EDGE.bottom };
const across = (share) => EDGE.left + share * inner.width;
const up = (share) => EDGE.top + (1 - share) * inner.height;

const label = (x, y, text, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, text);

function frame(name, highest, title) {
  const picture = svg("svg", {
    class: "chart", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, role: "img", "aria-label": title,
    "data-chart": name,
  });
  for (const share of [0, 0.5, 1]) {
    picture.append(
      svg("path", { class: "axis", d: `M${EDGE.left} ${up(share)}H${WIDE - EDGE.right}` }),
      label(EDGE.left - 6, up(share) + 4, highest(share), "end"));
  }
  return picture;
}

/** Ended paths by depth: solved (bottom) and not solved (top) stacked, with the share solved. */
function depthChart(trees) {
  const depths = new Map();
  for (const tree of trees)
    for (const [depth, solved, n] of tree.ended) {
      if (!depths.has(depth)) depths.set(depth, { solved: 0, failed: 0 }); // failed: not solved
      depths.get(depth)[solved ? "solved" : "failed"] += n;
    }
  if (!depths.size) return el("p", { class: "dim" }, "No path has ended yet.");
  const deepest = Math.max(...depths.keys());
  const tallest = Math.max(...[...depths.values()].map(({ solved, failed }) => solved + failed));
  const title = "Solve rate of paths by their depth";
  const picture = frame("depth", (share) => count(Math.round(tallest * share)), title);
  const wide = Math.min(40, (inner.width / deepest) * 0.8);
  const every = Math.ceil(30 / (inner.width / deepest)); // label only so many depths that the labels fit
  for (const [depth, { solved, failed }] of depths) {
    const middle = across((depth - 0.5) / deepest);
    const share = percent(solved, solved + failed);
    const [split, top] = [up(solved / tallest), up((solved + failed) / tallest)];
    const box = (kind, y, height) =>
      svg("rect", { class: `bar ${kind}`, x: middle - wide / 2, y, width: wide, height });
    picture.append(
      svg("g", { "data-depth": depth, "data-solved": solved, "data-failed": failed },
        svg("title", {}, `depth ${depth}: ${solved} of ${solved + failed} solved (${share})`),
        box("solved", split, up(0) - split), box("failed", top, split - top)));
    if (depth % every === 0)
      picture.append(label(middle, HIGH - 16, String(depth)), label(middle, HIGH - 4, share));
  }
  return picture;
}

/** The share of all trees whose first success took at most x of `key`. */
function withinChart(trees, key, show) {
  const spent = trees.filter((tree) => tree.first).map((tree) => tree.first[key]);
  spent.sort((a, b) => a - b);
  const most = Math.max(...spent, 0);
  if (!most) return null;
  const picture = frame(key, (share) => `${share * 100} %`, `Tasks solved by ${key} spent`);
  let line = `M${across(0)} ${up(0)}`;
  spent.forEach((x, n) => (line += `H${across(x / most)}V${up((n + 1) / trees.length)}`));
  picture.append(svg("path", { class: "line", d: line }));
  for (const share of [0, 0.5, 1])
    picture.append(label(across(share), HIGH - 14, show(most * share), share === 1 ? "end" : "middle"));
  return picture;
}

function drawChartsPanel() {
  const trees = [...run.tasks.values()].filter((task) => task.ended);
  const solved = trees.filter((tree) => tree.status === "solved").length;
  const amount = (x) => (x < 100 ? String(Number(x.toFixed(1))) : count(Math.round(x)));
  const charts = [
    ["Ended paths by depth, and the share solved", depthChart(trees)],
    ["Tasks solved by calls spent", withinChart(trees, "calls", amount)],
    ["Tasks solved by tokens spent", withinChart(trees, "tokens", amount)],
    ["Tasks solved by dollars spent", withinChart(trees, "usd", dollars)],
  ];
  return [
    el("p", {}, `${solved} of ${trees.length} trees solved (${percent(solved, trees.length)}).`),
    charts.filter(([, chart]) => chart).map(([title, chart]) => [el("h2", {}, title), chart]),
  ];
}
