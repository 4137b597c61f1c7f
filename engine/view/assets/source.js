// Where the run comes from: blocks of data in this file, or the server that this page came from.

const START = JSON.parse($("run").textContent);
const LIVE = Boolean(START.token);
const POLL_MS = 1000;

/** What the page shows: every task's summary by id; the open tree; the selected node in it. */
const run = { about: START.about, asked: null, rate: 0, tasks: new Map() };
const at = { task: null, tree: null, node: 0, tab: "node" };

for (const task of START.tasks ?? []) run.tasks.set(task.id, task);

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** The tree of a task as engine/view/data.py tells it; null where there is none to show. */
async function loadTree(task) {
  if (task.tree == null) return null;
  if (!LIVE) return JSON.parse(await inflate($(`tree-${task.tree}`).textContent));
  const answer = await fetch(`/tree?task=${encodeURIComponent(task.id)}`);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** Asks for ever what changed, and tells `changed` the ids of the tasks and the new marks. */
async function follow(changed, troubled) {
  let number = 0;
  let marks = 0;
  for (;;) {
    try {
      const answer = await fetch(`/changes?since=${number}&marks=${marks}`);
      if (!answer.ok) throw new Error(await answer.text());
      const told = await answer.json();
      for (const task of told.tasks) run.tasks.set(task.id, task);
      number = told.number;
      marks += told.marks.length;
      [run.asked, run.rate] = [told.asked, told.rate];
      changed(new Set(told.tasks.map((task) => task.id)), told.marks);
    } catch (error) {
      troubled(error instanceof TypeError ? "the server does not answer" : error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Has the server keep a mark. */
async function postMark(mark) {
  const answer = await fetch("/marks", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Treegraft-Token": START.token },
    body: JSON.stringify(mark),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
