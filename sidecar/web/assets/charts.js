// Drawings of the page, by hand: the time line and the two charts. Pixels are CSS pixels, so text
// keeps its size on a phone; each drawing is made anew from data, nothing is kept but the cursor.

const SVG = "http://www.w3.org/2000/svg";
const SHOWN = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const UTC = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" });
export const zoneIsUtc = () => new Date().getTimezoneOffset() === 0;

export function el(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function patterns() {
  const hatch = el("pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    el("rect", { width: 7, height: 7, class: "h-attention" }), el("line", { x1: 0, x2: 0, y1: 0, y2: 7, class: "h-card", "stroke-width": 4 }));
  const cross = el("pattern", { id: "cross", width: 7, height: 7, patternUnits: "userSpaceOnUse" },
    el("rect", { width: 7, height: 7, class: "h-trouble" }), el("path", { d: "M0 0L7 7M7 0L0 7", class: "h-card", "stroke-width": 1 }));
  const dots = el("pattern", { id: "dots", width: 5, height: 5, patternUnits: "userSpaceOnUse" },
    el("circle", { cx: 2.5, cy: 2.5, r: 1.2, class: "h-idle" }));
  return el("defs", {}, hatch, cross, dots);
}

const classOf = (state) => `s-${state.replaceAll(" ", "-")}`;
// The height of a stretch says what the colour says: full, most, half, a line.
const HEIGHT = { ready: 1, ib: 1, standby: 1, alpaca: 1, suspect: 0.8, "link lost": 0.8, connecting: 0.5, waiting: 0.4, stopped: 0.4, down: 0.4 };

function axis(svg, begin, end, left, right, y) {
  const minutes = (end - begin) / 60_000, room = (right - left) / 78;
  const step = ([1, 2, 5, 10, 15, 20].find((each) => minutes / each <= room) ?? 30) * 60_000;
  for (let t = Math.ceil(begin / step) * step; t <= end; t += step) {
    const x = left + ((t - begin) / (end - begin)) * (right - left);
    if (x > right - 28 || x < left + 28) continue;
    svg.append(el("line", { x1: x, x2: x, y1: 0, y2: y, class: "rule" }));
    svg.append(el("text", { x, y: y + 14, "text-anchor": "middle" }, SHOWN.format(t)));
    if (!zoneIsUtc()) svg.append(el("text", { x, y: y + 27, "text-anchor": "middle" }, `${UTC.format(t)} UTC`));
  }
}

export function drawTimeline(box, timeline) {
  const width = box.clientWidth, row = 42, bar = 18;
  const tracks = timeline.tracks, height = tracks.length * row;
  const begin = Date.parse(timeline.begin), end = Date.parse(timeline.end);
  const foot = zoneIsUtc() ? 20 : 33;
  const svg = el("svg", { class: "plot", viewBox: `0 0 ${width} ${height + foot}`, role: "img", "aria-label": spoken(tracks) }, patterns());
  axis(svg, begin, end, 0, width, height);
  tracks.forEach((track, index) => {
    const top = index * row + 20;
    const now = track.segments.at(-1)?.state ?? "no record";
    svg.append(el("text", { x: 0, y: top - 6, class: "name" }, `${track.name}: ${now}`));
    svg.append(el("rect", { x: 0, y: top, width, height: bar, rx: 3, class: "track" }));
    for (const part of track.segments) svg.append(stretch(part, begin, end, { width, top, bar }));
  });
  box.replaceChildren(svg);
}

function stretch(part, begin, end, { width, top, bar }) {
  const x = ((Date.parse(part.begin) - begin) / (end - begin)) * width;
  const wide = Math.max(2, ((Date.parse(part.end) - Date.parse(part.begin)) / (end - begin)) * width);
  const high = bar * (HEIGHT[part.state] ?? 0.6);
  const group = el("g", {}, el("rect", { x, y: top + bar - high, width: wide, height: high, rx: Math.min(3, wide / 2), class: classOf(part.state) }));
  const why = part.why ? `: ${part.why}` : "";
  group.append(el("title", {}, `${SHOWN.format(Date.parse(part.begin))} to ${SHOWN.format(Date.parse(part.end))} ${part.state}${why}`));
  if (wide > 60 && high === bar) group.append(el("text", { x: x + 7, y: top + bar - 5, class: "in" }, part.state));
  return group;
}

const spoken = (tracks) => tracks.map((t) => `${t.name} is ${t.segments.at(-1)?.state ?? "unknown"}, ${Math.max(0, t.segments.length - 1)} changes in this time`).join("; ");

export const STATES = [
  ["ready", "ready"], ["suspect", "back, lines being verified"], ["link lost", "gateway has lost IB"],
  ["connecting", "connecting"], ["waiting", "waits to try again"], ["down", "stopped or down"], ["ib", "from IB"], ["standby", "from a backup"],
];

export function drawLegend(list) {
  list.replaceChildren(...STATES.map(([state, words]) => {
    const high = 12 * (HEIGHT[state] ?? 1);
    const key = el("svg", { width: 20, height: 12, "aria-hidden": "true" }, el("rect", { x: 0, y: 12 - high, width: 20, height: high, rx: 2, class: classOf(state) }));
    const item = document.createElement("li");
    item.append(key, words);
    return item;
  }));
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((top) => top >= most) ?? most;
}

// One chart: `lines` are [key, class, name], `unit` is written at the axis and in the readout.
export class Chart {
  constructor(figure, { lines, unit, area }) {
    this.figure = figure; this.box = figure.querySelector(".drawing"); this.readout = figure.querySelector(".readout");
    this.lines = lines; this.unit = unit; this.area = area; this.at = null;
    figure.addEventListener("pointermove", (event) => this.point(event.clientX - this.box.getBoundingClientRect().left));
    figure.addEventListener("pointerleave", () => this.pick(null));
    figure.addEventListener("blur", () => this.pick(null));
    figure.addEventListener("keydown", (event) => this.key(event));
  }
  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.series) return;
    event.preventDefault();
    const last = this.series.at.length - 1;
    this.pick(Math.min(last, Math.max(0, (this.at ?? last) + step)));
  }
  point(x) {
    if (!this.series?.at.length) return;
    const t = this.begin + (x / this.box.clientWidth) * (this.end - this.begin);
    let best = 0;
    this.series.at.forEach((at, i) => { if (Math.abs(at * 1000 - t) < Math.abs(this.series.at[best] * 1000 - t)) best = i; });
    this.pick(best);
  }
  pick(index) { this.at = index; if (this.series) this.redraw(); }
  draw(series, { begin, end, lost, now }) {
    Object.assign(this, { series, begin, end, lost, now });
    if (this.at !== null && this.at >= series.at.length) this.at = null;
    this.redraw();
  }
  x(t) { return ((t - this.begin) / (this.end - this.begin)) * this.width; }
  y(value) { return this.top + (1 - value / this.most) * (this.height - this.top); }
  redraw() {
    this.width = this.box.clientWidth; this.height = 150; this.top = 16;
    const values = this.lines.flatMap(([key]) => this.series[key]).filter((value) => value !== null);
    this.most = nice(Math.max(1, ...values));
    const foot = zoneIsUtc() ? 20 : 33;
    const svg = el("svg", { class: "plot", viewBox: `0 0 ${this.width} ${this.height + foot}`, role: "img", "aria-label": this.spoken(values) });
    for (const [from, to] of this.lost) svg.append(el("rect", { x: this.x(from), y: this.top, width: Math.max(1, this.x(to) - this.x(from)), height: this.height - this.top, class: "lost" }));
    axis(svg, this.begin, this.end, 0, this.width, this.height);
    for (const share of [0, 0.5, 1]) {
      const y = this.y(share * this.most);
      svg.append(el("line", { x1: 0, x2: this.width, y1: y, y2: y, class: "rule" }));
      if (share) svg.append(el("text", { x: 0, y: y - 4 }, `${Number((share * this.most).toPrecision(3)).toLocaleString()} ${this.unit}`));
    }
    this.lines.forEach(([key, name]) => this.curve(svg, key, name));
    if (this.at !== null) svg.append(el("line", { x1: this.x(this.series.at[this.at] * 1000), x2: this.x(this.series.at[this.at] * 1000), y1: this.top, y2: this.height, class: "cursor" }));
    this.box.replaceChildren(svg);
    this.say();
  }
  curve(svg, key, name) {
    const { at } = this.series, values = this.series[key];
    const runs = []; let run = [];
    at.forEach((t, i) => {
      const broken = i && t - at[i - 1] > 150;
      if (run.length && (broken || values[i] === null)) { runs.push(run); run = []; }
      if (values[i] !== null && t * 1000 >= this.begin) run.push([this.x(t * 1000), this.y(values[i])]);
    });
    if (run.length) runs.push(run);
    for (const points of runs) {
      const path = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
      if (this.area === key) svg.append(el("path", { d: `${path}L${points.at(-1)[0].toFixed(1)} ${this.height}L${points[0][0].toFixed(1)} ${this.height}Z`, class: "area" }));
      svg.append(el("path", { d: points.length > 1 ? path : `${path}h1`, class: `line ${name}` }));
    }
  }
  spoken(values) {
    if (!values.length) return "Nothing recorded yet.";
    return this.lines.map(([key, , words]) => `${words} ${this.figureOf(this.now[key])} now, at most ${this.figureOf(Math.max(...this.series[key].filter((v) => v !== null), 0))} in this time`).join("; ");
  }
  figureOf(value) { return value === null || value === undefined ? "–" : `${value >= 100 ? Math.round(value).toLocaleString() : Number(value.toFixed(1))} ${this.unit}`; }
  say() {
    const picked = this.at === null ? this.now : Object.fromEntries(this.lines.map(([key]) => [key, this.series[key][this.at]]));
    const parts = this.lines.flatMap(([key, name, words]) => {
      const swatch = document.createElement("span"); swatch.className = `swatch b-${name}`;
      const value = document.createElement("b"); value.textContent = this.figureOf(picked[key]);
      return [swatch, `${words} `, value, " "];
    });
    const when = this.at === null ? "now " : `${SHOWN.format(this.series.at[this.at] * 1000)} `;
    this.readout.replaceChildren(when, ...parts);
  }
}
