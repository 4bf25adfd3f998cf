// SPDX-License-Identifier: Apache-2.0
//
// parts - what more than one view shows: a status, a cluster's freshness, an empty state, links.

import { now } from "./api.js";
import { h } from "./dom.js";
import { ago, count, duration, exact } from "./format.js";
import { clusterKey } from "./lists.js";

// Every status has a shape of its own beside its colour and its name.
const SHAPES = {
	OK: ["M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z", "M5 8.2l2.1 2.1L11 6.2"],
	WARN: ["M8 1.8 15 14H1Z", "M8 6.2v3.6M8 11.8v.1"],
	ERR: ["M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2Z", "M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6"],
	STOP: ["M2 2h12v12H2Z", "M5.5 8h5"],
	STALL: ["M2 2h12v12H2Z", "M6 5.3v5.4M10 5.3v5.4"],
	REWIND: ["M2 2h12v12H2Z", "M8 5 5 8l3 3M11.5 5l-3 3 3 3"],
	NOTFOUND: ["M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z", "M5.5 8h5"],
};
const LEVELS = { OK: "ok", WARN: "warn", NOTFOUND: "none" };
const RANKS = { NOTFOUND: 0, OK: 1, WARN: 2, ERR: 3, STOP: 4, STALL: 4, REWIND: 4 };

export function level(status) {
	return LEVELS[status] ?? "err";
}

export function rank(status) {
	return RANKS[status] ?? 3;
}

export function glyph(status) {
	const [outline, sign] = SHAPES[status] ?? SHAPES.NOTFOUND;
	return h("svg", { class: `glyph ${level(status)}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
		h("path", { class: "outline", d: outline }), h("path", { class: "sign", d: sign }));
}

// A status by other words.
export function badgeOf(status, text) {
	return h("span", { class: `badge ${level(status)}` }, glyph(status), h("span", null, text));
}

export function badge(status) {
	return badgeOf(status, status === "NOTFOUND" ? "NEW" : status);
}

// A number whose short form tells the whole one when pointed at.
export function big(n) {
	return h("span", { title: n === null ? null : exact(n) }, count(n));
}

// Of a cluster, or what is in one: "ENVIRONMENT / cluster".
export function placeOf(c) {
	return [c.environment, c.cluster].filter(Boolean).join(" / ");
}

export function groupLink(g) {
	const parts = [g.environment || "~", g.cluster, g.group];
	return `#/group/${parts.map(encodeURIComponent).join("/")}`;
}

export function clusterLink(c) {
	return `#/groups?cluster=${encodeURIComponent(clusterKey(c))}`;
}

export function byName(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}

export function furthestBehind(a, b) {
	return (b.time_lag_ms ?? -1) - (a.time_lag_ms ?? -1) || b.lag - a.lag || byName(a.id, b.id);
}

// Worst first: by status, then by how long the oldest message waits. Those that are well stand by
// name: their lag goes up and down all the time, and rows that jump cannot be clicked.
export function worst(a, b) {
	return rank(b.status) - rank(a.status) || (rank(a.status) > 1 ? furthestBehind(a, b) : byName(a.id, b.id));
}

// Null if all is well, else what is wrong with how a cluster is seen.
export function blindness(c) {
	const age = now() - c.as_of_ms;
	if (c.agent.problem)
		return c.agent.problem;
	if (age > 3 * c.interval_ms + 10000)
		return `Nothing new from the agent for ${duration(age)}`;
	if (c.agent.state === "blind")
		return "The agent does not see the cluster";
	if (c.agent.state === "catching_up" || c.agent.state === "starting")
		return "The agent is reading the offsets topic for the first time";
	return c.stale ? "Some of what is shown is old" : null;
}

export function freshness(c) {
	const problem = blindness(c);
	return h("span", { class: problem ? "fresh warn" : "fresh" },
		h("span", { class: "pulse", "aria-hidden": "true" }), ago(now() - c.as_of_ms));
}

export function note(text, kind = "warn") {
	return h("p", { key: text, class: `note ${kind}` }, glyph(kind === "warn" ? "WARN" : "ERR"), h("span", null, text));
}

export function empty(title, text, ...more) {
	return h("div", { class: "empty" },
		h("svg", { viewBox: "0 0 48 32", class: "burrow", "aria-hidden": "true" },
			h("path", { d: "M2 24c8 0 9-14 17-14s8 14 14 14 6-7 13-7" }),
			h("path", { d: "M2 30h44" })),
		h("h2", null, title), h("p", null, text), more);
}

// Grey shapes where content will be.
export function skeleton(rows) {
	return h("div", { class: "skeleton", role: "status", "aria-label": "Loading" },
		Array.from({ length: rows }, () => h("div", { class: "bone" })));
}

export function fact(label, value, hint) {
	return h("div", { class: "fact" }, h("dt", null, label), h("dd", null, value),
		hint ? h("dd", { class: "hint" }, hint) : null);
}

// Where this is: [text, address] of the list that it is in, and what stands between.
export function crumbs(list, ...kids) {
	return h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: list[1] }, list[0]),
		h("span", { "aria-hidden": "true" }, "/"), kids);
}

// The lists of incidents and of what is kept from being told, of which one is looked at.
export function tabs(at, ...more) {
	const tab = (name, text, href) => h("a", { key: name, href, "aria-current": at === name ? "page" : null }, text);
	return h("div", { class: "tabs-bar" }, h("nav", { class: "tabs", "aria-label": "Which incidents" },
		tab("open", "Open", "#/incidents"), tab("past", "Past", "#/incidents?show=past"),
		tab("silences", "Silences", "#/silences")), more);
}
