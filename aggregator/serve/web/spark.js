// SPDX-License-Identifier: Apache-2.0
//
// spark - a group's lag over the last hour, small. Fetched for the rows in sight alone, many in one
// request.

import { get, now } from "./api.js";
import { h } from "./dom.js";
import { exact } from "./format.js";

const KEPT_MS = 60000;
const AT_ONCE = 100; // groups, and bytes of their names, that the server takes in one request
const BYTES_MAX = 6000;
const ENTRIES_MAX = 2000;
const WIDTH = 96;
const HEIGHT = 22;

const known = new Map(); // group id -> {at, points}
let lacking = new Set(); // ids of the groups in sight
let running = false;

const parameter = (id) => `group=${encodeURIComponent(id)}`;

// The first of the groups, as many as one request may name.
function batch(ids) {
	let size = 0;
	const end = ids.findIndex((id, i) => {
		size += parameter(id).length + 1;
		return i > 0 && size > BYTES_MAX;
	});
	return ids.slice(0, end < 0 ? AT_ONCE : Math.min(end, AT_ONCE));
}

async function ask(ids) {
	const { groups } = await get(`sparklines?${ids.map(parameter).join("&")}`);
	return new Map(groups.map((g) => [`${g.environment}/${g.cluster}/${g.group}`, trim(g)]));
}

async function work(redraw) {
	running = true;
	while (lacking.size > 0) {
		const ids = batch([...lacking]);
		const found = await ask(ids).catch(() => new Map());
		for (const id of ids) {
			lacking.delete(id);
			known.set(id, { at: now(), points: found.get(id) ?? known.get(id)?.points ?? [] });
		}
	}
	running = false;
	if (known.size > ENTRIES_MAX)
		known.clear();
	redraw();
}

function trim({ from_ms: from, step_ms: step, lag }) {
	return lag.map((value, i) => [from + i * step, value]).filter(([, value]) => value !== null);
}

// Ask for what the groups in sight still lack; what was asked for others is given up.
export function want(groups, redraw) {
	lacking = new Set(groups.map((g) => g.id).filter((id) => now() - (known.get(id)?.at ?? 0) > KEPT_MS));
	if (!running && lacking.size > 0)
		work(redraw);
}

export function spark(g) {
	const points = known.get(g.id)?.points;
	if (!points || points.length < 2)
		return h("span", { class: "spark" });
	const to = now();
	const top = Math.max(...points.map(([, lag]) => lag), 1);
	const place = ([at, lag]) => {
		const x = WIDTH * (1 - Math.min((to - at) / 3600000, 1));
		return `${x.toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 4) * lag / top).toFixed(1)}`;
	};
	const line = points.map(place).join(" ");
	return h("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
		"aria-label": `Lag in the last hour: at most ${exact(top)}` },
	h("polyline", { points: line }));
}
