// Texts of whole trees, for the search: actions, thoughts, observations. They are read in the background,
// one tree after the other, once somebody searches.

const contents = new Map(); // by task id; "" if the tree cannot be read
let reading = false;

const nodeText = (node) => {
  const said = node.messages.map((message) => messageText(message));
  return [node.tool, node.arguments, node.thought, node.error, ...said].join("\n").toLocaleLowerCase();
};

function forgetContents(ids) {
  for (const id of ids) contents.delete(id);
}

/** Reads what is not yet known, and calls `found` after each tree. */
async function readContents(found) {
  if (reading) return;
  reading = true;
  for (const task of run.tasks.values()) {
    if (contents.has(task.id) || task.tree == null) continue;
    if (!searchWords().length) break;
    try {
      const tree = await loadTree(task);
      contents.set(task.id, tree.nodes.map(nodeText).join("\n"));
    } catch {
      contents.set(task.id, "");
    }
    found();
  }
  reading = false;
}

/** How many trees are still to be read. */
const unread = () =>
  [...run.tasks.values()].filter((task) => task.tree != null && !contents.has(task.id)).length;
