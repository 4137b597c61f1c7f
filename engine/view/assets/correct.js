// A person's correction of a step. The server plays the corrected path and keeps it in a run of its own.

async function postCorrection(correction) {
  const answer = await fetch("corrections", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Treegraft-Token": START.token },
    body: JSON.stringify(correction),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** The form that corrects the thought and the call of a node; none in a file, which cannot play. */
function correctControls(node) {
  if (!LIVE || !node.id) return null;
  const field = (label, tag, value) => {
    const input = el(tag, { "aria-label": label, ...(tag === "textarea" ? { rows: 3 } : {}) });
    input.value = value;
    return input;
  };
  const thought = field("Corrected thought", "textarea", node.thought);
  const tool = field("Corrected tool", "input", node.tool);
  const args = field("Corrected arguments", "textarea", pretty(node.arguments));
  const outcome = el("p", { role: "status" }, "");
  const play = async () => {
    outcome.textContent = "Playing ...";
    try {
      const found = await postCorrection({
        task: at.task, node: node.id, signature: node.signature,
        thought: thought.value, tool: tool.value, arguments: JSON.parse(args.value),
      });
      outcome.textContent = `${found.status}, reward ${found.reward}, in ${found.run}: ${found.observation}`;
    } catch (error) {
      outcome.textContent = `Not corrected: ${error.message}`;
    }
  };
  return el("details", { class: "correcting" },
    el("summary", {}, "Correct this step"),
    el("label", {}, "Thought", thought), el("label", {}, "Tool", tool),
    el("label", {}, "Arguments", args),
    el("button", { onclick: play }, "Play the corrected path"), outcome);
}
