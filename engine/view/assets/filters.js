// The filters over tasks: what the form asks for, which tasks and which nodes it lets through.

const FILTERS = ["search", "show", "leaf", "tool", "error", "tag", "from", "to", "sort"];
const DEFAULTS = { show: "all", sort: "id" };

const asked = (name) => $(name).value;
const searchWords = () => asked("search").toLocaleLowerCase().split(/\s+/).filter(Boolean);
const holdsAll = (text, words) => words.every((word) => text.includes(word));

const SHOW = {
  all: () => true,
  solved: (task) => task.status === "solved",
  failed: (task) => task.status === "failed" || task.status === "error",
  open: (task) => task.status === "open",
  pairs: (task) => task.pairs > 0,
  marked: (task) => isMarked(task.id),
};

const tagsOf = (task) => Object.entries(task.tags ?? {}).map(([name, value]) => `${name}: ${value}`);

function passes(task, words) {
  const [leaf, tool, error, tag] = ["leaf", "tool", "error", "tag"].map(asked);
  const [from, to] = [asked("from"), asked("to")];
  return SHOW[asked("show")](task) &&
    (!leaf || task.leaves?.[leaf]) && (!tool || task.tools?.[tool]) &&
    (!error || task.errors?.[error]) && (!tag || tagsOf(task).includes(tag)) &&
    (from === "" || (task.reward ?? 0) >= Number(from)) &&
    (to === "" || (task.reward ?? 0) <= Number(to)) &&
    holdsAll(`${task.id} ${task.prompt} ${task.group}`.toLocaleLowerCase() +
      (contents.get(task.id) ?? ""), words);
}

/** Whether a node of the open tree is one that the search and the filters look for. */
function isWanted(node) {
  const [leaf, tool, error] = ["leaf", "tool", "error"].map(asked);
  const words = searchWords();
  if (!node.id || !(leaf || tool || error || words.length)) return false;
  return (!leaf || (node.ended && node.status === leaf)) &&
    (!tool || (node.tool || "malformed") === tool) && (!error || node.error === error) &&
    holdsAll(words.length ? (node.text ??= nodeText(node)) : "", words);
}

const sumOf = (tasks, part, key) => tasks.reduce((sum, task) => sum + (task[part]?.[key] ?? 0), 0);

/** How many tasks are shown, and how many leaves, calls of a tool or errors the filter means. */
function foundWords(tasks) {
  const parts = [`${tasks.length} of ${plural(run.tasks.size, "task")}`];
  const [leaf, tool, error] = ["leaf", "tool", "error"].map(asked);
  if (leaf) parts.push(plural(sumOf(tasks, "leaves", leaf), "leaf", "leaves"));
  if (tool) parts.push(plural(sumOf(tasks, "tools", tool), "call"));
  if (error) parts.push(plural(sumOf(tasks, "errors", error), "error"));
  if (searchWords().length && unread()) parts.push(`${unread()} trees still to search`);
  return parts.join(" · ");
}

/** Fills a select with what the run's tasks have, and keeps what is chosen. */
function offer(name, none, values) {
  const select = $(name);
  const chosen = select.value;
  const all = [...new Set([...values, chosen])].filter(Boolean).sort();
  if (select.dataset.offered === JSON.stringify(all)) return;
  select.dataset.offered = JSON.stringify(all);
  select.replaceChildren(el("option", { value: "" }, none),
    ...all.map((value) => el("option", { value }, value)));
  select.value = chosen;
}

function offerFilters() {
  const tasks = [...run.tasks.values()];
  const keys = (part) => tasks.flatMap((task) => Object.keys(task[part] ?? {}));
  offer("tool", "any tool", keys("tools"));
  offer("error", "any or none", keys("errors"));
  offer("tag", "any tag", tasks.flatMap(tagsOf));
}

const filterState = () => Object.fromEntries(
  FILTERS.map((name) => [name, asked(name) === (DEFAULTS[name] ?? "") ? "" : asked(name)]));

/** Sets the filters to those of a link. */
function setFilters(state) {
  for (const name of FILTERS) {
    const value = state.get(name) || DEFAULTS[name] || "";
    const field = $(name);
    const free = ["tool", "error", "tag"].includes(name) && value;
    if (free && ![...field.options].some((option) => option.value === value))
      field.append(el("option", { value }, value)); // its tasks may come later
    field.value = value;
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = DEFAULTS[name] ?? "";
  }
  const more = ["leaf", "tool", "error", "tag", "from", "to"];
  if (more.some((name) => asked(name))) $("more").open = true;
}
