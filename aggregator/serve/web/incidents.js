// SPDX-License-Identifier: Apache-2.0
//
// incidents - the troubles of all groups and clusters: the open ones, worst first, and the past ones.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { cell, choice, firstOf, search, statusChips, statusesOf, table } from "./controls.js";
import { h } from "./dom.js";
import { ago, duration, exact, moment, reason } from "./format.js";
import { ENDS, lasted, marks, subjectOf } from "./incident.js";
import { clusterKey, matcher } from "./lists.js";
import { badge, big, byName, empty, placeOf, rank, skeleton, tabs } from "./parts.js";

const PAGE = 1000; // incidents of an answer
const LEVELS = ["ERR", "WARN"];
const ALL = { q: "", status: "", cluster: "", is: "" };
const STATES = [["", "In any state"], ["new", "Nobody sees to it"], ["acknowledged", "Acknowledged"],
	["silenced", "Silenced"]];

let older = []; // past ones of the pages after the first
let next = null; // the cursor of what is older still

export const title = () => "Incidents";
export const reloads = (change) => "show" in change;

export function leave() {
	older = [];
	next = null;
	actions.forget();
}

const PAST = `incidents?state=resolved&limit=${PAGE}`;

export async function load(ctx, signal) {
	if (ctx.route.query.show !== "past")
		return api.every(`incidents?state=open,acknowledged&limit=${PAGE}`, "incidents", signal);
	const first = await api.get(PAST, signal);
	if (older.length === 0)
		next = first.next;
	return { past: true, ...first };
}

async function loadOlder(ctx) {
	const more = await api.get(`${PAST}&cursor=${encodeURIComponent(next)}`);
	older = older.concat(more.incidents);
	({ next } = more);
}

// Pages that were fetched at different times may overlap.
function known(data) {
	if (!data.past)
		return data.incidents;
	return [...new Map([...older, ...data.incidents].map((i) => [i.id, i])).values()];
}

// --- filter and order ---

function statusOf(i) {
	return i.state === "resolved" ? i.worst : i.status;
}

function is(i, what) {
	if (what === "silenced")
		return i.silenced;
	return what === "acknowledged" ? i.state === "acknowledged" : i.state === "open" && !i.silenced;
}

function worstFirst(a, b) {
	return rank(statusOf(b)) - rank(statusOf(a)) || b.opened_ms - a.opened_ms || byName(a.id, b.id);
}

function newestFirst(a, b) {
	return b.resolved_ms - a.resolved_ms || byName(a.id, b.id);
}

function choose(query, data) {
	const matches = matcher(query.q);
	const list = known(data).filter((i) => (!query.cluster || clusterKey(i) === query.cluster) &&
		(data.past || !query.is || is(i, query.is)) &&
		matches(`${placeOf(i)} ${subjectOf(i)} ${i.sentence} ${reason(i.reason)}`.toLowerCase()));
	const statuses = statusesOf(query.status, LEVELS);
	const counts = Object.fromEntries(LEVELS.map((s) => [s, list.filter((i) => statusOf(i) === s).length]));
	const shown = list.filter((i) => statuses.size === 0 || statuses.has(statusOf(i)));
	return { counts, shown: shown.sort(data.past ? newestFirst : worstFirst) };
}

// --- the list ---

function row(i) {
	return h("tr", { key: i.id },
		cell("Status", null, badge(statusOf(i))),
		h("th", { scope: "row" }, h("a", { class: "row-link", href: `#/incidents/${encodeURIComponent(i.id)}` },
			subjectOf(i)), h("span", { class: "sub" }, placeOf(i))),
		cell("Why", { class: "why" }, i.sentence || reason(i.reason), marks(i)),
		cell("#Lag", { title: `at ${moment(i.changed_ms)}` }, big(i.lag)),
		cell("Opened", { title: moment(i.opened_ms) }, ago(api.now() - i.opened_ms)),
		i.state === "resolved" ? [cell("#Lasted", null, duration(lasted(i))),
			cell("Ended", { title: moment(i.resolved_ms) }, ago(api.now() - i.resolved_ms),
				h("span", { class: "sub" }, ENDS[i.end] ?? ""))] : null);
}

function list(ctx, shown, past) {
	const columns = ["Status", "Group", "Why", "#Lag", "Opened", ...(past ? ["#Lasted", "Ended"] : [])];
	return firstOf(ctx, past ? "past" : "open", shown, (some) =>
		table(past ? "Past incidents" : "Open incidents", columns, some.map(row)));
}

function toolbar(ctx, data, counts) {
	const { query } = ctx.route;
	const now = query.cluster ?? "";
	const keys = [...new Set([...known(data).map(clusterKey), now])].filter(Boolean).sort();
	const set = (name) => (value) => ctx.setQuery({ [name]: value });
	return h("div", { class: "toolbar" },
		search("Filter incidents", "Filter by group, cluster or cause", query.q, set("q")),
		statusChips(query.status, LEVELS, counts, set("status")),
		choice("Cluster", now, [["", "All clusters"], ...keys.map((k) => [k, k.replace("/", " / ")])], set("cluster")),
		data.past ? null : choice("State", query.is ?? "", STATES, set("is")));
}

function nothing(ctx, data) {
	if (known(data).length > 0)
		return empty("No incident matches", "Nothing is left with these filters.",
			h("button", { class: "button", onClick: () => ctx.setQuery(ALL) }, "Show all incidents"));
	return data.past ? empty("No incident has ended yet", "What was open and is over is kept here for 90 days.")
		: empty("Nothing is wrong", "An incident opens when a group is WARN or ERR, or a cluster is not seen any more.");
}

// --- the view ---

export function key(ctx, data, name) {
	if (name !== "Escape")
		return false;
	ctx.setQuery(ALL);
	return true;
}

export function view(ctx, data) {
	const at = ctx.route.query.show === "past" ? "past" : "open";
	if (!data)
		return [h("h1", null, "Incidents"), tabs(at), skeleton(5)];
	const { counts, shown } = choose(ctx.route.query, data);
	const all = known(data).length;
	const words = shown.length === all ? exact(all) : `${exact(shown.length)} of ${exact(all)}`;
	return [
		h("h1", null, "Incidents", h("span", { class: "h1-note", role: "status" },
			`${words} ${data.past ? "past" : "open"}`)),
		tabs(at), actions.refusal(ctx),
		all > 0 ? toolbar(ctx, data, counts) : null,
		shown.length === 0 ? nothing(ctx, data) : list(ctx, shown, data.past),
		data.past && next ? h("div", { class: "more" }, actions.actionButton(ctx, "older", "Load older ones",
			() => loadOlder(ctx))) : null,
	];
}
