// SPDX-License-Identifier: Apache-2.0
//
// chart - where the log ends and what is committed, with the lag between them, over time.
//
// Kinds: "offsets", and below it "lag" in messages or "time", the same in time.

import uPlot from "./uplot/uPlot.esm.js";
import { count, duration } from "./format.js";
import { level } from "./parts.js";

const RIBBON = { ok: 3, warn: 6, err: 10 }; // px: a status is told by height as well as by colour
const STRIP = 0.12; // of the chart's height is for statuses
const GUTTER = 62;

function colour(name) {
	const probe = document.createElement("span");
	probe.className = `probe-${name}`;
	document.body.append(probe);
	const value = getComputedStyle(probe).color;
	probe.remove();
	return value;
}

function colours() {
	const names = ["text", "grid", "end", "committed", "lag", "lag-fill", "window", "blind", "ok", "warn", "err"];
	return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

function brief(value) {
	return value < 0 ? "" : count(value).replace(/\.0+(?=[kMGTP])/, "").replace(/(\.[1-9])0(?=[kMGTP])/, "$1");
}

// Steps of an axis of durations, in ms.
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800,
	432000, 864000].map((s) => s * 1000);

function axes(c, kind) {
	const font = "12px system-ui, sans-serif";
	const common = { stroke: c.text, font, grid: { stroke: c.grid, width: 1 }, ticks: { show: false } };
	const x = kind === "offsets" ? { size: 6, values: (u, at) => at.map(() => "") } // the chart below has them
		: { size: 26, gap: 6, values: (u, at) => labels(at) };
	const y = kind === "time" ? { incrs: STEPS, values: (u, values) => values.map((ms) => (ms < 0 ? "" : duration(ms))) }
		: { values: (u, values) => values.map(brief) };
	return [{ ...common, space: 70, ...x }, { ...common, size: GUTTER, space: 36, ...y }];
}

const days = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const minutes = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });

// Hours within a day, else days.
function labels(at) {
	const span = at.length > 1 ? at[at.length - 1] - at[0] : 0;
	const step = at.length > 1 ? at[1] - at[0] : 0;
	return at.map((s) => {
		const date = new Date(s * 1000);
		if (step >= 86400 || (span > 86400 && date.getHours() === 0 && date.getMinutes() === 0))
			return days.format(date);
		return (step < 60 ? seconds : minutes).format(date);
	});
}

function clip(u, from, to) {
	const { left, width } = u.bbox;
	const x = (ms) => Math.max(left, Math.min(left + width, u.valToPos(ms / 1000, "x", true)));
	return [x(from), x(to)];
}

// The window that the verdict looks at, and in it the times when nothing was seen.
function drawWindow(u, c, judged) {
	if (!judged)
		return;
	const { top, height } = u.bbox;
	const [x0, x1] = clip(u, judged.from_ms, judged.to_ms);
	u.ctx.save();
	u.ctx.fillStyle = c.window;
	u.ctx.fillRect(x0, top, x1 - x0, height);
	u.ctx.fillStyle = c.blind;
	for (const gap of judged.blind) {
		const [a, b] = clip(u, gap.from_ms, gap.to_ms);
		u.ctx.fillRect(a, top, Math.max(b - a, 1), height);
	}
	u.ctx.restore();
}

// Stretches of one status.
function runs(ribbon) {
	const list = [];
	ribbon.at_ms.forEach((at, i) => {
		const last = list[list.length - 1];
		const name = ribbon.status[i] === null ? null : level(ribbon.status[i]);
		if (name !== null && last?.name === name && last.to >= at)
			last.to = at + ribbon.step_ms;
		else if (name !== null)
			list.push({ name, from: at, to: at + ribbon.step_ms });
	});
	return list;
}

function drawRibbon(u, c, ribbon) {
	if (!ribbon)
		return;
	const { top, height } = u.bbox;
	const scale = devicePixelRatio;
	u.ctx.save();
	for (const { name, from, to } of runs(ribbon)) {
		const high = (RIBBON[name] ?? 3) * scale;
		const [x0, x1] = clip(u, from, to);
		u.ctx.fillStyle = c[name] ?? c.ok;
		u.ctx.fillRect(x0, top + height - high, Math.max(x1 - x0, 0), high);
	}
	u.ctx.restore();
}

function series(kind, c) {
	if (kind === "offsets")
		return [{}, { stroke: c.end, width: 2, points: { show: false } },
			{ stroke: c.committed, width: 2, points: { show: false } }];
	return [{}, { stroke: c.lag, width: 1.5, fill: c["lag-fill"], fillTo: 0, points: { show: false } }];
}

// Room above and below; a lag starts at 0, above the strip of statuses, offsets do not.
function range(kind) {
	const least = kind === "time" ? 5000 : 5;
	return (u, min, max) => {
		const room = Math.max((max - min) * 0.08, 1);
		const top = Math.max(max * 1.12, least);
		return kind === "offsets" ? [Math.max(min - room, 0), max + room] : [-top * STRIP, top];
	};
}

function options(el, kind, chart) {
	const c = colours();
	return {
		width: el.clientWidth, height: el.clientHeight,
		padding: [8, 20, 0, 0],
		legend: { show: false },
		cursor: { y: false, drag: { x: false, y: false }, sync: { key: "group" }, points: { size: 7 } },
		scales: { x: { range: () => [chart.span.from / 1000, chart.span.to / 1000] }, y: { range: range(kind) } },
		axes: axes(c, kind),
		series: series(kind, c),
		bands: kind === "offsets" ? [{ series: [1, 2], fill: c["lag-fill"] }] : [],
		hooks: {
			drawClear: [(u) => drawWindow(u, c, chart.window)],
			draw: [(u) => kind !== "offsets" && drawRibbon(u, c, chart.ribbon)],
			setCursor: [(u) => chart.onPoint(u.cursor.idx)],
		},
	};
}

// Colours are the canvas's own: with others it is made anew.
function signature() {
	return [document.documentElement.dataset.theme, matchMedia("(prefers-color-scheme: dark)").matches].join();
}

// Show chart in el: {data: columns for uPlot, span: {from, to}, window, ribbon, onPoint}. With the
// same columns as before nothing has changed.
export function show(el, kind, chart) {
	const key = signature();
	if (el.plot && el.plotKey !== key) {
		el.plot.destroy();
		el.plot = null;
	}
	const before = el.chart?.data;
	el.chart = Object.assign(el.chart ?? {}, chart);
	if (!el.plot) {
		el.plotKey = key;
		el.plot = new uPlot(options(el, kind, el.chart), chart.data, el);
		el.watch ??= new ResizeObserver(() => el.plot?.setSize({ width: el.clientWidth, height: el.clientHeight }));
		el.watch.observe(el);
	} else if (chart.data !== before) {
		el.plot.setData(chart.data);
	}
}

export function end(el) {
	el.watch?.disconnect();
	el.plot?.destroy();
	el.plot = null;
}
