// SPDX-License-Identifier: Apache-2.0
//
// group - one consumer group: what is wrong with it, the picture of its offsets, its partitions and
// members, and what happened to it.

import { get, groupPath, now } from "./api.js";
import { h } from "./dom.js";
import { ago, clock, duration, exact, moment, reason, sentence } from "./format.js";
import { badge, big, clusterLink, crumbs, fact, glyph, note, placeOf, rank, skeleton } from "./parts.js";
import { members, partitions, worstFirst } from "./partitions.js";
import * as pictures from "./picture.js";
import { charts } from "./plot.js";
import { historyOfGroup, historyOfPartition, lagColumns, nameOf, offsetsOfGroup, offsetsOfPartition,
	rangeOf } from "./series.js";
import { newSilenceLink } from "./silence.js";

const EXPLAIN_ALL_MAX = 64; // partitions
const EVENTS = 50; // shown at first; the server keeps 200

let moreEvents = false;

export const title = (route) => route.parts[2] ?? "Group";
export const reloads = (change) => "range" in change || "p" in change || "lag" in change;

export function leave() {
	moreEvents = false;
	pictures.leave();
}

function idOf(route) {
	const [environment, cluster, group] = route.parts;
	return { environment: environment === "~" ? "" : environment, cluster, group };
}

// Whether an event of the stream, which names its cluster, may change what is shown.
export function concerns(route, { environment, cluster }) {
	const id = idOf(route);
	return cluster === undefined || (cluster === id.cluster && environment === id.environment);
}

// --- loading ---

// How the partitions are judged: a function of one of them. Of large groups only the one that the
// verdict hangs on is explained.
async function explanations(id, g, worst, signal) {
	const one = worst ? `topic=${encodeURIComponent(worst.topic)}&partition=${worst.partition}` : "";
	const { partitions: list } = await get(
		groupPath(id, "/explain", g.partition_count <= EXPLAIN_ALL_MAX ? "all" : one), signal);
	const byPartition = new Map(list.map((e) => [nameOf(e), e]));
	return (p) => byPartition.get(nameOf(p));
}

export async function load(ctx, signal) {
	const id = idOf(ctx.route);
	const { p } = ctx.route.query;
	const [range] = rangeOf(ctx.route.query.range);
	const [g, history, events] = await Promise.all([
		get(groupPath(id), signal),
		historyOfGroup(id, range, signal),
		get(groupPath(id, "/events", moreEvents ? "" : `limit=${EVENTS}`), signal),
		charts(),
	]);
	const chosen = g.partitions.find((one) => nameOf(one) === p) ?? null;
	const byWorst = [...g.partitions].sort(worstFirst);
	const worst = chosen ?? byWorst[0];
	const inTime = ctx.route.query.lag === "time";
	const [explanationOf, own] = await Promise.all([
		explanations(id, g, worst, signal),
		chosen ? historyOfPartition(id, chosen, range, signal) : null,
	]);
	const ribbon = own ?? history;
	const lines = chosen ? offsetsOfPartition(g, chosen, explanationOf(chosen), range, own)
		: offsetsOfGroup(g, explanationOf, range, history);
	return { g, byWorst, range, chosen, events: events.events, judged: worst && explanationOf(worst), ribbon, lines,
		inTime, lag: lagColumns(g, chosen, lines, ribbon, inTime) };
}

// --- the head ---

function lead({ g, chosen }) {
	if (chosen)
		return h("p", { class: "lead" }, h("b", null, nameOf(chosen)), " ", chosen.sentence || reason(chosen.reason));
	return h("p", { class: "lead" }, sentence(g.sentence || reason(g.reason)));
}

function eta(g) {
	return g.eta_ms > 0 ? fact("Caught up in", duration(g.eta_ms)) : null;
}

function facts({ g }) {
	const bad = g.partitions.filter((p) => rank(p.status) > 1).length;
	const state = [g.state, g.protocol === "consumer" ? "KIP-848" : ""].filter(Boolean).join(", ");
	return h("dl", { class: "card facts" },
		fact("Lag", big(g.lag), g.max_lag !== null && g.partition_count > 1 ? `${exact(g.max_lag)} in one` : null),
		fact("Oldest unread", duration(g.time_lag_ms, g.time_lag_at_least)),
		fact(`${g.status === "NOTFOUND" ? "New" : g.status} for`, g.since_ms === null ? "–" : duration(now() - g.since_ms),
			clock(g.since_ms)),
		eta(g),
		fact("Partitions", exact(g.partition_count), bad > 0 ? `${exact(bad)} not OK` : "all OK"),
		fact("Members", exact(g.member_count), state || null),
		g.lost > 0 ? fact("Lost", big(g.lost), "deleted unread") : null,
		g.margin_ms !== null ? fact("Until data is lost", duration(g.margin_ms, g.margin_at_least)) : null,
		g.reasons.includes("rebalance_storm") ? fact("Rebalances", exact(g.rebalances), "in the window") : null);
}

function old({ g }) {
	return g.stale ? note(`The cluster is not seen now: all this is as of ${moment(g.as_of_ms)}.`) : null;
}

function maintenance({ g }) {
	const until = g.maintenance_until_ms;
	if (!until)
		return null;
	const by = g.maintenance_by ? `, by ${g.maintenance_by}` : "";
	return note(`In maintenance until ${moment(until)}${by}${g.maintenance_note ? `: ${g.maintenance_note}` : ""}. ` +
		"Nobody is told of its troubles.");
}

// --- what happened ---

const TO = h("span", { class: "muted", role: "img", "aria-label": "to" }, "→");
const KINDS = { data_loss: "DATA LOST", topic_recreated: "TOPIC RECREATED" };

function event(e, index) {
	const where = e.topic === null ? "Group" : nameOf(e);
	return h("li", { key: `${e.at_ms}/${where}/${index}` },
		h("div", { class: "event-head" },
			h("b", null, where),
			e.kind === "status" ? [badge(e.from), TO, badge(e.to)]
				: h("span", { class: "badge err" }, glyph("WARN"), KINDS[e.kind]),
			h("time", { class: "muted", title: moment(e.at_ms) }, ago(now() - e.at_ms))),
		e.sentence ? h("p", null, sentence(e.sentence)) : null);
}

function events(ctx, list) {
	const more = () => {
		moreEvents = true;
		ctx.refresh();
	};
	return h("section", { class: "card events", "aria-label": "What happened" }, h("h2", null, "What happened"),
		list.length === 0
			? h("p", { class: "muted" }, "Nothing yet. Changes of status are written down here.")
			: h("ol", { class: "rail", tabindex: "0", "aria-label": "Events, newest first" }, list.map(event)),
		list.length === EVENTS && !moreEvents
			? h("button", { class: "button", onClick: more }, "Show older ones") : null);
}

// --- the view ---

export function key(ctx, data, name) {
	if (name !== "Escape")
		return false;
	if (data.chosen)
		ctx.setQuery({ p: "" });
	else
		ctx.go("#/groups");
	return true;
}

export function view(ctx, data) {
	const id = idOf(ctx.route);
	const head = [
		crumbs(["Groups", "#/groups"], h("a", { href: clusterLink(id) }, placeOf(id))),
		h("h1", null, h("span", { class: "name" }, id.group), data ? badge(data.g.status) : null,
			data ? h("a", { class: "button aside", href: newSilenceLink(id) }, "Silence …") : null),
	];
	if (!data)
		return [...head, skeleton(6)];
	return [...head, old(data), maintenance(data), lead(data), facts(data),
		h("div", { class: "columns" }, pictures.picture(ctx, data), events(ctx, data.events)),
		partitions(ctx, data), members(ctx, data)];
}
