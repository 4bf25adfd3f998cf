// SPDX-License-Identifier: Apache-2.0
//
// picture - where the log ends, what is committed, and the lag between them over time: of a group, or
// of one of its partitions. With the window that the verdict looks at, and the verdict in words.

import { choice, segments } from "./controls.js";
import { h } from "./dom.js";
import { duration, exact, moment, reason } from "./format.js";
import { inWords, plot } from "./plot.js";
import { nameOf, RANGES, rangeOf } from "./series.js";

let cursor = null; // where the reader points at, in ms

export function leave() {
	cursor = null;
}

// The index of what stands at the cursor, or last.
function at(columns) {
	if (!columns || columns[0].length === 0)
		return null;
	if (cursor === null)
		return columns[0].length - 1;
	const away = (i) => Math.abs(columns[0][i] * 1000 - cursor);
	return columns[0].reduce((best, _, i) => (away(i) < away(best) ? i : best), 0);
}

function chartOf(ctx, data, kind, columns, label) {
	const { g } = data;
	const [, span] = rangeOf(data.range);
	const point = (index) => {
		const ms = index === null || index === undefined ? null : columns[0][index] * 1000;
		if (ms !== cursor) {
			cursor = ms;
			ctx.redraw();
		}
	};
	return plot(kind, { data: columns, span: { from: g.as_of_ms - span, to: g.as_of_ms },
		window: data.judged?.window ?? null, ribbon: kind === "offsets" ? null : data.ribbon, onPoint: point }, label);
}

function swatch(name, text, value) {
	return h("span", { class: "legend-item" }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
		text, " ", h("b", null, value));
}

function legend({ g, lines, lag, inTime }) {
	const i = at(lines);
	const j = at(lag);
	const text = inTime ? duration : exact;
	return h("div", { class: "legend" },
		i === null ? null : [swatch("end", "Log end", exact(lines[1][i])),
			swatch("committed", "Committed", exact(lines[2][i]))],
		j === null ? null : swatch("lag", "Lag", text(lag[1][j])),
		h("span", { class: "muted" }, cursor === null ? (g.stale ? moment(g.as_of_ms) : "now") : moment(cursor)));
}

function partitionChoice(ctx, { g, chosen }) {
	const names = g.partitions.map(nameOf);
	return choice("Partition", chosen ? nameOf(chosen) : "",
		[["", names.length > 1 ? `${exact(names.length)} partitions together` : "The group"],
			...names.map((name) => [name, name])],
		(p) => ctx.setQuery({ p }));
}

function sign(name, text) {
	return h("span", { key: text, class: "legend-item" },
		h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), text);
}

// What the shades mean, and why the verdict is what it is.
function judgement({ chosen, judged }) {
	if (!judged)
		return null;
	const { pace: { commits }, window, numbers, pending } = judged;
	const { rule } = judged.judged;
	const whose = chosen ? "the verdict" : `the verdict on ${nameOf(judged)}`;
	const seen = `${Math.round(numbers.complete * 100)}% of it seen`;
	return h("div", { class: "judgement" },
		sign("window", `The ${duration(window.to_ms - window.from_ms)} that ${whose} looks at, ${seen}`),
		window.blind.length > 0 ? sign("blind", "Not seen") : null,
		sign("ribbon", "Status over time: higher is worse"),
		rule ? h("span", null, `Rule ${rule}: ${reason(judged.judged.reason).toLowerCase()}`) : null,
		commits.known ? h("span", null, `Usually commits every ${duration(commits.usual_ms)}, ` +
			`may be silent for ${duration(commits.limit_ms)}`) : null,
		pending ? h("span", null, `Turns ${pending.status} if it stays so ` +
			`(${pending.passes} of ${pending.passes_needed} passes)`) : null);
}

const MEASURES = [["", "Messages"], ["time", "Time"]];

// data: {g, chosen: the partition or null, lines: its offsets or the group's, judged: the explanation of
// the partition that the verdict hangs on, ribbon: the history with statuses, lag: its
// columns, in messages or in time, range}.
export function picture(ctx, data) {
	const { lines, lag, inTime } = data;
	return h("section", { class: "card picture", "aria-label": "Offsets and lag over time" },
		h("div", { class: "picture-head" }, partitionChoice(ctx, data),
			segments("Time range", data.range, RANGES.map(([name]) => [name, name]),
				(name) => ctx.setQuery({ range: name === RANGES[0][0] ? "" : name }))),
		legend(data),
		lines ? chartOf(ctx, data, "offsets", lines, inWords(lines, "Log end", exact))
			: h("p", { class: "muted plot-none" }, "Nothing has been committed yet."),
		h("div", { class: "picture-head below" }, h("b", null, "Lag"),
			segments("Lag in", inTime ? "time" : "", MEASURES, (measure) => ctx.setQuery({ lag: measure }))),
		chartOf(ctx, data, inTime ? "time" : "lag", lag, inWords(lag, "Lag", inTime ? duration : exact)),
		judgement(data));
}
