// Jumps in the open tree: to the next failure, and to the next node that the search or a filter means.

const failures = () => at.tree.nodes.filter(isFailure);
const wanted = () => at.tree.nodes.filter(isWanted);

/** Selects the first of `nodes` after the selected one, in the order of the lines; or the first. */
function jump(nodes) {
  const ordered = [...nodes].sort((a, b) => a.y - b.y);
  const here = at.tree.nodes[at.node].y;
  const next = ordered.find((node) => node.y > here) ?? ordered[0];
  if (!next) return;
  selectNode(next.id);
  reveal();
}

/** The head above the tree: the task, why it failed in one sentence, and where to jump. */
function drawHead() {
  const task = run.tasks.get(at.task);
  if (!task) return;
  $("why").textContent = [task.why, at.tree?.sentence].filter(Boolean).join(" ");
  $("which").textContent = task.id;
  const buttons = [];
  const button = (id, words, nodes) =>
    buttons.push(el("button", { id, onclick: () => jump(nodes()) }, words));
  if (at.tree) {
    const failed = failures().length;
    const found = wanted().length;
    const first = failures().some((node) => node.id === at.node) ? "Next" : "First";
    if (failed) button("failure", `${first} failure (${failed})`, failures);
    if (found) button("match", `Next match (${found})`, wanted);
  }
  $("jumps").replaceChildren(...buttons);
}
