// The list of tasks, found and sorted. Only the visible rows are in the document.

const ROW = 52; // pixels, as in page.css
let listed = [];

const most = (key) => (a, b) => (b[key] ?? -1) - (a[key] ?? -1);
const byId = (a, b) => a.id.localeCompare(b.id, "en", { numeric: true });
const SORT = {
  id: () => 0,
  nodes: most("nodes"),
  calls: most("calls"),
  tokens: most("tokens"),
  pairs: most("pairs"),
  reward: (a, b) => (a.reward ?? -1) - (b.reward ?? -1),
};
function findTasks() {
  offerFilters();
  const words = searchWords();
  const sort = SORT[asked("sort")];
  listed = [...run.tasks.values()].filter((task) => passes(task, words));
  listed.sort((a, b) => sort(a, b) || byId(a, b));
  $("found").textContent = foundWords(listed);
  $("rows").style.height = `${listed.length * ROW}px`;
  drawTasks();
  if (words.length) readContents(findSoon);
}
const findSoon = eachFrame(findTasks);

function unsolvedLeaves(task) {
  const parts = UNSOLVED.filter((status) => task.leaves?.[status]);
  return parts.map((status) => ` · ${task.leaves[status]} ${STATUS[status]}`).join("");
}

function taskRow(task, number) {
  const facts = [
    el("span", { class: task.status }, TASK_STATUS[task.status]),
    task.why ? ` · ${task.why}` : "",
    task.nodes == null ? "" : ` · ${plural(task.nodes, "node")} · ${plural(task.calls, "call")}`,
    unsolvedLeaves(task),
    task.pairs ? ` · ${task.more_pairs ? `${task.pairs}+ pairs` : plural(task.pairs, "pair")}` : "",
    isMarked(task.id) ? " · marked" : "",
  ];
  const row = el("div", {
    class: "task", role: "option", "aria-selected": String(task.id === at.task),
    title: `${task.id}\n${task.prompt}`, "data-task": task.id, onclick: () => openTask(task.id).then(() => showPane("forest")),
  },
  el("div", {}, el("b", {}, task.id), " ", task.prompt), el("div", { class: "facts" }, facts));
  row.style.top = `${number * ROW}px`;
  return row;
}

function drawTasks() {
  const box = $("list");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 5);
  const last = Math.min(listed.length, first + Math.ceil(box.clientHeight / ROW) + 10);
  const rows = [];
  for (let n = first; n < last; n++) rows.push(taskRow(listed[n], n));
  $("rows").replaceChildren(...rows);
}

/** The task `by` places after the open one in the list. */
function neighbour(by) {
  const here = listed.findIndex((task) => task.id === at.task);
  return listed[Math.min(Math.max(here + by, 0), listed.length - 1)];
}

function showTaskRow(id) {
  const top = listed.findIndex((task) => task.id === id) * ROW;
  const box = $("list");
  if (top >= 0 && (top < box.scrollTop || top + ROW > box.scrollTop + box.clientHeight))
    box.scrollTop = top - box.clientHeight / 2;
}
