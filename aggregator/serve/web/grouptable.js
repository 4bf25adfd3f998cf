// SPDX-License-Identifier: Apache-2.0
//
// grouptable - a table of groups. Only the rows in sight exist, so ten thousand groups scroll like
// ten.

import { now } from "./api.js";
import { h } from "./dom.js";
import { duration, moment, reason } from "./format.js";
import { badge, big, byName, groupLink, placeOf, worst } from "./parts.js";
import { spark, want } from "./spark.js";

const BEYOND = 6; // rows kept above and below what is in sight

export const COLUMNS = [
	{ key: "status", name: "Status", sort: worst },
	{ key: "group", name: "Group", sort: (a, b) => byName(a.group, b.group) || byName(a.id, b.id) },
	{ key: "cluster", name: "Cluster", sort: (a, b) => byName(a.cluster, b.cluster) || worst(a, b) },
	{ key: "reason", name: "Why" },
	{ key: "trend", name: "Last hour" },
	{ key: "lag", name: "Lag", sort: (a, b) => b.lag - a.lag || byName(a.id, b.id) },
	{ key: "time", name: "Oldest unread",
		sort: (a, b) => (b.time_lag_ms ?? -1) - (a.time_lag_ms ?? -1) || byName(a.id, b.id) },
	{ key: "since", name: "For", sort: (a, b) => b.since_ms - a.since_ms || byName(a.id, b.id) },
];

function row(g, index, selected) {
	const since = g.since_ms === null ? null : now() - g.since_ms;
	const place = placeOf(g);
	const cell = (name, ...kids) => h("div", { class: `cell ${name}`, role: "cell" }, kids);
	return h("div", { key: g.id, class: `row ${selected ? "selected" : ""} ${g.stale ? "stale" : ""}`, role: "row",
		"aria-rowindex": index + 2 },
	cell("status", badge(g.status)),
	cell("group", h("a", { class: "cover row-link", href: groupLink(g), title: g.group }, g.group)),
	cell("cluster", h("span", { title: place }, place)),
	cell("reason", h("span", { title: g.sentence }, reason(g.reason))),
	cell("trend", spark(g)),
	cell("lag num", big(g.lag)),
	cell("time num", duration(g.time_lag_ms, g.time_lag_at_least)),
	cell("since num", h("span", { title: moment(g.since_ms) }, duration(since))));
}

function header(sort, onSort) {
	const column = (c) => {
		const on = sort?.key === c.key;
		const order = on ? (sort.reverse ? "descending" : "ascending") : null;
		return h("div", { class: `cell ${c.key}`, role: "columnheader", "aria-sort": order },
			c.sort && onSort
				? h("button", { class: "sort", onClick: () => onSort(c.key) }, c.name,
					h("span", { class: "arrow", "aria-hidden": "true" }, on ? (sort.reverse ? "↑" : "↓") : ""))
				: c.name);
	};
	return h("div", { class: "row head", role: "row", "aria-rowindex": 1 }, COLUMNS.map(column));
}

function rowHeight() {
	return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 46;
}

// Which rows are in sight, from where the rows were drawn last.
function inSight(total) {
	const high = rowHeight();
	const top = document.querySelector(".rows")?.getBoundingClientRect().top ?? 300;
	const first = Math.min(Math.max(Math.floor(-top / high) - BEYOND, 0), total);
	const last = Math.min(Math.ceil((window.innerHeight - top) / high) + BEYOND, total);
	return { high, first, last: Math.max(last, first) };
}

function pad(rows, high) {
	return h("div", { class: "pad", "aria-hidden": "true", update: (el) => {
		el.style.blockSize = `${rows * high}px`;
	} });
}

// A table of groups. sort and onSort make its headings sort; selected is the index of a row; whole:
// also the rows out of sight, as on paper.
export function groupTable(ctx, groups, { label, sort, onSort, selected = -1, whole }) {
	const sight = inSight(groups.length);
	const at = whole || ctx.state.printing ? { ...sight, first: 0, last: groups.length } : sight;
	const shown = groups.slice(at.first, at.last);
	want(shown, ctx.redraw);
	return h("div", { class: "card table", role: "table", "aria-label": label,
		"aria-rowcount": groups.length + 1 },
	h("div", { role: "rowgroup" }, header(sort, onSort)),
	h("div", { class: "rows", role: "rowgroup", recycle: true }, pad(at.first, at.high),
		shown.map((g, i) => row(g, at.first + i, at.first + i === selected)),
		pad(groups.length - at.last, at.high)));
}

// Scroll so that the row of that index is in sight.
export function reveal(index) {
	const high = rowHeight();
	const rows = document.querySelector(".rows");
	const y = rows.getBoundingClientRect().top + index * high;
	const head = document.querySelector(".shell-head").offsetHeight + high;
	if (y < head)
		window.scrollBy(0, y - head);
	else if (y + high > window.innerHeight - 8)
		window.scrollBy(0, y + high - window.innerHeight + 8);
}
