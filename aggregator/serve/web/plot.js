// SPDX-License-Identifier: Apache-2.0
//
// plot - a place for a chart in a view. The charting library is loaded when the first one is needed.

import { h } from "./dom.js";

let chart = null;

function styles() {
	const link = document.createElement("link");
	link.rel = "stylesheet";
	link.href = "web/uplot/uPlot.min.css";
	document.head.append(link);
	return new Promise((done) => {
		link.onload = link.onerror = done;
	});
}

let loading = null;

// Until charts can be drawn.
export async function charts() {
	loading ??= Promise.all([import("./chart.js"), styles()]);
	try {
		[chart] = await loading;
	} catch (error) {
		loading = null; // to be tried again
		throw error;
	}
}

// A chart of that kind, see chart.js; label tells it to who cannot see it.
export function plot(kind, what, label, look = "") {
	return h("div", { key: kind, class: `plot ${kind} ${look}`, role: "img", "aria-label": label,
		mount: () => {}, update: (el) => chart.show(el, kind, what), unmount: chart.end });
}

// The second column in words.
export function inWords([, column], name, text) {
	const values = column.filter((v) => v !== null);
	if (values.length === 0)
		return `${name}: nothing known in this time`;
	return `${name}: from ${text(Math.min(...values))} to ${text(Math.max(...values))}, now ` +
		text(values[values.length - 1]);
}
