// SPDX-License-Identifier: Apache-2.0
//
// spark - a group's lag over the last hour, small. Fetched for rows in sight alone, a few at a time.

import { get, groupPath, now } from "./api.js";
import { h } from "./dom.js";
import { exact } from "./format.js";

const KEPT_MS = 60000;
const AT_A_TIME = 3;
const ENTRIES_MAX = 2000;
const WIDTH = 96;
const HEIGHT = 22;

const known = new Map(); // group id -> {at, points}
const queue = new Map(); // group id -> group
let running = 0;

async function work(redraw) {
	running++;
	for (const [id, g] of queue) {
		queue.delete(id);
		try {
			const answer = await get(groupPath(g, "/history", "from=-1h"));
			known.set(id, { at: now(), points: trim(answer) });
		} catch {
			known.set(id, { at: now(), points: known.get(id)?.points ?? [] });
		}
	}
	running--;
	if (known.size > ENTRIES_MAX)
		known.clear();
	redraw();
}

function trim(answer) {
	return answer.lag.map((lag, i) => [answer.at_ms[i], lag]).filter(([, lag]) => lag !== null);
}

// Ask for what the groups in sight still lack; what was asked for others is given up.
export function want(groups, redraw) {
	queue.clear();
	for (const g of groups)
		if (now() - (known.get(g.id)?.at ?? 0) > KEPT_MS)
			queue.set(g.id, g);
	while (queue.size > running && running < AT_A_TIME)
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
