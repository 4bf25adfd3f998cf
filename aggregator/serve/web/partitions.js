// SPDX-License-Identifier: Apache-2.0
//
// partitions - the tables of a group: its partitions, each with its verdict, and its members.

import { cell, firstOf, table } from "./controls.js";
import { h } from "./dom.js";
import { duration, exact, reason, sentence } from "./format.js";
import { badge, big, byName, rank } from "./parts.js";
import { nameOf } from "./series.js";

const TOPICS_SHOWN = 6;
const NUMBERS_SHOWN = 12;

// Those that are well in their own order, see worst() of parts.
export function worstFirst(a, b) {
	const behind = rank(a.status) > 1 ? (b.time_lag_ms ?? -1) - (a.time_lag_ms ?? -1) : 0;
	return rank(b.status) - rank(a.status) || behind || byName(a.topic, b.topic) || a.partition - b.partition;
}

// Brokers write addresses as /10.1.2.3.
function hostOf(text) {
	return text.replace(/^\//, "");
}

function owner(p) {
	if (!p.client_id && !p.owner)
		return h("span", { class: "muted" }, "–");
	return [p.client_id || "unnamed", p.owner ? h("span", { class: "sub" }, hostOf(p.owner)) : null];
}

function partition(ctx, data, p) {
	const name = nameOf(p);
	const on = data.chosen !== null && nameOf(data.chosen) === name;
	return h("tr", { key: name, class: on ? "selected" : null },
		cell("Status", null, badge(p.status)),
		h("th", { scope: "row" }, h("button", { class: "link", "aria-pressed": String(on),
			title: "Show in the chart", onClick: () => ctx.setQuery({ p: on ? "" : name }) }, p.topic,
		h("span", { class: "muted" }, `/${p.partition}`))),
		cell("Why", { class: "why" }, sentence(p.sentence || reason(p.reason)),
			p.counted ? null : h("span", { class: "sub" }, "Not counted, by a rule")),
		cell("#Lag", null, big(p.lag)),
		cell("#Oldest unread", null, duration(p.time_lag_ms, p.time_lag_at_least)),
		cell("#Committed", null, exact(p.committed)),
		cell("#Log end", null, exact(p.log_end)),
		cell("Owner", { class: "owner" }, owner(p)));
}

export function partitions(ctx, data) {
	const columns = ["Status", "Partition", "Why", "#Lag", "#Oldest unread", "#Committed", "#Log end", "Owner"];
	const all = data.byWorst;
	return h("section", { class: "partitions" },
		h("h2", null, "Partitions", h("span", { class: "muted" }, exact(all.length))),
		firstOf(ctx, "partitions", all, (some) =>
			table("Partitions", columns, some.map((p) => partition(ctx, data, p)))));
}

function numbers(list) {
	return list.slice(0, NUMBERS_SHOWN).join(", ") + (list.length > NUMBERS_SHOWN ? ", …" : "");
}

function assigned(m) {
	if (m.assigned_count === 0)
		return h("span", { class: "muted" }, "nothing");
	const rest = m.assigned.length - TOPICS_SHOWN;
	return [m.assigned.slice(0, TOPICS_SHOWN).map((a) => h("span", { key: a.topic, class: "assigned" }, a.topic, " ",
		h("span", { class: "muted" }, numbers(a.partitions)))),
	rest > 0 ? h("span", { class: "muted" }, `and ${exact(rest)} topics more`) : null];
}

function member(m) {
	return h("tr", { key: m.id },
		h("th", { scope: "row" }, m.client_id || "unnamed", h("span", { class: "sub" }, m.id)),
		cell("Host", null, hostOf(m.host)),
		cell("#Partitions", null, exact(m.assigned_count)),
		cell("Reads", null, assigned(m)));
}

export function members(ctx, { g }) {
	if (g.members.length === 0)
		return h("section", null, h("h2", null, "Members"), h("p", { class: "card pad-card muted" },
			"The group has no members now, or the agent cannot see them."));
	return h("section", null, h("h2", null, "Members", h("span", { class: "muted" }, exact(g.members.length))),
		firstOf(ctx, "members", g.members, (some) =>
			table("Members", ["Client", "Host", "#Partitions", "Reads"], some.map(member))));
}
