// Opens tasks, selects nodes and redraws: the one place that uses all other parts.

const PANELS = { node: drawNodePanel, pairs: drawPairsPanel, charts: drawChartsPanel };

function drawPanel() {
  $("panel").replaceChildren(...PANELS[at.tab]().flat(3).filter(Boolean));
  for (const tab of document.querySelectorAll("#tabs button"))
    tab.setAttribute("aria-selected", String(tab.dataset.tab === at.tab));
}

function drawHere() {
  if (!at.tree) return;
  const node = at.tree.nodes[at.node];
  const name = node.id ? `node ${node.id}, ${node.tool || "malformed"}` : "the start";
  $("here").textContent = [name, statusWords(node), belowWords(node), facts(node)].filter(Boolean).join(" · ");
}

/** Draws everything except the panel. */
function drawAround() {
  drawTree();
  drawHead();
  drawHere();
  if ($("show").value === "marked") findTasks();
  else drawTasks();
}

/** Draws everything that depends on the open tree, the selected node or the marks. */
function refresh() {
  drawAround();
  drawPanel();
}

function selectNode(id) {
  at.node = id;
  at.tab = "node";
  refresh();
  $("panel").querySelector(".message.here")?.scrollIntoView({ block: "nearest" });
  remember();
}

const NARROW = matchMedia("(max-width: 60rem)");

/** Shows one part of the page, where there is no room for all three. */
function showPane(name) {
  const anew = NARROW.matches && document.body.dataset.pane !== name;
  document.body.dataset.pane = name;
  for (const button of document.querySelectorAll("#panes button"))
    button.setAttribute("aria-pressed", String(button.dataset.to === name));
  drawTasks();
  drawTree();
  if (anew) remember(true);
}

/** Writes what is shown to the address. */
function remember(anew = false) {
  const { pane } = document.body.dataset;
  putLink({
    task: at.task, node: at.node || "", tab: at.tab === "node" ? "" : at.tab,
    pane: NARROW.matches ? pane : "", ...filterState(),
  }, anew);
}

/** Shows the state that the address holds. */
async function openLink() {
  const state = linked();
  setFilters(state);
  findTasks();
  const task = run.tasks.has(state.get("task")) ? state.get("task") : listed[0]?.id;
  if (task !== undefined) {
    if (PANELS[state.get("tab")]) at.tab = state.get("tab");
    const pane = state.get("pane") ?? "tasks";
    document.body.dataset.pane = $(pane)?.matches("section") ? pane : "tasks";
    await openTask(task, Number(state.get("node")) || 0);
    showTaskRow(task);
  }
  showPane(document.body.dataset.pane);
}

async function openTask(id, node = 0) {
  const task = run.tasks.get(id);
  const fresh = id !== at.task;
  at.task = id;
  let tree = null;
  let message = task.why ?? "";
  try {
    const loaded = await loadTree(task);
    tree = loaded && layOut(loaded);
  } catch (error) {
    message = error.message;
  }
  if (at.task !== id) return; // another task was opened meanwhile
  at.tree = tree;
  at.node = tree?.nodes[node] ? node : 0;
  $("here").textContent = message;
  if (fresh) {
    scale = 1;
    $("tree").scrollTo(0, 0);
  }
  refresh();
  if (tree && fresh) reveal();
  remember();
}

function drawHeader() {
  const { about } = run;
  document.title = about.name;
  $("name").textContent = about.name;
  const shown = Object.entries(about.config).map(([key, value]) => `${key} ${value}`);
  $("config").textContent = shown.join(" · ");
}

/** Draws the counters of the run, over all tasks that the page knows. */
function drawCounters() {
  const sums = { solved: 0, failed: 0, open: 0, error: 0, calls: 0, tokens: 0, usd: 0 };
  for (const task of run.tasks.values()) {
    sums[task.status] += 1;
    for (const key of ["calls", "tokens", "usd"]) sums[key] += task[key] ?? 0;
  }
  const done = run.tasks.size;
  const parts = [
    `solved ${sums.solved}`, `not solved ${sums.failed}`, `not finished ${sums.open}`,
    `errors ${sums.error}`,
    `calls ${count(sums.calls)}`, `tokens ${count(sums.tokens)}`, dollars(sums.usd, sums.tokens),
  ];
  if (LIVE) parts.push(...speed(done));
  $("counters").textContent = parts.join(" · ");
}

/** Tasks per minute; if the run says how many tasks it has, also how many remain, and how long. */
function speed(done) {
  const parts = [`${Math.round(run.rate)}/min`];
  if (run.asked != null) {
    const left = Math.max(run.asked - done, 0);
    const minutes = run.rate && left ? ` (${Math.ceil(left / run.rate)} min)` : "";
    parts.push(`remaining ${left}${minutes}`);
  }
  return parts;
}

/** Shows changed tasks and new marks of a live run, without disturbing a person who is typing. */
function changed(ids, newMarks) {
  takeMarks(newMarks);
  forgetContents(ids);
  drawCounters();
  if (!ids.size && !newMarks.length) return;
  findTasks();
  const typing = $("panel").contains(document.activeElement);
  if (at.task === null && listed.length) openLink();
  else if (ids.has(at.task) && !typing) openTask(at.task, at.node);
  else if (at.tab === "charts" || (newMarks.length && !typing)) refresh();
  else drawAround();
}

const KEYS = {
  "/": () => $("search").focus(),
  "+": () => zoom(scale * 1.25),
  "=": () => zoom(scale * 1.25),
  "-": () => zoom(scale / 1.25),
  0: fit,
  f: () => at.tree && jump(failures()),
  n: () => at.tree && jump(wanted()),
  j: () => listed.length && openTask(neighbour(1).id).then(() => showTaskRow(at.task)),
  k: () => listed.length && openTask(neighbour(-1).id).then(() => showTaskRow(at.task)),
};

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow") && at.tree && !event.target.closest?.("#panel, #list")) {
    selectNode(step(at.tree, at.node, event.key));
    reveal();
  } else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

$("filters").addEventListener("input", () => {
  findTasks();
  drawAround();
  remember();
});
addEventListener("popstate", openLink);
for (const button of document.querySelectorAll("#panes button"))
  button.addEventListener("click", () => showPane(button.dataset.to));
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("list").addEventListener("scroll", eachFrame(drawTasks));
new ResizeObserver(drawTasks).observe($("list"));
for (const tab of document.querySelectorAll("#tabs button"))
  tab.addEventListener("click", () => {
    at.tab = tab.dataset.tab;
    drawPanel();
    remember();
  });

function begin() {
  takeMarks(START.marks ?? []);
  drawHeader();
  drawLegend();
  drawCounters();
  drawUnsaved();
  drawPanel();
  openLink();
  if (LIVE) follow(changed, (why) => ($("counters").textContent = why));
}

begin();
