const IDEAS = ["Why do ships float?", "Write a haiku about electricity", "What does a power grid do when demand rises?"];
const TIERS = [["auto", "any tier"], ["default", "default"], ["priority", "priority"], ["flex", "flex"]];
const lanes = []; // side by side: one, or two that are compared
const pools = []; // in the order in which they were first seen: their colours
let models = [];
let waiting = ""; // a message that needs a key first

const session = {
  get: () => { try { return sessionStorage.getItem("merit-key") || ""; } catch { return ""; } },
  set: (value) => { try { sessionStorage.setItem("merit-key", value); } catch { /* private window */ } },
};
function headers() {
  const key = session.get();
  return { "content-type": "application/json", "x-merit-explain": "1", ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

/* What models write, as elements: paragraphs, headings, lists, code, bold. Text only ever becomes text. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((part) =>
    part.length > 2 && part.startsWith("`") ? make("code", {}, part.slice(1, -1))
      : part.length > 4 && part.startsWith("**") ? make("b", {}, part.slice(2, -2)) : part);
}
function written(text) {
  const blocks = [];
  let list = null, prose = [];
  const flush = () => { if (prose.length) blocks.push(make("p", {}, ...prose.flatMap((line, i) => (i ? [make("br"), ...inline(line)] : inline(line))))); prose = []; };
  text.split("```").forEach((part, i) => {
    if (i % 2) {
      flush();
      blocks.push(make("pre", {}, make("code", {}, part.replace(/^[\w+-]*\n/, ""))));
      return;
    }
    for (const line of part.split("\n")) {
      const item = line.match(/^\s*(?:([-*•])|(\d+)[.)])\s+(.*)/), heading = line.match(/^#{1,6}\s+(.*)/);
      if (!item) list = null;
      if (item) {
        flush();
        const kind = item[1] ? "UL" : "OL";
        if (!list || list.tagName !== kind) blocks.push((list = make(kind.toLowerCase(), item[2] ? { start: item[2] } : {})));
        list.append(make("li", {}, ...inline(item[3])));
      } else if (heading) { flush(); blocks.push(make("h4", {}, ...inline(heading[1]))); }
      else if (line.trim()) prose.push(line);
      else flush();
    }
    flush();
    list = null;
  });
  return blocks;
}

/** `pool=a; replica=0; reason="..."` as an object. */
function decision(header) {
  const found = {};
  for (const [, name, quoted, plain] of (header || "").matchAll(/([\w-]+)=(?:"([^"]*)"|([^;]*))/g)) found[name] = quoted ?? plain.trim();
  return found;
}

/** The data of server-sent events, one after the other. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const whole = rest.split(/\r?\n\r?\n/);
    rest = whole.pop();
    for (const event of whole) {
      const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
      if (data) yield data;
    }
  }
}

class Lane {
  constructor() {
    this.messages = [];
    this.model = make("select", { "aria-label": "Model or service" });
    this.tier = make("select", { "aria-label": "Service tier" }, ...TIERS.map(([value, text]) => make("option", { value }, text)));
    this.log = make("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Conversation" });
    this.box = make("section", { class: "lane" }, make("div", { class: "picks" }, this.model, this.tier), this.log);
    this.stop = null;
    this.offer();
  }

  offer(wanted = this.model.value) {
    this.model.replaceChildren(...models.map((id) => make("option", { value: id }, id)));
    this.model.value = models.includes(wanted) ? wanted : models.find((id) => /chat/i.test(id)) ?? models[0];
  }

  async ask(text) {
    this.messages.push({ role: "user", content: text });
    const answer = { text: make("div", { class: "text" }), facts: make("div", { class: "facts number" }), why: make("div", { class: "why", hidden: true }) };
    answer.box = make("article", { class: "answer running" }, answer.text, answer.facts, answer.why);
    this.log.append(make("div", { class: "said" }, text), answer.box);
    this.log.scrollTop = this.log.scrollHeight;
    const system = $("system").value.trim();
    const body = {
      model: this.model.value, stream: true, stream_options: { include_usage: true },
      messages: [...(system ? [{ role: "system", content: system }] : []), ...this.messages],
      temperature: Number($("temperature").value), max_tokens: Number($("most").value) || 400,
      ...(this.tier.value === "auto" ? {} : { service_tier: this.tier.value }),
    };
    this.stop = new AbortController();
    const run = { sent: performance.now(), first: 0, last: 0, tokens: 0, text: "", ended: false, decision: {}, id: "", tier: "", emulated: false };
    let wrong = "";
    try {
      const reply = await fetch("/v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(body), signal: this.stop.signal });
      run.id = reply.headers.get("x-request-id") || "";
      run.decision = decision(reply.headers.get("x-merit-decision"));
      run.tier = reply.headers.get("x-service-tier") || "";
      run.emulated = reply.headers.get("x-merit-emulated") === "1";
      if (reply.ok) await this.read(reply, run, answer);
      else {
        const told = await reply.json().catch(() => ({}));
        wrong = told.error?.message || `HTTP ${reply.status}`;
        if (reply.status === 401) this.needKey(text);
      }
      if (reply.ok && !run.ended) wrong = "the answer broke off";
    } catch (error) {
      wrong = error.name === "AbortError" ? "" : error instanceof TypeError ? "the gateway doesn't answer" : error.message;
    }
    this.stop = null;
    answer.box.classList.remove("running");
    this.draw(run, answer);
    if (wrong) answer.box.insertBefore(make("p", { class: "wrong", role: "alert" }, wrong), answer.facts);
    if (run.text) this.messages.push({ role: "assistant", content: run.text });
    else this.messages.pop(); // an unanswered question is no part of what follows
    this.tellFacts(run, answer, true);
  }

  async read(reply, run, answer) {
    let due = false;
    for await (const data of events(reply.body)) {
      if (data === "[DONE]") { run.ended = true; break; }
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(chunk.error.message);
      run.tokens = chunk.usage?.completion_tokens ?? run.tokens;
      run.tier = chunk.service_tier || run.tier;
      const text = chunk.choices?.[0]?.delta?.content;
      if (!text) continue;
      run.last = performance.now();
      run.first ||= run.last;
      if (!chunk.usage) run.tokens += 1;
      run.text += text;
      if (!due) {
        due = true;
        requestAnimationFrame(() => {
          due = false;
          if (!this.stop) return; // it has ended meanwhile, and all is drawn
          this.draw(run, answer);
          this.tellFacts(run, answer, false);
        });
      }
    }
  }

  draw(run, answer) {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    answer.text.replaceChildren(...written(run.text));
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  tellFacts(run, answer, ended) {
    const chosen = run.decision;
    if (!chosen.pool) return;
    if (!pools.includes(chosen.pool)) pools.push(chosen.pool);
    const pace = run.tokens > 1 && run.last > run.first ? ((run.tokens - 1) * 1000) / (run.last - run.first) : null;
    const chip = make("span", { class: "pool" }, `${chosen.pool}/${chosen.replica}`);
    chip.style.setProperty("--pool", poolColour(pools.indexOf(chosen.pool), 6));
    const facts = [chip,
      run.first ? make("span", {}, `first token ${show.seconds((run.first - run.sent) / 1000)}`) : null,
      pace ? make("span", {}, `${digits(pace)} tok/s`) : null,
      make("span", {}, `${run.tokens} tokens`),
      run.tier ? make("span", {}, `tier ${run.tier}`) : null,
      run.emulated ? make("span", { class: "warn" }, "emulated") : null,
      ended ? make("button", { type: "button", "aria-expanded": "false", onclick: (event) => {
        answer.why.hidden = !answer.why.hidden;
        event.target.setAttribute("aria-expanded", String(!answer.why.hidden));
        if (!answer.why.hidden) answer.why.scrollIntoView({ block: "nearest" });
      } }, "why?") : null];
    answer.facts.replaceChildren(...facts.filter(Boolean));
    if (!ended) return;
    const attempts = Number(chosen.attempts || 1);
    const said = [`Chosen because: ${chosen.reason}.`,
      `Predicted: first token in ${show.seconds(Number(chosen["predicted-ttft"]))}, then one every ${show.seconds(Number(chosen["predicted-tpot"]))}.`,
      run.first ? `Measured here: ${show.seconds((run.first - run.sent) / 1000)}, then one every ${pace ? show.seconds(1 / pace) : "–"}.` : "",
      attempts > 1 ? `${attempts} backends were tried.` : "", `Request ${run.id}.`];
    answer.why.textContent = said.filter(Boolean).join(" ");
  }

  needKey(text) {
    waiting = text;
    $("key-form").hidden = false;
    $("key").focus();
  }
}

function busy() {
  const running = lanes.some((lane) => lane.stop);
  $("send").hidden = running;
  $("stop").hidden = !running;
}
async function send(text) {
  if (!text.trim() || lanes.some((lane) => lane.stop)) return;
  $("welcome").hidden = true;
  const all = lanes.map((lane) => lane.ask(text.trim()));
  busy();
  await Promise.all(all);
  busy();
}
function showLanes(count) {
  while (lanes.length > count) lanes.pop().box.remove();
  while (lanes.length < count) {
    const lane = new Lane();
    if (lanes.length) {
      lane.messages = [...lanes[0].messages];
      lane.offer(models.find((id) => id !== lanes[0].model.value) ?? models[0]);
    }
    lanes.push(lane);
    $("lanes").append(lane.box);
  }
  $("lanes").classList.toggle("several", count > 1);
  $("compare").setAttribute("aria-pressed", String(count > 1));
}
async function findModels() {
  try {
    const reply = await fetch("/v1/models", { headers: headers() });
    if (reply.status === 401) $("key-form").hidden = false;
    if (!reply.ok) return;
    models = (await reply.json()).data.map((model) => model.id);
    for (const lane of lanes) lane.offer();
  } catch { /* the first message will tell */ }
}

const text = $("text");
const grow = () => { text.style.height = "auto"; text.style.height = `${text.scrollHeight}px`; };
text.addEventListener("input", grow);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); $("composer").requestSubmit(); }
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (lanes.some((lane) => lane.stop)) return;
  const wanted = text.value;
  text.value = "";
  grow();
  send(wanted);
});
$("stop").addEventListener("click", () => { for (const lane of lanes) lane.stop?.abort(); });
$("compare").addEventListener("click", () => { if (!lanes.some((lane) => lane.stop)) showLanes(lanes.length > 1 ? 1 : 2); });
$("fresh").addEventListener("click", () => {
  for (const lane of lanes) { lane.stop?.abort(); lane.messages = []; lane.log.replaceChildren(); }
  $("welcome").hidden = false;
  text.focus();
});
$("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  session.set($("key").value.trim());
  $("key").value = "";
  $("key-form").hidden = true;
  await findModels();
  const again = waiting;
  waiting = "";
  if (again) send(again);
});
$("settings").addEventListener("click", () => $("sheet").showModal());
$("sheet").addEventListener("click", (event) => { if (event.target === $("sheet")) $("sheet").close(); });
const warmth = () => say($("warmth"), $("temperature").value);
$("temperature").addEventListener("input", warmth);
warmth();
if ($("live").getAttribute("href")) $("live").hidden = false;
$("ideas").append(...IDEAS.map((idea) => make("li", {}, make("button", { type: "button", onclick: () => send(idea) }, idea))));
theme.start($("theme"));
showLanes(1);
findModels();
