// The page's state in its address: the open task, node, tab and pane, and the filters. A link opens the
// same state. Links of earlier versions ("#task/node") still open.

/** The state that the address holds, by name; "" where it says nothing. */
function linked() {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) {
    const [task, node] = text.split("/").map(decodeURIComponent);
    return new URLSearchParams({ task, node: node ?? "0" });
  }
  return new URLSearchParams(text);
}

/** Writes `state` to the address; `anew` makes an entry for the browser's Back button. */
function putLink(state, anew = false) {
  const kept = Object.entries(state).filter(([, value]) => value !== "" && value != null);
  const hash = `#${new URLSearchParams(kept)}`;
  if (hash === location.hash) return;
  if (anew) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}
