// Words for how tasks, paths and nodes ended: the same ones in the list, the tree, the details and the
// charts.

const STATUS = { // of a node that ended, or the best below one that did not
  solved: "solved", failed: "failed", gave_up: "gave up", cut: "cut", pruned: "pruned", open: "open",
};
const TASK_STATUS = { solved: "✓ solved", failed: "✗ not solved", open: "… not finished", error: "! error" };
const ENDED = ["solved", "failed", "gave_up", "cut"];
const UNSOLVED = ["failed", "gave_up", "cut"];

/** Whether something went wrong at this very node. */
const isFailure = (node) => Boolean(node.error) || UNSOLVED.includes(node.ended && node.status);

/** Why the path stands as it does at this node: its end, its error, or why it was given up. */
function statusWords(node) {
  const parts = [];
  if (node.ended) parts.push(STATUS[node.status] + (node.cut_by ? ` by ${node.cut_by}` : ""));
  if (node.closed === "pruned") parts.push("pruned");
  if (node.closed === "repeats") parts.push("only repeats followed");
  if (node.error) parts.push(`error ${node.error}`);
  return parts.join(", ");
}

/** The outcome of the paths below a node that did not end. */
const belowWords = (node) =>
  !node.ended && node.children.length ? `best below: ${STATUS[node.outcome]}` : "";
