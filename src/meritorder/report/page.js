"use strict";
// Draws the figures in the colours of the theme, each when it is first visible, and switches theme and tabs.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  // After Okabe and Ito, with lightness chosen for contrast on each background.
  const palettes = {
    light: ["#0072b2", "#c14a00", "#007a5a", "#a8458a", "#8a6d00", "#3a8fc9", "#5a4fcf", "#4d5560"],
    dark: ["#56b4e9", "#f28e4e", "#35c79b", "#e391c5", "#e8c547", "#a3a8ff", "#9fdcf5", "#c3cbd4"],
  };
  const isNarrow = (box) => box.clientWidth < 480;
  const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px,1px,2px", "2px,5px"];
  const symbols = ["circle", "square", "triangle-up", "cross", "x", "star", "pentagon", "hexagon"];
  const patterns = ["", "/", ".", "\\", "x", "-", "+", "|"];

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const translucent = (hex, alpha) =>
    `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;

  function paint(trace, palette, narrow) {
    const painted = { ...trace };
    if (trace.type === "sankey") return paintFlow(painted, palette, narrow);
    const slot = trace.meta.slot;
    const colour = slot < 0 ? css("--text") : palette[slot % palette.length];
    const round = Math.floor(Math.max(slot, 0) / palette.length);
    const step = (list) => list[(Math.max(slot, 0) + round) % list.length];
    if (trace.type === "bar") {
      painted.marker = { color: colour, line: { width: 0 },
        pattern: { shape: step(patterns), fillmode: "overlay", solidity: 0.2, size: 7, fgcolor: css("--card") } };
      painted.textposition = "none";
    } else if (trace.meta.edge) {
      painted.line = { width: 0 };
      if (trace.meta.band) Object.assign(painted, { fill: "tonexty", fillcolor: translucent(colour, 0.15) });
    } else if (trace.mode === "lines+markers") {
      // Over time curves are too ragged for dashes: a few markers tell them apart.
      painted.line = { color: colour, width: 1.6 };
      painted.marker = { color: colour, size: 8, symbol: step(symbols), maxdisplayed: 12 };
    } else if (trace.mode === "lines") {
      painted.line = { color: colour, width: 2, dash: step(dashes) };
    } else if (trace.meta.target) {
      painted.marker = { color: css("--card"), size: 11, symbol: "diamond", line: { color: colour, width: 2.5 } };
      painted.showlegend = false;
    } else {
      painted.marker = { color: colour, size: 11, symbol: step(symbols) };
    }
    return painted;
  }

  // Where there is little room a label is broken into short lines.
  const broken = (label) => label.replace(/(.{9,}?) /g, "$1<br>");

  function paintFlow(trace, palette, narrow) {
    const [services] = trace.meta.columns;
    const inner = services + trace.meta.columns[1];
    const colours = trace.node.label.map((_, i) => (i < services || i >= inner ? palette[i % palette.length] : css("--soft")));
    const label = narrow ? trace.node.label.map(broken) : trace.node.label;
    if (narrow) trace.textfont = { size: 10 };
    trace.node = { ...trace.node, label, pad: narrow ? 44 : trace.node.pad, color: colours, line: { width: 0 }, hovertemplate: "%{label}: %{value}<extra></extra>" };
    const links = trace.link.source.map((from, i) =>
      translucent(from < services ? colours[from] : colours[trace.link.target[i]], 0.35));
    trace.link = { ...trace.link, color: links };
    return trace;
  }

  const duration = (s) =>
    (s < 9.9e-4 ? `${Math.round(s * 1e6)} µs` : s < 0.99 ? `${Math.round(s * 1e3)} ms` : `${s.toLocaleString("en")} s`);

  function layoutOf(figure, box) {
    const narrow = isNarrow(box);
    const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true };
    const layout = {
      ...figure.layout,
      height: figure.height,
      autosize: true,
      dragmode: touch ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 12, color: css("--text") },
      margin: { l: 52, r: 14, t: 8, b: 40 },
      legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom", font: { size: narrow ? 11 : 12 } },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
      xaxis: { ...axis, ...figure.layout.xaxis },
      yaxis: { ...axis, ...figure.layout.yaxis },
    };
    if (layout.xaxis.type === "log") {
      const xs = figure.data.flatMap((trace) => trace.x).filter((x) => x > 0);
      const decades = Math.log10(Math.max(...xs) / Math.min(...xs));
      const steps = decades > (narrow ? 1.6 : 2.6) ? [1] : [1, 2, 5];
      layout.xaxis.tickvals = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6].flatMap((e) => steps.map((s) => s * 10 ** e));
      layout.xaxis.ticktext = layout.xaxis.tickvals.map(duration);
    }
    if (layout.shapes) layout.shapes = layout.shapes.map((s) => ({ ...s, line: { ...s.line, color: css("--soft") } }));
    if (figure.data.some((trace) => trace.type === "sankey")) {
      layout.margin = { l: 4, r: 4, t: 8, b: narrow ? 30 : 12 };
      if (narrow) layout.height *= 1.3;
    }
    return layout;
  }

  const drawn = new Set();
  async function draw(box) {
    const figure = figures[box.id];
    const palette = palettes[isDark() ? "dark" : "light"];
    drawn.add(box);
    const config = { responsive: true, displayModeBar: false };
    await Plotly.react(box, figure.data.map((trace) => paint(trace, palette, isNarrow(box))), layoutOf(figure, box), config);
    box.dataset.drawn = isDark() ? "dark" : "light";
  }

  // One figure a task, so that the page answers meanwhile.
  let queue = Promise.resolve();
  function drawVisible() {
    for (const box of document.querySelectorAll(".plot")) {
      if (drawn.has(box) || !box.offsetParent) continue;
      drawn.add(box);
      queue = queue.then(() => new Promise((done) => setTimeout(done))).then(() => draw(box));
    }
    return queue;
  }
  function repaint() {
    for (const box of drawn) if (box.offsetParent) draw(box);
      else { drawn.delete(box); delete box.dataset.drawn; }
  }

  function choose(button) {
    const tabs = button.closest("[role=tablist]");
    for (const other of tabs.querySelectorAll("[role=tab]")) {
      const selected = other === button;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      for (const panel of document.querySelectorAll(`[data-panel="${other.dataset.for}"]`)) panel.hidden = !selected;
    }
    drawVisible();
  }
  for (const tabs of document.querySelectorAll("[role=tablist]")) {
    const buttons = [...tabs.querySelectorAll("[role=tab]")];
    buttons.forEach((button, i) => {
      button.addEventListener("click", () => choose(button));
      button.addEventListener("keydown", (event) => {
        const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!move) return;
        const next = buttons[(i + move + buttons.length) % buttons.length];
        next.focus();
        choose(next);
      });
    });
  }

  const remembered = (() => { try { return localStorage.getItem("meritorder-theme"); } catch { return null; } })();
  if (remembered) root.dataset.theme = remembered;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("meritorder-theme", root.dataset.theme); } catch { /* private mode: not remembered */ }
    repaint();
  });
  prefersDark.addEventListener("change", repaint);
  drawVisible();
})();
