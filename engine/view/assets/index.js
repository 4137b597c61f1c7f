// The index over runs, and two of them side by side. A run's link is relative and percent-encoded by
// engine/view/index.py, so it always leads to a file near this one.

const { runs } = JSON.parse($("run").textContent);
const solvedIn = (tasks) => tasks.filter((task) => task.status === "solved").length;
const row = (tag, cells) => el("tr", {}, cells.map((cell) => el(tag, {}, cell)));

function linkTo(run, words, task) {
  const link = el("a", {}, words);
  link.href = run.link + (task ? `#${new URLSearchParams({ task })}` : "");
  return link;
}

function drawRuns() {
  const lines = runs.map((run) => row("td", [
    linkTo(run, run.name),
    `${solvedIn(run.tasks)} of ${run.tasks.length} (${percent(solvedIn(run.tasks), run.tasks.length)})`,
    count(run.nodes), count(run.calls), count(run.tokens),
    run.tokens && !run.usd && run.unpriced ? "price unknown" : dollars(run.usd),
    Object.entries(run.config).map(([key, value]) => `${key} ${value}`).join(" · "),
  ]));
  const heads = ["run", "tasks solved", "nodes", "calls", "tokens", "cost", "settings"];
  $("runs").replaceChildren(row("th", heads), ...lines);
}

/** How a task changed from one run to the other; both halves may be missing. */
function change(before, after) {
  if (!before || !after) return "in one run only";
  const [was, is] = [before, after].map((task) => task.status === "solved");
  if (was === is) return was ? "solved in both" : "solved in neither";
  return is ? "gained" : "lost";
}

const SHOWN = {
  changed: (kind) => kind === "gained" || kind === "lost",
  gained: (kind) => kind === "gained",
  lost: (kind) => kind === "lost",
  all: () => true,
};

function drawBoth() {
  const [a, b] = [runs[$("a").value], runs[$("b").value]];
  const [before, after] = [a, b].map((run) => new Map(run.tasks.map((task) => [task.id, task])));
  const ids = [...new Set([...before.keys(), ...after.keys()])];
  const tasks = ids.map((id) => [before.get(id), after.get(id), change(before.get(id), after.get(id))]);
  const order = ["gained", "lost", "solved in both", "solved in neither", "in one run only"];
  $("sums").textContent = order.map((kind) =>
    `${kind}: ${tasks.filter(([, , of]) => of === kind).length}`).join(" · ");
  const half = (run, task) => task
    ? linkTo(run, `${TASK_STATUS[task.status]}, reward ${Number((task.reward ?? 0).toFixed(3))}`, task.id)
    : "-";
  const shown = tasks.filter(([, , kind]) => SHOWN[$("kind").value](kind));
  shown.sort((one, other) => order.indexOf(one[2]) - order.indexOf(other[2]));
  $("both").replaceChildren(row("th", ["change", "task", a.name, b.name, "prompt"]),
    ...shown.map(([x, y, kind]) => row("td", [
      el("span", { class: { gained: "solved", lost: "failed" }[kind] }, kind),
      (x ?? y).id, half(a, x), half(b, y), shorten((x ?? y).prompt, 120)])));
}

function openIndexLink() {
  const state = linked();
  const place = (name, otherwise) => {
    const found = runs.findIndex((run) => run.name === state.get(name));
    return String(found < 0 ? otherwise : found);
  };
  $("a").value = place("before", 0);
  $("b").value = place("after", Math.min(1, runs.length - 1));
  $("kind").value = SHOWN[state.get("show")] ? state.get("show") : "changed";
  drawBoth();
}

for (const id of ["a", "b"])
  $(id).replaceChildren(...runs.map((run, n) => el("option", { value: n }, run.name)));
$("choice").addEventListener("input", () => {
  drawBoth();
  const [a, b] = [runs[$("a").value], runs[$("b").value]];
  putLink({ before: a.name, after: b.name, show: $("kind").value });
});
$("choice").addEventListener("submit", (event) => event.preventDefault());
addEventListener("popstate", openIndexLink);
drawRuns();
openIndexLink();
