// SPDX-License-Identifier: Apache-2.0
//
// groups - the table of all groups of all clusters. Only the rows in sight exist, so ten thousand
// groups scroll like ten.

import * as api from "./api.js";
import { h } from "./dom.js";
import { count, duration, exact, moment, reason } from "./format.js";
import { badge, big, byName, empty, glyph, groupLink, rank, skeleton, worst } from "./parts.js";
import { spark, want } from "./spark.js";

const BEYOND = 6; // rows kept above and below what is in sight
const LEVELS = ["ERR", "WARN", "OK"];
const COLUMNS = [
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

export const title = () => "Groups";

export async function load(ctx, signal) {
	const clusters = await api.clusters(signal);
	return { clusters, groups: await api.groups(clusters, signal) };
}

// --- rows ---

function row(g, index, selected) {
	const since = g.since_ms === null ? null : api.now() - g.since_ms;
	const place = g.environment ? `${g.environment} / ${g.cluster}` : g.cluster;
	const cell = (name, ...kids) => h("div", { class: `cell ${name}`, role: "cell" }, kids);
	return h("div", { key: g.id, class: `row ${selected ? "selected" : ""}`, role: "row",
		"aria-rowindex": index + 2 },
	cell("status", badge(g.status)),
	cell("group", h("a", { class: "cover row-link", href: groupLink(g), title: g.group }, g.group)),
	cell("cluster", h("span", { title: place }, place)),
	cell("reason", h("span", { title: reason(g.reason) }, reason(g.reason))),
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

// Which rows are in sight, from where the rows were drawn last and how high one is.
function inSight(el, total) {
	const high = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 48;
	const top = el ? el.getBoundingClientRect().top : 300;
	const first = Math.max(Math.floor(-top / high) - BEYOND, 0);
	const last = Math.min(Math.ceil((window.innerHeight - top) / high) + BEYOND, total);
	return { high, first: Math.min(first, total), last: Math.max(last, Math.min(first, total)) };
}

function pad(rows, high) {
	return h("div", { class: "pad", "aria-hidden": "true", update: (el) => {
		el.style.blockSize = `${rows * high}px`;
	} });
}

// A table of groups. sort and onSort make its headings sort; selected is the index of a row; whole:
// also the rows out of sight.
export function listOf(ctx, groups, { label, sort, onSort, selected = -1, whole }) {
	const sight = inSight(document.querySelector(".rows"), groups.length);
	const at = whole ? { ...sight, first: 0, last: groups.length } : sight;
	const shown = groups.slice(at.first, at.last);
	want(shown, ctx.redraw);
	return h("div", { class: "card table", role: "table", "aria-label": label,
		"aria-rowcount": groups.length + 1 },
	h("div", { role: "rowgroup" }, header(sort, onSort)),
	h("div", { class: "rows", role: "rowgroup" }, pad(at.first, at.high),
		shown.map((g, i) => row(g, at.first + i, at.first + i === selected)),
		pad(groups.length - at.last, at.high)));
}

// --- filter and order ---

// Every word must be somewhere in the names or the reason.
function matching(groups, { q, cluster }) {
	const words = (q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
	return groups.filter((g) => {
		if (cluster && api.clusterKey(g) !== cluster)
			return false;
		const text = `${g.id} ${g.reason} ${reason(g.reason)}`.toLowerCase();
		return words.every((word) => text.includes(word));
	});
}

function sortOf(text = "status") {
	const reverse = text.startsWith("-");
	const key = reverse ? text.slice(1) : text;
	const column = COLUMNS.find((c) => c.key === key && c.sort) ?? COLUMNS[0];
	return { key: column.key, reverse, by: reverse ? (a, b) => column.sort(b, a) : column.sort };
}

function statusesOf(query) {
	return new Set((query.status ?? "").split(",").filter((s) => LEVELS.includes(s)));
}

function levelOf(g) {
	return rank(g.status) > 2 ? "ERR" : g.status;
}

function choose(query, groups) {
	const matches = matching(groups, query);
	const statuses = statusesOf(query);
	const counts = Object.fromEntries(LEVELS.map((status) => [status, 0]));
	for (const g of matches)
		counts[levelOf(g)]++;
	const shown = matches.filter((g) => statuses.size === 0 || statuses.has(levelOf(g)));
	return { counts, shown: shown.sort(sortOf(query.sort).by) };
}

// The groups to show, in their order, and what the chips count. Kept, because scrolling draws often
// and changes none of it.
let last = {};

function chosen(query, { groups }) {
	const text = JSON.stringify(query);
	if (last.groups !== groups || last.text !== text)
		last = { groups, text, choice: choose(query, groups) };
	return last.choice;
}

// --- controls ---

function chips(ctx, counts) {
	const on = statusesOf(ctx.route.query);
	const toggle = (status) => {
		const next = new Set(on);
		if (!next.delete(status))
			next.add(status);
		ctx.setQuery({ status: [...next].join(",") });
	};
	return h("div", { class: "chips", role: "group", "aria-label": "Status" },
		LEVELS.map((status) => h("button", { key: status, class: "chip", "aria-pressed": String(on.has(status)),
			onClick: () => toggle(status) }, glyph(status), status,
		h("span", { class: "chip-count" }, count(counts[status])))));
}

function option(value, text, now) {
	return h("option", { key: value, value, selected: value === now }, text);
}

function clusterChoice(ctx, clusters) {
	const now = ctx.route.query.cluster ?? "";
	const keys = clusters.map(api.clusterKey).sort();
	if (now && !keys.includes(now))
		keys.push(now);
	return h("select", { "aria-label": "Cluster", value: now,
		onChange: (e) => ctx.setQuery({ cluster: e.target.value }) },
	option("", "All clusters", now), keys.map((k) => option(k, k.replace("/", " / "), now)));
}

function sortChoice(ctx) {
	const now = sortOf(ctx.route.query.sort).key;
	return h("select", { class: "only-narrow", "aria-label": "Sort by", value: now,
		onChange: (e) => ctx.setQuery({ sort: e.target.value }) },
	COLUMNS.filter((c) => c.sort).map((c) => option(c.key, `By ${c.name.toLowerCase()}`, now)));
}

function toolbar(ctx, data, counts) {
	return h("div", { class: "toolbar" },
		h("div", { class: "search" },
			h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
				h("path", { d: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.4 10.4 14 14" })),
			h("input", { type: "search", id: "search", placeholder: "Filter by group, cluster or reason",
				"aria-label": "Filter groups", autocomplete: "off", spellcheck: "false",
				value: ctx.route.query.q ?? "", onInput: (e) => ctx.setQuery({ q: e.target.value }) }),
			h("kbd", { "aria-hidden": "true" }, "/")),
		chips(ctx, counts), clusterChoice(ctx, data.clusters), sortChoice(ctx));
}

function nothing(ctx, data) {
	if (data.groups.length === 0)
		return empty("No consumer group yet", "Groups appear as soon as they commit for the first time.");
	return empty("No group matches", "Nothing is left with these filters.",
		h("button", { class: "button", onClick: () => ctx.setQuery({ q: "", status: "", cluster: "" }) },
			"Show all groups"));
}

// --- the view ---

let selected = -1;

export function leave() {
	selected = -1;
}

function select(ctx, groups, index) {
	selected = Math.max(0, Math.min(index, groups.length - 1));
	const { high } = inSight(null, 0);
	const rows = document.querySelector(".rows");
	const y = rows.getBoundingClientRect().top + selected * high;
	const head = document.querySelector(".shell-head").offsetHeight + high;
	if (y < head)
		window.scrollBy(0, y - head);
	else if (y + high > window.innerHeight - 8)
		window.scrollBy(0, y + high - window.innerHeight + 8);
	ctx.redraw();
	requestAnimationFrame(() => document.querySelector(".row.selected .row-link")?.focus({ preventScroll: true }));
}

export function key(ctx, data, name) {
	const { shown } = chosen(ctx.route.query, data);
	if (name === "j" || name === "k")
		select(ctx, shown, selected + (name === "j" ? 1 : -1));
	else if (name === "Enter" && selected >= 0 && shown[selected])
		location.hash = groupLink(shown[selected]);
	else if (name === "Escape")
		ctx.setQuery({ q: "", status: "", cluster: "" });
	else
		return false;
	return true;
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Groups"), skeleton(8)];
	const { counts, shown } = chosen(ctx.route.query, data);
	const sort = sortOf(ctx.route.query.sort);
	const onSort = (name) => ctx.setQuery({ sort: sort.key === name && !sort.reverse ? `-${name}` : name });
	const all = data.groups.length;
	return [
		h("h1", null, "Groups", h("span", { class: "h1-note", role: "status" },
			shown.length === all ? exact(all) : `${exact(shown.length)} of ${exact(all)}`)),
		toolbar(ctx, data, counts),
		shown.length === 0 ? nothing(ctx, data)
			: listOf(ctx, shown, { label: "Consumer groups", sort, onSort, selected }),
	];
}
