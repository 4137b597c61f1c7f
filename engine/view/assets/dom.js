// Creates elements from data. Text is always set as text, so that nothing a model wrote is parsed as
// markup. Attributes that load or link (href, src, style) are never set from data.

const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== ""));
  return node;
}

const el = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** 1234567 as "1.2M". */
function count(n) {
  if (n < 10000) return String(n);
  return n < 999500 ? `${(n / 1e3).toFixed(n < 99950 ? 1 : 0)}k` : `${(n / 1e6).toFixed(1)}M`;
}
/** Dollars; 0 for `tokens` of a model without a known price is unknown. */
function dollars(usd, tokens = 0) {
  if (usd) return `$${usd.toFixed(usd < 0.1 ? 4 : 2)}`;
  return tokens && run.about.unpriced ? "price unknown" : "$0";
}
const plural = (n, word, many = `${word}s`) => `${count(n)} ${n === 1 ? word : many}`;
const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "-");
const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Returns a function that runs `work` at most once per frame, however often it is called. */
function eachFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}
