// The selected node: its facts, a person's marks, and the conversation that leads to it, as the
// policy saw it in the run's template.

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}

/** A message's text with its tool calls, to be read and to be compared in pairs. */
function messageText(message) {
  const content = message.content ?? "";
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 1);
  const calls = (message.tool_calls ?? []).map(
    (call) => `${call.function.name} ${pretty(call.function.arguments)}`);
  return [text, ...calls].filter(Boolean).join("\n");
}

function messageBox(message, node) {
  const calls = (message.tool_calls ?? []).map((call) =>
    el("pre", { class: "call" }, `${call.function.name} ${pretty(call.function.arguments)}`));
  const text = messageText({ ...message, tool_calls: [] });
  const here = node.id === at.node ? " here" : "";
  return el("div", { class: `message ${message.role === "assistant" ? "assistant" : ""}${here}` },
    el("b", { onclick: () => selectNode(node.id) }, message.role),
    el("span", { class: "dim" }, node.id ? ` · node ${node.id}` : " · start"),
    text ? el("pre", {}, text) : null, calls);
}

function factRows(node) {
  const rows = [];
  if (statusWords(node)) rows.push(["status", statusWords(node)]);
  if (node.said) rows.push(["the world said", node.said]);
  if (belowWords(node)) rows.push(["best below", STATUS[node.outcome]]);
  if (node.ended) rows.push(["reward", String(node.reward)]);
  for (const { by, mean, interval, number, passed, pivot } of node.values ?? []) {
    const [low, high] = interval.map((bound) => bound.toFixed(2));
    const of = `${plural(number, "continuation")} by ${by}`;
    rows.push(["value Q", `${mean.toFixed(3)} (${low} to ${high}), ${of}`]);
    rows.push(["pass rate", `${passed.toFixed(3)}, pivot score ${pivot.toFixed(3)}`]);
  }
  if (node.continues) rows.push(["continuation", "not a node of the search"]);
  if (node.id) rows.push(["actor", node.actor || at.tree.source]);
  if (node.overruled) rows.push(["student replaced because", node.overruled]);
  for (const [prompt, completion, cached, usd] of node.request) {
    const tokens = `${prompt} + ${completion} tokens${cached ? ` (${cached} cached)` : ""}`;
    rows.push(["request", `${tokens}, ${dollars(usd, prompt + completion)}`]);
  }
  const spent = `${plural(node.calls, "call")}, ${count(node.tokens)} tokens, ${dollars(node.usd, node.tokens)}`;
  rows.push([node.id ? "subtree" : "whole tree", spent]);
  if (!node.id) rows.push(["search stopped", at.tree.stopped]);
  return rows;
}

function drawNodePanel() {
  const { tree } = at;
  if (!tree) return [el("p", { class: "dim" }, "No tree is open.")];
  const node = tree.nodes[at.node];
  const tools = run.about.tools.length
    ? el("details", {}, el("summary", {}, `${plural(run.about.tools.length, "tool")} in every request`),
      el("pre", {}, JSON.stringify(run.about.tools, null, 1)))
    : null;
  const path = lineage(tree, node.id).map((id) => tree.nodes[id]);
  return [
    el("h2", {}, node.id ? `Node ${node.id}: ${node.tool || "malformed"}` : `Task ${at.task}`),
    el("table", {}, factRows(node).map(([name, value]) =>
      el("tr", {}, el("th", {}, name), el("td", {}, value)))),
    markControls(node),
    correctControls(node),
    node.info ? el("details", {}, el("summary", {}, "Step info, not shown to the policy"),
      el("pre", {}, node.info)) : null,
    tools,
    el("h2", {}, "Messages"),
    path.map((step) => step.messages.map((message) => messageBox(message, step))),
  ];
}
