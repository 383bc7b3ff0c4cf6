// Asks the sidecar every second and writes what changed. Nothing is sent, nothing is kept.
import { Chart, drawLegend, drawTimeline, zoneIsUtc } from "/charts.js";

const EVERY_MS = 1000;
const $ = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const utcClock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: "UTC" });
const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
const LEVELS = { good: ["✓", "Well"], attention: ["!", "Attention"], trouble: ["✕", "Trouble"] };
const OUT = new Set(["dead_line", "farm", "link", "competing_session"]);
const CAUSES = {
  ticking: "ticks", quiet: "quiet", halted: "halted", closed: "market closed", dead_line: "out: dead line",
  farm: "out: data farm", link: "out: link to IB", competing_session: "out: another login",
};

const number = (value, digits = 0) => value === null || value === undefined ? "–" : value.toLocaleString([], { maximumFractionDigits: digits });
const ms = (value) => value === null || value === undefined ? "–" : value >= 10_000 ? `${number(value / 1000, 1)}\u00a0s` : `${number(value, value < 10 ? 1 : 0)}\u00a0ms`;
const words = (text) => String(text).replaceAll("_", " ");
function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min` : `${Math.round(seconds / 86_400)} days`;
}
function bytes(value) {
  const step = value < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** step, step ? 1 : 0)} ${["B", "KiB", "MiB", "GiB"][step]}`;
}
function when(text) {
  if (!text) return { text: "–" };
  const at = new Date(text), today = new Date().toDateString() === at.toDateString();
  return { time: text, text: today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`, small: zoneIsUtc() ? "UTC" : `${utcClock.format(at)} UTC` };
}
const SIGNS = { good: "●", attention: "▲", trouble: "✕", idle: "○", backup: "◆" };
const state = (kind, text, small) => ({ state: kind, text, small });
const lineState = (cause) => cause === "ticking" ? "good" : OUT.has(cause) ? "trouble" : cause === "halted" ? "attention" : "idle";

// Tables: a cell is text, or {text, small, state, time, href, wide, number}; only what changed is written.
function fill(id, rows, none) {
  const body = $(id).tBodies[0], heads = [...$(id).tHead.rows[0].cells];
  $(id).classList.toggle("empty", !rows.length);
  const wanted = rows.length ? rows : [[{ text: none, none: true, across: heads.length }]];
  while (body.rows.length > wanted.length) body.deleteRow(-1);
  wanted.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((given, column) => {
      const cell = typeof given === "object" ? given : { text: given }, key = JSON.stringify(cell);
      const td = row.cells[column] ?? row.insertCell();
      if (td.dataset.key === key) return;
      td.dataset.key = key;
      td.className = cell.none ? "none" : heads[column].className;
      td.colSpan = cell.across ?? 1;
      td.replaceChildren(...content(cell));
    });
  });
}
function content(cell) {
  const tag = cell.href ? "a" : cell.time ? "time" : cell.strong ? "strong" : "span";
  const made = document.createElement(tag);
  made.textContent = cell.text;
  if (cell.href) made.href = cell.href;
  if (cell.time) made.dateTime = cell.time;
  if (cell.state) { made.className = `state ${cell.state}`; made.dataset.sign = SIGNS[cell.state]; }
  if (!cell.small) return [made];
  const small = document.createElement("small");
  small.textContent = cell.small;
  return [made, small];
}

function figures(live) {
  const { feed, rates, spool, database } = live;
  const from = Object.entries(live.providers.instruments).filter(([, count]) => count);
  const shown = [
    ["Ticks", number(rates.ticks_per_s), "/s", `${number(feed.ticks_total)} since the start`],
    ["Rows committed", number(rates.rows_per_s), "/s", `${number(feed.committed_total)} since the start`],
    ["Latency p99", ms(feed.p99_ms), "", `p50\u00a0${ms(feed.p50_ms)}, max\u00a0${ms(feed.max_ms)}`],
    ["Market-data lines", number(live.lines_used), `of ${number(live.lines_limit)}`, `rows from ${from.map(([who, count]) => `${who} ${count}`).join(", ") || "nobody yet"}`],
    ["Rows waiting", number(feed.waiting_rows), "", `spool ${bytes(spool.bytes)} of ${bytes(spool.limit_bytes)}`],
    ["Database", database.ok ? "in reach" : "away", "", database.ok ? "rows are committed" : `for ${span(database.silent_s)}`],
  ];
  const list = $("figures");
  shown.forEach(([name, value, unit, note], at) => {
    const box = list.children[at] ?? list.appendChild(figureBox());
    const [dt, dd, small] = box.children, key = [name, value, unit, note].join("|");
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    dt.textContent = name; small.textContent = note;
    const after = document.createElement("small");
    after.textContent = unit;
    dd.replaceChildren(value, " ", after);
  });
}
function figureBox() {
  const box = document.createElement("div"), note = document.createElement("dd");
  note.className = "note";
  box.append(document.createElement("dt"), document.createElement("dd"), note);
  return box;
}

function sessionState(one) {
  if (one.state === "ready") return one.link === "lost" ? state("trouble", "link to IB lost") : one.link === "suspect" ? state("attention", "back, verifying") : state("good", "ready");
  const small = one.failures ? `${one.failures} failed` + (one.state === "waiting" && one.retry_s ? `, waits ${number(one.retry_s, 1)} s` : "") : "";
  return state(one.state === "waiting" && one.failures ? "trouble" : one.state === "stopped" ? "idle" : "attention", one.state, small);
}
const backups = (line) => Object.entries(line.backups).map(([who, cause]) => `${who} ${CAUSES[cause]}`).join(", ");
function tables(doc) {
  const { live } = doc;
  fill("sessions", live.sessions.map((one) => [{ text: one.role, strong: true }, sessionState(one), when(one.since), one.endpoint, `${number(one.connects)} ×`, one.reason ?? ""]), "No session.");
  fill("lines", live.lines.map((line) => [
    { text: line.name, strong: true, small: line.sec_type },
    state(lineState(line.cause), CAUSES[line.cause] ?? words(line.cause)),
    span(line.age_s), when(line.since),
    line.provider === "ib" ? { text: "ib", small: backups(line) } : state("backup", line.provider, backups(line)),
    line.rate_per_min === null ? "not known yet" : { text: `${number(line.rate_per_min)} s of each min`, small: line.expected_s === null ? "no silence means anything" : `silence over ${span(line.expected_s)} means something` },
  ]), "No line streams yet. Add some: ibkeeper watch add SYMBOL");
  $("lines-count").textContent = live.lines.length ? `${live.lines.length}, ${live.lines.filter((l) => l.cause === "ticking").length} tick` : "";
  const unserved = doc.unserved ?? [];
  $("unserved-box").hidden = !unserved.length;
  fill("unserved", unserved.map((one) => [[one.symbol, one.expiry, one.strike, one.right].filter(Boolean).join(" "), state(one.state === "pending" ? "idle" : "attention", words(one.state)), one.reason ?? ""]), "");
  fromHistory(doc);
}
const SEVERITY = { critical: "trouble", warning: "attention", info: "idle" };
function fromHistory(doc) {
  const unread = doc.history.read_at ? null : "Not read from the database yet.";
  const { incidents = [], gaps = [], cures = [] } = doc;
  $("incidents-count").textContent = incidents.length || "";
  const elsewhere = /^https?:/.test(doc.runbook);
  fill("incidents", incidents.map((one) => [state(SEVERITY[one.severity], one.severity), { text: words(one.kind), strong: true, small: one.summary }, when(one.opened_at), `${number(one.times_seen)} ×`, { text: "Runbook", href: elsewhere ? `${doc.runbook}#${one.kind}` : `/runbook/${one.kind}` }]), unread ?? "Nothing is wrong that anybody was told of.");
  $("gaps-count").textContent = gaps.length || "";
  fill("gaps", gaps.map((one) => [state(one.to_ts ? "idle" : "trouble", words(one.cause), one.to_ts ? one.detail : "still open"), when(one.from_ts), span(one.seconds), one.rows === null ? "–" : number(one.rows), one.instrument ?? "every line", one.filled_by ?? "no"]), unread ?? "Nothing is missing.");
  fill("switches", doc.switches.map((one) => [when(one.at), `${one.from_provider} → ${one.to_provider}`, words(one.cause), number(one.instruments), one.names.join(", ") + (one.instruments > one.names.length ? ", …" : ""), span(one.stale_s)]), doc.live.providers.backups.length ? "No switch: every row came from the primary." : "There is no backup provider.");
  fill("cures", cures.map((one) => [when(one.begun_at), one.instrument ?? "all", words(one.cause), words(one.cure), state({ cured: "good", failed: "trouble", running: "attention" }[one.state] ?? "idle", one.state), one.reason ?? ""]), unread ?? "No line had to be cured.");
  const changes = doc.timeline.tracks.flatMap((track) => track.segments.map((part) => [part.begin, track.name, part.state, part.why ?? ""]));
  changes.sort((a, b) => (a[0] < b[0] ? 1 : -1));
  fill("changes", changes.slice(0, 60).map(([at, track, now, why]) => [when(at), track, now, why]), "No change.");
}

drawLegend($("legend"));
const latency = new Chart($("latency"), { unit: "ms", lines: [["p50_ms", "p50", "p50"], ["p99_ms", "p99", "p99"]] });
const rate = new Chart($("rate"), { unit: "/s", area: "ticks_per_s", lines: [["ticks_per_s", "ticks", "ticks"], ["rows_per_s", "rows", "rows"]] });
let newest = null;
function drawings(doc) {
  const minutes = Math.round((Date.parse(doc.timeline.end) - Date.parse(doc.timeline.begin)) / 60_000);
  $("range").textContent = minutes >= 60 ? "hour" : `${minutes} minutes`;
  drawTimeline($("timeline"), doc.timeline);
  const stream = doc.timeline.tracks.find((track) => track.name === "stream");
  const lost = (stream?.segments ?? []).filter((part) => !["ready", "suspect"].includes(part.state)).map((part) => [Date.parse(part.begin), Date.parse(part.end)]);
  const range = { begin: Date.parse(doc.timeline.begin), end: Date.parse(doc.timeline.end), lost };
  const { feed, rates } = doc.live;
  latency.draw(doc.series, { ...range, now: { p50_ms: feed.p50_ms, p99_ms: feed.p99_ms } });
  rate.draw(doc.series, { ...range, now: rates });
}

function show(doc) {
  const [sign, word] = LEVELS[doc.level], { live } = doc, body = document.body;
  if (body.dataset.level !== doc.level) $("told").textContent = `${word}: ${doc.sentence} ${doc.more.join(" ")}`;
  body.dataset.level = doc.level;
  $("badge").querySelector(".sign").textContent = sign;
  $("badge").querySelector(".word").textContent = word;
  $("sentence").textContent = doc.sentence;
  $("more").textContent = doc.more.join(" ");
  $("sidecar").textContent = live.sidecar;
  document.title = `${sign} ${word} – ibkeeper ${live.sidecar}`;
  const up = (Date.parse(live.at) - Date.parse(live.started_at)) / 1000;
  $("since").textContent = `Up for ${span(up)}, version ${live.version}. ${doc.ready ? "Ready: rows stream and are committed." : "Not ready."}`;
  $("local").textContent = clock.format(new Date(live.at)) + (zoneIsUtc() ? " UTC" : "");
  $("utc").textContent = zoneIsUtc() ? "" : `${utcClock.format(new Date(live.at))} UTC`;
  const { read_at, error } = doc.history;
  $("stale").hidden = !error;
  if (error) $("stale").textContent = `The database does not answer this page. ${read_at ? `Gaps, incidents and cures are as read at ${clock.format(new Date(read_at))}.` : "Gaps, incidents and cures are not known yet."} Everything else is live.`;
  figures(live); tables(doc); drawings(doc);
  newest = doc;
}
function offline(why) {
  document.body.classList.add("offline");
  const since = newest ? ` What is shown is of ${clock.format(new Date(newest.live.at))}.` : "";
  $("offline").textContent = `The sidecar does not answer (${why}).${since}`;
  $("offline").hidden = false;
  document.title = "✕ No answer – ibkeeper";
}
async function ask() {
  try {
    const answer = await fetch("/status.json", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const doc = await answer.json();
    document.body.classList.remove("offline");
    $("offline").hidden = true;
    show(doc);
  } catch (failure) {
    offline(failure.name === "TimeoutError" ? "no answer in 5 s" : failure.message);
  }
}
async function forever() {
  for (;;) {
    if (!document.hidden) await ask();
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}
addEventListener("resize", () => newest && drawings(newest));
document.addEventListener("visibilitychange", () => document.hidden || ask());
forever();
