// A person's marks on nodes and trajectories. On a served page, the server stores each mark at once.
// In a file, marks are collected here and downloaded for `engine view --import-marks`.

const marks = new Map(); // by target; the last mark of each counts
const unsaved = []; // made in this file, not yet downloaded
let markedTasks = new Set();

const target = (task, node, scope) => JSON.stringify([task, node, scope]);
const isEmpty = (mark) => !(mark.verdict || mark.score || mark.why);

function takeMarks(list) {
  for (const mark of list) {
    const key = target(mark.task, mark.node, mark.scope);
    if (isEmpty(mark)) marks.delete(key);
    else marks.set(key, mark);
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

async function saveMark(mark) {
  if (LIVE) await postMark(mark);
  else unsaved.push(mark);
  takeMarks([mark]);
  drawUnsaved();
}

/** Draws the button, which takes its space from the start: moving other controls under a click
    in progress would make it miss. */
function drawUnsaved() {
  const words = `Download ${plural(unsaved.length, "mark")}`;
  const button = el("button", { id: "download", onclick: download }, words);
  button.style.visibility = unsaved.length ? "visible" : "hidden";
  $("unsaved").replaceChildren(...(LIVE ? [] : [button]));
}

function download() {
  const lines = unsaved.map((mark) => `${JSON.stringify(mark)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  const link = el("a", { download: "marks.jsonl" });
  link.href = url;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  unsaved.length = 0;
  drawUnsaved();
}

addEventListener("beforeunload", (event) => {
  if (unsaved.length) event.preventDefault();
});

const NO_MARK = { verdict: "", score: null, why: "" };

/** Changes the mark on a node, or on the trajectory that ends in it. */
async function changeMark(node, scope, change) {
  const { verdict, score, why } = { ...(markOn(node, scope) ?? NO_MARK), ...change };
  const where = { task: at.task, node: node.id, signature: node.signature, scope };
  try {
    await saveMark({ ...where, verdict, score, why, at: new Date().toISOString() });
  } catch (error) {
    alert(`The mark was not saved: ${error.message}`);
  }
}

/** The controls for marks on a node, and on the trajectory that ends in it. */
function markControls(node) {
  return (node.ended ? ["node", "trajectory"] : ["node"]).map((scope) => {
    const mark = markOn(node, scope) ?? NO_MARK;
    const save = (change) => changeMark(node, scope, change).then(() => refresh());
    const verdict = (word) =>
      el("button", {
        "aria-pressed": String(mark.verdict === word),
        onclick: () => save({ verdict: mark.verdict === word ? "" : word }),
      }, word);
    const score = el("select", {
      "aria-label": `Score of this ${scope}`,
      onchange: (event) => save({ score: Number(event.target.value) || null }),
    }, el("option", { value: "" }, "1-5"));
    for (const n of [1, 2, 3, 4, 5])
      score.append(el("option", { value: n, selected: mark.score === n }, String(n)));
    const why = el("input", {
      "aria-label": `Reason for the mark on this ${scope}`, placeholder: "why", maxlength: 2000,
      // Do not redraw the controls: the change may come from a click on one of them.
      onchange: (event) => changeMark(node, scope, { why: event.target.value }).then(drawAround),
    });
    why.value = mark.why;
    return el("div", { class: "marking", "data-scope": scope },
      el("span", {}, node.id === 0 ? "This task" : `This ${scope}`),
      verdict("good"), verdict("bad"), score, why,
      isEmpty(mark) ? null : el("button", { onclick: () => save(NO_MARK) }, "clear"));
  });
}
