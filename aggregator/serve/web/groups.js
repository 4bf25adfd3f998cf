// SPDX-License-Identifier: Apache-2.0
//
// groups - all groups of all clusters: filtered, sorted, and walked through by keys.

import { choice, search, statusChips, statusesOf } from "./controls.js";
import { h } from "./dom.js";
import { exact } from "./format.js";
import { COLUMNS, groupTable, reveal } from "./grouptable.js";
import * as lists from "./lists.js";
import { empty, groupLink, rank, skeleton } from "./parts.js";

const LEVELS = ["ERR", "WARN", "OK"];
const ALL = { q: "", status: "", cluster: "" };

let selected = null; // id of a group

export const title = () => "Groups";
export const scrolls = true; // the rows in sight are drawn anew

export function leave() {
	selected = null;
}

export async function load(ctx, signal) {
	const clusters = await lists.clusters(signal);
	return { clusters, groups: await lists.groups(clusters, signal) };
}

// --- filter and order ---

function matching(groups, { q, cluster }) {
	const matches = lists.matcher(q);
	return groups.filter((g) => (!cluster || lists.clusterKey(g) === cluster) && matches(g.text));
}

function sortOf(text = "status") {
	const reverse = text.startsWith("-");
	const key = reverse ? text.slice(1) : text;
	const column = COLUMNS.find((c) => c.key === key && c.sort) ?? COLUMNS[0];
	return { key: column.key, reverse, by: reverse ? (a, b) => column.sort(b, a) : column.sort };
}

function levelOf(g) {
	return rank(g.status) > 2 ? "ERR" : g.status;
}

function choose(query, groups) {
	const matches = matching(groups, query);
	const statuses = statusesOf(query.status, LEVELS);
	const counts = Object.fromEntries(LEVELS.map((status) =>
		[status, matches.filter((g) => levelOf(g) === status).length]));
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

function clusterChoice(ctx, clusters) {
	const now = ctx.route.query.cluster ?? "";
	const keys = clusters.map(lists.clusterKey).sort();
	if (now && !keys.includes(now))
		keys.push(now);
	return choice("Cluster", now, [["", "All clusters"], ...keys.map((k) => [k, k.replace("/", " / ")])],
		(cluster) => ctx.setQuery({ cluster }));
}

function toolbar(ctx, data, counts) {
	const { q, status, sort } = ctx.route.query;
	return h("div", { class: "toolbar" },
		search("Filter groups", "Filter by group, cluster or reason", q, (text) => ctx.setQuery({ q: text })),
		statusChips(status, LEVELS, counts, (text) => ctx.setQuery({ status: text })),
		clusterChoice(ctx, data.clusters),
		choice("Sort by", sortOf(sort).key,
			COLUMNS.filter((c) => c.sort).map((c) => [c.key, `By ${c.name.toLowerCase()}`]),
			(key) => ctx.setQuery({ sort: key }), { class: "only-narrow" }));
}

function nothing(ctx, data) {
	if (data.groups.length === 0)
		return empty("No consumer group yet", "Groups appear as soon as they commit for the first time.");
	return empty("No group matches", "Nothing is left with these filters.",
		h("button", { class: "button", onClick: () => ctx.setQuery(ALL) }, "Show all groups"));
}

// --- the view ---

function selectedAt(groups) {
	return selected === null ? -1 : groups.findIndex((g) => g.id === selected);
}

function select(ctx, groups, index) {
	const at = Math.max(0, Math.min(index, groups.length - 1));
	if (groups.length === 0)
		return;
	selected = groups[at].id;
	reveal(at);
	ctx.set({ focus: ".row.selected .row-link" });
}

export function key(ctx, data, name) {
	const { shown } = chosen(ctx.route.query, data);
	const at = selectedAt(shown);
	if (name === "j" || name === "k")
		select(ctx, shown, at + (name === "j" ? 1 : -1));
	else if (name === "Enter" && at >= 0)
		ctx.go(groupLink(shown[at]));
	else if (name === "Escape")
		ctx.setQuery(ALL);
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
			: groupTable(ctx, shown, { label: "Consumer groups", sort, onSort, selected: selectedAt(shown) }),
	];
}
