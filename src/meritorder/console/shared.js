"use strict";

const $ = (id) => document.getElementById(id);

/** An element with attributes (`on...` are listeners) and children; text children are text, never HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set an element's text where it differs: nothing is laid out anew for what stayed. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const digits = (value, most = 3) =>
  value === 0 ? "0" : Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(most));

function withPrefix(value, unit, steps) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const [size, prefix] = steps.find(([size]) => Math.abs(value) >= size) || steps[steps.length - 1];
  return `${digits(value / size)} ${prefix}${unit}`.trim();
}

const BIG = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];
const show = {
  count: (value) => withPrefix(value, "", value < 1e4 ? [[1, ""]] : BIG),
  watts: (value) => withPrefix(value, "W", BIG),
  seconds: (value) => withPrefix(value, "s", value < 1 ? [[1e-3, "m"]] : [[1, ""]]),
  share: (value) => (value === null || !isFinite(value) ? "–" : `${digits(Math.floor(value * 1000) / 10)} %`),
  usd: (value) =>
    value === null || value === undefined || !isFinite(value) ? "–" : value >= 100 ? `$${Math.round(value).toLocaleString("en")}`
      : `$${value >= 0.1 || value === 0 ? value.toFixed(value >= 10 ? 1 : 2) : value.toPrecision(2)}`,
};

/** Colour of a pool by its place in the merit order, the cheapest first: from green over blue and violet to amber. */
function poolColour(rank, pools, alpha = 1) {
  const hue = (158 + (pools > 1 ? (rank / (pools - 1)) * Math.min(240, 70 * (pools - 1)) : 0)) % 360;
  const tone = document.documentElement.dataset.theme === "light" ? "72% 43%" : "70% 64%";
  return `hsl(${hue.toFixed(0)} ${tone} / ${alpha})`;
}

/** The page's theme: what was chosen here before, else what the system wants. */
const theme = {
  kept: { get: () => { try { return localStorage.getItem("merit-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("merit-theme", value); } catch { /* private window */ } } },
  listeners: [],
  apply(value) {
    document.documentElement.dataset.theme = value;
    for (const listener of this.listeners) listener();
  },
  start(button) {
    const system = matchMedia("(prefers-color-scheme: light)");
    const wanted = () => this.kept.get() || (system.matches ? "light" : "dark");
    system.addEventListener("change", () => this.apply(wanted()));
    button.addEventListener("click", () => {
      this.kept.set(document.documentElement.dataset.theme === "light" ? "dark" : "light");
      this.apply(wanted());
    });
    this.apply(wanted());
  },
};
