const EVERY_MS = 1000, KEEP = 300, MOST_DECISIONS = 40;
const RATE_S = 5, COST_S = 60, ATTAINED_S = 300; // how far back each figure looks
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const past = []; // states of the last five minutes, the latest last
let order = []; // names of pools, the cheapest first
let latest = null;

const sum = (list, of) => list.reduce((total, each) => total + (of(each) || 0), 0);
const ended = (service) => sum(Object.values(service.outcomes), (n) => n);
const room = (pool) => {
  const each = sum(pool.replicas, (replica) => replica.most ?? Math.max(replica.in_flight, 1));
  return Math.max(1, pool.limit === null ? each : Math.min(pool.limit, each));
};
const cost = (pool) => pool.usd_per_mtok ?? (pool.output_tokens ? (pool.usd / pool.output_tokens) * 1e6 : null);
const colour = (name, alpha) => poolColour(Math.max(0, order.indexOf(name)), order.length, alpha);

/** What a counter grew per second over the last so many seconds; null before there is anything to compare with. */
function rate(of, over = RATE_S, state = latest) {
  const then = past.find((each) => each.now >= state.now - over - 0.01);
  return then && then.now < state.now ? Math.max(0, of(state) - of(then)) / (state.now - then.now) : null;
}

/* Tiles */
const all = {
  requests: (s) => sum(s.services, ended),
  tokens: (s) => sum(s.pools, (p) => p.output_tokens),
  usd: (s) => sum(s.pools, (p) => p.usd),
  kg: (s) => sum(s.pools, (p) => p.kg),
  met: (s) => sum(s.services, (each) => each.met),
  missed: (s) => sum(s.services, (each) => each.missed),
};
const attained = (met, missed) => (met + missed > 0 ? met / (met + missed) : null);
const TILES = [
  { name: "Requests per second", value: () => rate(all.requests), text: show.count,
    note: (s) => { const n = all.requests(s); return `${show.count(n)} since the start`; } },
  { name: "Output tokens per second", value: () => rate(all.tokens, 10), text: show.count,
    note: (s) => `${show.count(all.tokens(s))} since the start` },
  { name: "Requests in flight", value: (s) => sum(s.pools, (p) => p.in_flight), text: show.count,
    note: (s) => { const n = sum(s.services, (each) => each.waiting); return n ? `${show.count(n)} more wait for room` : "none waits"; } },
  { name: "IT power, predicted", value: (s) => sum(s.sites, (site) => site.watts), text: show.watts,
    note: (s) => `of ${show.watts(sum(s.sites, (site) => site.peak_watts))} with all busy` },
  { name: "Cost per million tokens", text: show.usd,
    value: () => { const usd = rate(all.usd, COST_S), tokens = rate(all.tokens, COST_S); return tokens ? (usd / tokens) * 1e6 : null; },
    note: () => { const usd = rate(all.usd, COST_S), kg = rate(all.kg, COST_S);
      return usd === null ? "" : `${show.usd(usd * 3600)}/h, ${digits(kg * 3.6e6)} g CO₂/h`; } },
  { name: "Within targets", text: show.share,
    value: (s) => { const met = rate(all.met, ATTAINED_S), missed = rate(all.missed, ATTAINED_S);
      return (met === null ? null : attained(met, missed)) ?? attained(all.met(s), all.missed(s)); },
    note: (s) => `${show.count(all.missed(s))} missed since the start` },
];
for (const tile of TILES) {
  tile.kept = [];
  tile.shown = make("span", { class: "number" }, "–");
  tile.small = make("small", { class: "number" });
  tile.line = make("canvas", { "aria-hidden": "true" });
  $("tiles").append(make("div", {}, make("dt", {}, tile.name), make("dd", {}, tile.shown, tile.small), tile.line));
}
function drawTiles(state) {
  for (const tile of TILES) {
    const value = tile.value(state);
    tile.kept.push(value);
    if (tile.kept.length > KEEP) tile.kept.shift();
    say(tile.shown, tile.text(value));
    say(tile.small, tile.note(state));
    drawLine(tile);
  }
}
function sized(canvas, height) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, high = height ?? canvas.clientHeight;
  if (height !== undefined) canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(high * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(high * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, high);
  return [pen, width, high];
}
function drawLine(tile) {
  const [pen, width, height] = sized(tile.line);
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  const known = tile.kept.filter((value) => value !== null);
  if (known.length < 2) return;
  const top = Math.max(...known, 1e-9), low = Math.min(...known);
  const least = Math.max(0, low - (top - low) - 0.1 * top); // a line to feel what moves, not to read values from
  const spread = top * 1.08 - least;
  const span = Math.min(KEEP, Math.max(45, tile.kept.length)) - 1; // begins with 45 s and widens to all that is kept
  const at = (i) => [width - (tile.kept.length - 1 - i) * (width / span), height - 3 - ((tile.kept[i] - least) / spread) * (height - 7)];
  pen.beginPath();
  let first = null, last = null;
  tile.kept.forEach((value, i) => {
    if (value === null) return;
    last = at(i);
    if (first === null) { first = last; pen.moveTo(...last); } else pen.lineTo(...last);
  });
  pen.strokeStyle = accent;
  pen.lineWidth = 1.6;
  pen.lineJoin = "round";
  pen.stroke();
  pen.lineTo(last[0], height);
  pen.lineTo(first[0], height);
  const fade = pen.createLinearGradient(0, 0, 0, height);
  pen.globalAlpha = 0.22;
  fade.addColorStop(0, accent);
  fade.addColorStop(1, "transparent");
  pen.fillStyle = fade;
  pen.fill();
  pen.globalAlpha = 1;
}

/* Services and pools: a card each, kept from state to state */
const cards = { services: new Map(), pools: new Map() };
function keep(kind, parts, build) {
  const known = cards[kind], list = $(kind);
  const names = parts.map((part) => part.name);
  for (const [name, card] of known) if (!names.includes(name)) { card.box.remove(); known.delete(name); }
  parts.forEach((part, i) => {
    if (!known.has(part.name)) known.set(part.name, build(part));
    const card = known.get(part.name);
    if (list.children[i] !== card.box) list.insertBefore(card.box, list.children[i] ?? null);
  });
  return known;
}
function buildService(service) {
  const card = { bar: make("b"), target: make("i"), share: make("span", { class: "number" }), load: make("span", { class: "number" }),
    first: make("span", { class: "number" }), pace: make("span", { class: "number soft" }), badges: make("span") };
  card.target.style.left = `${service.percentile * 100}%`;
  card.box = make("li", { class: "card service" },
    make("h3", {}, service.name, service.tier && service.tier !== "default" ? make("span", { class: "badge" }, service.tier) : null),
    make("div", { class: "attained", "aria-hidden": "true" }, card.bar, card.target),
    make("p", { class: "row" }, card.share, card.load),
    make("p", { class: "row" }, card.first, card.pace));
  return card;
}
function drawService(service) {
  const card = cards.services.get(service.name);
  const now = latest.services.find((each) => each.name === service.name);
  const counter = (key) => (state) => state.services.find((each) => each.name === service.name)?.[key] ?? 0;
  const met = rate(counter("met"), ATTAINED_S), missed = rate(counter("missed"), ATTAINED_S);
  const share = (met === null ? null : attained(met, missed)) ?? attained(now.met, now.missed);
  const targets = service.ttft_target_s !== null || service.token_rate_target !== null;
  card.bar.style.width = `${(share ?? 0) * 100}%`;
  card.bar.parentElement.hidden = !targets;
  card.box.classList.toggle("missing", targets && share !== null && share < service.percentile);
  say(card.share, !targets ? "no targets" : share === null ? `target ${show.share(service.percentile)}` : `${show.share(share)} of ${show.share(service.percentile)}`);
  say(card.load, service.waiting ? `${service.in_flight} running, ${service.waiting} waiting` : `${service.in_flight} running`);
  card.load.className = service.waiting ? "number warn" : "number soft";
  const wanted = service.ttft_target_s === null ? "" : ` / ${show.seconds(service.ttft_target_s)}`;
  say(card.first, service.ttft_s ? `first token ${show.seconds(service.ttft_s.p95)}${wanted}` : wanted ? `first token in ${wanted.slice(3)}` : "");
  card.first.title = "95 % of the latest requests had their first token within this time / the target";
  say(card.pace, service.tpot_s && service.tpot_s.p50 > 0 ? `${digits(1 / service.tpot_s.p50)} tok/s` : "");
}
function buildPool(pool) {
  const card = { title: make("span"), machine: make("span", { class: "machine" }), cells: make("canvas", { role: "img" }),
    load: make("b"), power: make("b"), pace: make("b"), price: make("b"), health: make("span") };
  const figure = (value, text) => make("span", { class: "number" }, value, make("span", { class: "soft" }, text));
  const button = make("button", { type: "button", class: "card pool", onclick: () => explainPool(pool.name) },
    make("h3", {}, card.title, card.machine, card.health),
    make("p", { class: "figures" }, figure(card.load, " in flight"), figure(card.pace, " tok/s"), figure(card.power, ""), figure(card.price, " per Mtok")),
    card.cells);
  card.button = button;
  card.box = make("li", {}, button);
  return card;
}
const HEALTH = { up: "up", open: "shut off", "half-open": "on trial", starting: "starting", draining: "draining", down: "down" };
function drawPool(pool) {
  const card = cards.pools.get(pool.name);
  card.button.style.setProperty("--pool", colour(pool.name));
  say(card.title, pool.name);
  say(card.machine, [pool.replicas.length > 1 ? `${pool.replicas.length.toLocaleString("en")} ×` : "", pool.machine === "measured" ? pool.kind : pool.machine, "at", pool.site].filter(Boolean).join(" "));
  say(card.load, `${pool.in_flight.toLocaleString("en")} of ${room(pool).toLocaleString("en")}`);
  say(card.pace, show.count(rate((s) => s.pools.find((p) => p.name === pool.name)?.output_tokens ?? 0, 10)));
  say(card.power, show.watts(pool.watts));
  say(card.price, show.usd(cost(pool)));
  const off = pool.replicas.filter((replica) => replica.health !== "up").length;
  say(card.health, off ? `${off} of ${pool.replicas.length} not up` : "");
  card.health.className = `health ${off === pool.replicas.length ? "bad" : "warn"}`;
  drawCells(card.cells, pool, off);
}
/** A cell per replica, filled as far as it is in use. */
function drawCells(canvas, pool, off) {
  const many = pool.replicas.length, width = canvas.clientWidth || 300;
  const most = many <= 20 ? 22 : many <= 60 ? 14 : many <= 400 ? 9 : 5;
  const gap = most > 5 ? 3 : 1;
  const wide = many <= 8 ? Math.min(150, (width + gap) / many - gap) : most;
  const columns = Math.max(1, Math.floor((width + gap) / (wide + gap)));
  const rows = Math.min(Math.ceil(many / columns), 12), high = many <= 8 ? 14 : most;
  const [pen] = sized(canvas, rows * (high + gap) - gap);
  const style = getComputedStyle(document.documentElement);
  pool.replicas.slice(0, rows * columns).forEach((replica, i) => {
    const x = (i % columns) * (wide + gap), y = Math.floor(i / columns) * (high + gap);
    const full = Math.min(1, (replica.in_flight + replica.foreign) / (replica.most ?? Math.max(1, replica.in_flight)));
    const box = (left, width) => { pen.beginPath(); pen.roundRect(left, y, Math.max(width, 0.01), high, Math.min(3, high / 4)); };
    pen.fillStyle = style.getPropertyValue("--line");
    box(x, wide);
    pen.fill();
    if (replica.health !== "up") {
      pen.fillStyle = style.getPropertyValue(replica.health === "down" || replica.health === "open" ? "--bad" : "--warn");
      pen.globalAlpha = replica.health === "down" || replica.health === "open" ? 0.85 : 0.6;
      pen.fill();
      pen.globalAlpha = 1;
      return;
    }
    if (many <= 8) { // wide ones fill from the left, one notch per request
      pen.save();
      box(x, wide);
      pen.clip();
      pen.fillStyle = colour(pool.name);
      pen.fillRect(x, y, wide * full, high);
      pen.fillStyle = style.getPropertyValue("--raised");
      if ((replica.most ?? 99) <= 32) for (let n = 1; n < replica.most; n++) pen.fillRect(x + (wide * n) / replica.most - 0.75, y, 1.5, high);
      pen.restore();
    } else if (full > 0) {
      pen.fillStyle = colour(pool.name, 0.25 + 0.75 * full);
      pen.fill();
    }
  });
  canvas.setAttribute("aria-label", `${pool.replicas.length} replicas, ${pool.replicas.length - off} up, ${pool.in_flight} of ${room(pool)} requests`);
}

/* The flow: a dot for each request on its way from a service to a pool */
const dots = [];
let links = [];
function countFlows(state) {
  links = state.flows.map((flow) => {
    const same = (s) => s.flows.find((f) => f.service === flow.service && f.pool === flow.pool)?.requests ?? 0;
    return { ...flow, rate: rate(same) ?? 0, due: links.find((l) => l.service === flow.service && l.pool === flow.pool)?.due ?? Math.random() };
  });
}
let framed = 0;
function drawFlow(time) {
  requestAnimationFrame(drawFlow);
  if (document.hidden || time - framed < 30 || !latest) return;
  const passed = Math.min(0.1, (time - framed) / 1000);
  framed = time;
  const canvas = $("flow");
  if (!canvas.clientWidth) return;
  const [pen, width, height] = sized(canvas);
  const top = canvas.getBoundingClientRect().top;
  const middle = (card) => { const box = card.box.getBoundingClientRect(); return box.top + box.height / 2 - top; };
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line");
  const ends = new Map();
  for (const [name, card] of cards.services) ends.set(`s ${name}`, middle(card));
  for (const [name, card] of cards.pools) ends.set(`p ${name}`, middle(card));
  const curve = (link) => [ends.get(`s ${link.service}`), ends.get(`p ${link.pool}`)];
  const light = document.documentElement.dataset.theme === "light";
  for (const link of links) {
    const [from, to] = curve(link);
    if (from === undefined || to === undefined) continue;
    const path = () => { pen.beginPath(); pen.moveTo(0, from); pen.bezierCurveTo(width * 0.45, from, width * 0.55, to, width, to); };
    path();
    pen.strokeStyle = line;
    pen.lineWidth = 1;
    pen.setLineDash(link.rate > 0 ? [] : [2, 6]);
    pen.stroke();
    pen.setLineDash([]);
    if (link.rate > 0) {
      path();
      pen.strokeStyle = colour(link.pool, light ? 0.22 : 0.18);
      pen.lineWidth = Math.min(34, 2 + 5 * Math.log2(1 + link.rate));
      pen.stroke();
    }
    if (calm.matches) continue;
    link.due += passed * Math.min(link.rate, 30);
    while (link.due >= 1) {
      link.due -= 1;
      if (dots.length < 600) dots.push({ link, at: -Math.random() * 0.03, pace: 0.55 + Math.random() * 0.12, off: (Math.random() - 0.5) * Math.min(26, 1 + 4 * Math.log2(1 + link.rate)) });
    }
  }
  for (let i = dots.length - 1; i >= 0; i--) {
    const dot = dots[i];
    dot.at += passed * dot.pace;
    const [from, to] = curve(dot.link);
    if (dot.at >= 1 || from === undefined || to === undefined) { dots.splice(i, 1); continue; }
    for (let tail = 5; tail >= 0; tail--) {
      const t = dot.at - tail * 0.011;
      if (t < 0) continue;
      const u = 1 - t, x = 3 * u * u * t * 0.45 * width + 3 * u * t * t * 0.55 * width + t * t * t * width;
      const y = (u * u * u + 3 * u * u * t) * from + (3 * u * t * t + t * t * t) * to + dot.off * Math.sin(Math.PI * Math.min(1, t * 1.1));
      pen.beginPath();
      pen.arc(x, y, tail ? 2.6 - tail * 0.38 : 3.2, 0, 7);
      pen.fillStyle = colour(dot.link.pool, tail ? 0.5 - tail * 0.09 : 1);
      pen.fill();
    }
  }
}

/* The merit order: pools side by side, the cheapest first, as electric grids draw their plants */
const bars = new Map();
function svg(tag, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
function drawMerit(state) {
  const box = $("merit"), width = box.clientWidth, height = box.clientHeight;
  if (!width || !height) return;
  const left = 8, bottom = height - 38, topmost = 34;
  const pools = order.map((name) => state.pools.find((pool) => pool.name === name));
  const costs = pools.map(cost), dearest = Math.max(...costs.filter((c) => c !== null), 1e-12), cheapest = Math.min(...costs.filter((c) => c > 0), dearest);
  const steep = dearest / cheapest > 12; // then heights go by the logarithm, or the cheap ones would vanish
  const tall = (c) => (c === null ? 0.5 : steep ? 0.2 + (0.8 * Math.log(Math.max(c, cheapest) / cheapest)) / Math.log(dearest / cheapest) : Math.max(0.06, c / dearest));
  const whole = sum(pools, room), least = 0.035;
  const shares = pools.map((pool) => Math.max(least, room(pool) / whole)), scale = (width - 2 * left) / sum(shares, (s) => s);
  for (const [name, bar] of bars) if (!order.includes(name)) { for (const part of Object.values(bar)) part.remove(); bars.delete(name); }
  let x = left, demand = left;
  const spoken = [];
  pools.forEach((pool, i) => {
    if (!bars.has(pool.name)) {
      const bar = { back: svg("rect", { rx: 4 }), fill: svg("rect", { rx: 4 }), name: svg("text", { class: "name", "text-anchor": "middle" }), price: svg("text", { "text-anchor": "middle" }) };
      bars.set(pool.name, bar);
      box.append(bar.back, bar.fill, bar.name, bar.price);
    }
    const bar = bars.get(pool.name), wide = shares[i] * scale, high = tall(costs[i]) * (bottom - topmost), used = Math.min(1, pool.in_flight / room(pool));
    const place = (part, values) => { for (const [key, value] of Object.entries(values)) part.style.setProperty(key, `${value}px`); };
    place(bar.back, { x: x + 1, y: bottom - high, width: Math.max(1, wide - 3), height: high });
    place(bar.fill, { x: x + 1, y: bottom - high, width: Math.max(0, (wide - 3) * used), height: high });
    bar.back.style.fill = colour(pool.name, 0.2);
    bar.fill.style.fill = colour(pool.name);
    const fits = wide > pool.name.length * 7.5;
    for (const [part, y, text] of [[bar.name, bottom + 17, fits ? pool.name : ""], [bar.price, bottom - high - 7, wide > 44 ? show.usd(costs[i]) : ""]]) {
      part.setAttribute("x", x + wide / 2);
      part.setAttribute("y", y);
      say(part, text);
    }
    demand += wide * used;
    spoken.push(`${pool.name} ${show.usd(costs[i])}, ${pool.in_flight} of ${room(pool)}`);
    x += wide;
  });
  if (!box.querySelector(".axis")) box.prepend(svg("line", { class: "axis" }));
  const axis = box.querySelector(".axis");
  for (const [key, value] of [["x1", left], ["x2", width - left], ["y1", bottom + 1], ["y2", bottom + 1]]) axis.setAttribute(key, value);
  let total = box.querySelector(".total");
  if (!total) box.append((total = svg("text", { class: "total", "text-anchor": "end" })));
  total.setAttribute("x", width - left);
  total.setAttribute("y", height - 4);
  say(total, `${sum(pools, (p) => p.in_flight).toLocaleString("en")} of ${whole.toLocaleString("en")} in use${steep ? "; heights by logarithm" : ""}`);
  box.setAttribute("aria-label", `Pools by cost: ${spoken.join("; ")}`);
}

/* Power */
const gauges = new Map();
function drawSites(whole) {
  const state = { sites: whole.sites.filter((site) => site.peak_watts > 0) }; // metered APIs have no power of ours
  for (const [name, gauge] of gauges) if (!state.sites.some((site) => site.name === name)) { gauge.box.remove(); gauges.delete(name); }
  for (const site of state.sites) {
    if (!gauges.has(site.name)) {
      const gauge = { now: make("span", { class: "number" }), bar: make("b"), cap: make("i"), about: make("span", { class: "soft number" }), set: make("button", { type: "button", onclick: openControls }) };
      gauge.box = make("li", {}, make("h3", {}, site.name, gauge.now), make("div", { class: "gauge", "aria-hidden": "true" }, gauge.cap, gauge.bar), make("p", {}, gauge.about, gauge.set));
      gauges.set(site.name, gauge);
      $("sites").append(gauge.box);
    }
    const gauge = gauges.get(site.name), peak = Math.max(site.peak_watts, site.watts, 1e-9);
    say(gauge.now, `${show.watts(site.watts)} of ${show.watts(site.peak_watts)}`);
    gauge.bar.style.width = `${(site.watts / peak) * 100}%`;
    gauge.cap.hidden = site.limit_watts === null || site.limit_watts >= peak;
    gauge.cap.style.left = `${Math.min(100, ((site.limit_watts ?? 0) / peak) * 100)}%`;
    say(gauge.about, `${show.usd(site.usd_per_kwh)} and ${digits(site.kg_per_kwh * 1000)} g CO₂ per kWh`);
    say(gauge.set, site.limit_watts === null ? "set a limit" : `limit ${show.watts(site.limit_watts)}`);
  }
}

/* Decisions */
const SIGN = { ok: "", refused: "refused", failed: "failed", broken: "broken", cancelled: "left" };
let seen = new Set();
function drawDecisions(list) {
  const fresh = new Set(list.map((each) => each.id + each.time));
  if (fresh.size && [...fresh].every((id) => seen.has(id)) && seen.size === fresh.size) return;
  const first = seen.size === 0;
  $("quiet").hidden = list.length > 0;
  $("decisions").replaceChildren(...list.map((each) => {
    const chip = make("span", { class: "chip" }, each.pool || "nowhere");
    if (each.pool) chip.style.setProperty("--pool", colour(each.pool));
    const why = each.outcome === "ok" ? each.reason : each.why || SIGN[each.outcome];
    const took = make("span", { class: `number ${each.outcome === "ok" || each.outcome === "cancelled" ? "soft" : "bad"}` }, each.ttft_s === null ? SIGN[each.outcome] || "–" : show.seconds(each.ttft_s));
    const time = new Date(each.time * 1000);
    const line = make("span", {}, make("span", {}, each.service || each.model, " → "), chip, make("span", { class: "soft" }, `  ${why}`));
    return make("li", { class: !first && !seen.has(each.id + each.time) ? "new" : null },
      make("button", { type: "button", onclick: () => explain(each) }, make("time", { class: "soft number", datetime: time.toISOString() }, time.toLocaleTimeString("en-GB")), line, took));
  }));
  seen = fresh;
}

/* Dialogs */
function open(title, ...parts) {
  say($("detail-title"), title);
  $("detail-body").replaceChildren(...parts);
  $("detail").showModal();
}
function rows(head, lines) {
  const cell = (tag) => (text, i) => make(tag, { class: i ? "number" : null }, text);
  return make("table", {}, make("thead", {}, make("tr", {}, ...head.map(cell("th")))), make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map(cell("td"))))));
}
function explain(each) {
  const said = [];
  if (each.replica) said.push(`${each.service} went to ${each.replica}: ${each.reason}.`);
  if (each.outcome !== "ok") said.push(`${each.outcome}${each.why ? `: ${each.why}` : ""}.`);
  if (each.wait_s > 0.001) said.push(`It waited ${show.seconds(each.wait_s)} in the gateway for room.`);
  if (each.retries) said.push(`${each.retries} other ${each.retries > 1 ? "backends were" : "backend was"} tried first.`);
  if (each.continued) said.push(`Its stream broke and was continued elsewhere, ${each.continued} ${each.continued > 1 ? "times" : "time"}; the client saw one stream.`);
  if (each.hedged) said.push("A second backend was asked because the first was late.");
  open(`${each.service || each.model}, ${new Date(each.time * 1000).toLocaleTimeString("en-GB")}`, make("p", {}, said.join(" ")),
    rows(["", "predicted", "measured"], [
      ["First token", show.seconds(each.predicted_ttft_s), show.seconds(each.ttft_s)],
      ["Each further token", show.seconds(each.predicted_tpot_s), show.seconds(each.tpot_s)],
      ["Whole answer", "", show.seconds(each.e2e_s)]]),
    rows(["", ""], [
      ["Prompt tokens", `${show.count(each.prompt_tokens)}${each.cached_tokens ? `, ${show.count(each.cached_tokens)} of them cached` : ""}`],
      ["Output tokens", show.count(each.output_tokens)],
      ["Energy, predicted", withPrefix(each.joules, "J", BIG.concat([[1e-3, "m"]]))],
      ["Cost", show.usd(each.usd)],
      ["API", `${each.api}${each.stream ? ", streamed" : ""}, HTTP ${each.status || "none"}`],
      ["Request", each.id]]));
}
function explainPool(name) {
  const pool = latest.pools.find((each) => each.name === name);
  const shown = [...pool.replicas].sort((a, b) => (a.health === "up") - (b.health === "up") || b.in_flight - a.in_flight).slice(0, 100);
  open(name, make("p", { class: "soft" }, `${pool.model} on ${pool.machine === "measured" ? "a measured machine" : pool.machine} (${pool.kind}) at ${pool.site}. ` +
      `${show.count(pool.requests)} requests ended here, ${show.count(pool.failed)} failed; ${show.count(pool.output_tokens)} tokens, ${show.usd(pool.usd)}.`),
    rows(["Replica", "Health", "In flight", "Others'", "Pace", "KV"], shown.map((r) => [
      r.name, HEALTH[r.health], r.most === null ? String(r.in_flight) : `${r.in_flight} of ${r.most}`, String(r.foreign),
      Math.abs(r.speed - 1) < 0.05 ? "as predicted" : r.speed > 1 ? `${digits(r.speed, 2)}× slower` : `${digits(1 / r.speed, 2)}× faster`,
      r.kv_used === null ? "–" : show.share(r.kv_used)])),
    make("p", { class: "soft" }, shown.length < pool.replicas.length ? `and ${pool.replicas.length - shown.length} more` : ""));
}
async function tell(method, path, body) {
  try {
    const answer = await fetch(path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
    const told = await answer.json();
    return told.problems && told.problems.length ? told.problems.join("; ") : "";
  } catch {
    return "the gateway doesn't answer";
  }
}
function limitRow(label, field, path, value, hint) {
  const input = make("input", { "aria-label": `Limit of ${label}`, placeholder: hint, value, autocomplete: "off" });
  const send = async (wanted) => {
    const wrong = await tell("PUT", path, { [field]: wanted });
    $("said").className = wrong ? "bad" : "good";
    say($("said"), wrong || (wanted === null ? `${label}: no limit any more` : `${label}: limit ${wanted}`));
    if (!wrong && wanted === null) input.value = "";
  };
  const set = () => { const text = input.value.trim(); if (text) send(field === "requests" && /^\d+$/.test(text) ? Number(text) : text); };
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); set(); } });
  return make("div", { class: "limit" }, make("span", {}, label), input,
    make("button", { type: "button", onclick: set }, "Set"), make("button", { type: "button", class: "plain", onclick: () => send(null) }, "None"));
}
function openControls() {
  say($("said"), "");
  $("site-limits").replaceChildren(...latest.sites.map((site) =>
    limitRow(site.name, "watts", `/limits/site/${encodeURIComponent(site.name)}`, site.limit_watts === null ? null : show.watts(site.limit_watts), show.watts(site.peak_watts))));
  $("pool-limits").replaceChildren(...latest.pools.map((pool) =>
    limitRow(pool.name, "requests", `/limits/pool/${encodeURIComponent(pool.name)}`, pool.limit, String(room({ ...pool, limit: null })))));
  $("controls").showModal();
}
$("control").addEventListener("click", () => latest && openControls());
$("reload").addEventListener("click", async () => {
  const wrong = await tell("POST", "/reload");
  $("said").className = wrong ? "bad" : "good";
  say($("said"), wrong || "the fleet file was read again");
});
$("drain").addEventListener("click", async (event) => {
  if (event.target.dataset.sure) { await tell("POST", "/drain"); return; }
  event.target.dataset.sure = "1";
  say(event.target, "Really stop the gateway?");
  setTimeout(() => { delete event.target.dataset.sure; say(event.target, "Drain and stop"); }, 4000);
});
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/* Once a second */
function length(seconds) {
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min` : `${Math.floor(seconds)} s`;
}
function drawAll() {
  const state = latest;
  order = [...state.pools].sort((a, b) => (cost(a) ?? Infinity) - (cost(b) ?? Infinity)).map((pool) => pool.name);
  say($("fleet"), state.name);
  document.title = `${state.name}: live`;
  const busy = state.workers.length > 1 ? `, ${state.workers.length} workers` : "";
  say($("about"), `${state.url}/v1 · ${state.policy}${busy} · up ${length(state.now - state.started)}${state.emulated ? " · backends are emulated" : ""}`);
  keep("services", state.services, buildService);
  keep("pools", order.map((name) => state.pools.find((pool) => pool.name === name)), buildPool);
  state.services.forEach(drawService);
  state.pools.forEach(drawPool);
  countFlows(state);
  drawMerit(state);
  drawSites(state);
}
let answered = performance.now();
async function look() {
  try {
    const [state, list] = await Promise.all(["/state", `/requests?most=${MOST_DECISIONS}`].map(async (path) => {
      const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(answer.statusText);
      return answer.json();
    }));
    if (latest && state.started !== latest.started) past.length = 0; // another gateway: its counters began anew
    latest = state;
    past.push(state);
    if (past.length > KEEP + 10) past.shift();
    drawAll();
    drawTiles(state);
    drawDecisions(list.requests);
    answered = performance.now();
    $("status").className = state.draining ? "" : "live";
    say($("status").lastElementChild, state.draining ? "draining" : "live");
    document.querySelector("main").classList.remove("stale");
  } catch {
    const since = (performance.now() - answered) / 1000;
    if (since > 3) {
      $("status").className = "lost";
      say($("status").lastElementChild, `no answer for ${length(since)}`);
      document.querySelector("main").classList.add("stale");
    }
  }
  setTimeout(look, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}
theme.listeners.push(() => { if (latest) { drawAll(); TILES.forEach(drawLine); } });
theme.start($("theme"));
addEventListener("resize", () => { if (latest) { drawAll(); TILES.forEach(drawLine); } });
requestAnimationFrame(drawFlow);
look();
