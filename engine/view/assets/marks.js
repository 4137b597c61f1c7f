// What a person thinks of nodes and trajectories. Served, a mark is kept by the server at once; in a
// file, marks are gathered here and downloaded as lines that `engine view --import-marks` takes in.

const marks = new Map(); // by target; the last of each holds
const made = []; // in this file, not yet downloaded
let markedTasks = new Set();

const target = (task, node, scope) => JSON.stringify([task, node, scope]);
const says = (mark) => Boolean(mark.verdict || mark.score || mark.why);

function takeMarks(list) {
  for (const mark of list) {
    const key = target(mark.task, mark.node, mark.scope);
    if (says(mark)) marks.set(key, mark);
    else marks.delete(key);
  }
  markedTasks = new Set([...marks.values()].map((mark) => mark.task));
}

const markOn = (node, scope) => {
  const mark = marks.get(target(at.task, node.id, scope));
  return mark && mark.signature === node.signature ? mark : null;
};
const isMarked = (taskId) => markedTasks.has(taskId);

/** A mark in a few characters, for the tree: "good 4". */
const markWords = (mark) => [mark.verdict, mark.score ?? ""].filter(Boolean).join(" ") || "noted";

async function keepMark(mark) {
  if (LIVE) await postMark(mark);
  else made.push(mark);
  takeMarks([mark]);
  drawUnsaved();
}

/** The button has its place from the start: what it pushed aside would miss a click under way. */
function drawUnsaved() {
  const words = `Download ${plural(made.length, "mark")}`;
  const button = el("button", { id: "download", onclick: download }, words);
  button.style.visibility = made.length ? "visible" : "hidden";
  $("unsaved").replaceChildren(...(LIVE ? [] : [button]));
}

function download() {
  const lines = made.map((mark) => `${JSON.stringify(mark)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  const link = el("a", { download: "marks.jsonl" });
  link.href = url;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  made.length = 0;
  drawUnsaved();
}

addEventListener("beforeunload", (event) => {
  if (made.length) event.preventDefault();
});

const NOTHING = { verdict: "", score: null, why: "" };

/** Keeps what changes in the mark on a node, or on the trajectory that ends in it. */
async function changeMark(node, scope, change) {
  const { verdict, score, why } = { ...(markOn(node, scope) ?? NOTHING), ...change };
  const where = { task: at.task, node: node.id, signature: node.signature, scope };
  try {
    await keepMark({ ...where, verdict, score, why, at: new Date().toISOString() });
  } catch (error) {
    alert(`The mark was not kept: ${error.message}`);
  }
}

/** The controls for the selected node, and for the trajectory that ends in it. */
function marking(node) {
  return (node.ended ? ["node", "trajectory"] : ["node"]).map((scope) => {
    const mark = markOn(node, scope) ?? NOTHING;
    const keep = (change) => changeMark(node, scope, change).then(() => refresh());
    const verdict = (word) =>
      el("button", {
        "aria-pressed": String(mark.verdict === word),
        onclick: () => keep({ verdict: mark.verdict === word ? "" : word }),
      }, word);
    const score = el("select", {
      "aria-label": `Score of this ${scope}`,
      onchange: (event) => keep({ score: Number(event.target.value) || null }),
    }, el("option", { value: "" }, "1-5"));
    for (const n of [1, 2, 3, 4, 5])
      score.append(el("option", { value: n, selected: mark.score === n }, String(n)));
    const why = el("input", {
      "aria-label": `Why, of this ${scope}`, placeholder: "why", maxlength: 2000,
      // The controls stay: the change may come with the click on one of them.
      onchange: (event) => changeMark(node, scope, { why: event.target.value }).then(drawAround),
    });
    why.value = mark.why;
    return el("div", { class: "marking", "data-scope": scope },
      el("span", {}, node.id === 0 ? "This task" : `This ${scope}`),
      verdict("good"), verdict("bad"), score, why,
      says(mark) ? el("button", { onclick: () => keep(NOTHING) }, "clear") : null);
  });
}
