// Loads the run: from data blocks in this file, or from the server that this page came from.

const START = JSON.parse($("run").textContent);
const LIVE = Boolean(START.token);
const POLL_MS = 1000;

// `run` holds every task's summary by id. `at` is what is open: task, tree, selected node, tab.
const run = { about: START.about, asked: null, rate: 0, tasks: new Map() };
const at = { task: null, tree: null, node: 0, tab: "node" };

for (const task of START.tasks ?? []) run.tasks.set(task.id, task);

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** The tree of a task as engine/view/data.py describes it; null if there is none to show. */
async function loadTree(task) {
  if (task.tree == null) return null;
  if (!LIVE) return JSON.parse(await inflate($(`tree-${task.tree}`).textContent));
  const answer = await fetch(`tree?task=${encodeURIComponent(task.id)}`);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** Polls for changes: calls `changed` with the changed tasks' ids and new marks, or `failed`. */
async function follow(changed, failed) {
  let number = 0;
  let marks = 0;
  for (;;) {
    try {
      const answer = await fetch(`changes?since=${number}&marks=${marks}`);
      if (!answer.ok) throw new Error(await answer.text());
      const news = await answer.json();
      for (const task of news.tasks) run.tasks.set(task.id, task);
      number = news.number;
      marks += news.marks.length;
      [run.asked, run.rate] = [news.asked, news.rate];
      changed(new Set(news.tasks.map((task) => task.id)), news.marks);
    } catch (error) {
      failed(error instanceof TypeError ? "the server does not answer" : error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Sends a mark to the server, which stores it. */
async function postMark(mark) {
  const answer = await fetch("marks", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Treegraft-Token": START.token },
    body: JSON.stringify(mark),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
