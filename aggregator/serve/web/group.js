// SPDX-License-Identifier: Apache-2.0
//
// group - one consumer group: what is wrong with it, the picture of its offsets, its partitions,
// members and what happened to it.

import { get, groupPath, now } from "./api.js";
import { h } from "./dom.js";
import { ago, clock, duration, exact, moment, reason } from "./format.js";
import { badge, big, byName, fact, glyph, rank, skeleton } from "./parts.js";
import { lagOfHistory, lagOfOffsets, offsets, RANGES, rangeOf, SUM_MAX } from "./series.js";

const EXPLAIN_ALL_MAX = 64; // partitions; of larger groups only those that are not OK are explained
const SHOWN_FIRST = 100;

let chart = null; // the module with the charting library, there once a group is looked at
let cursor = null; // where the reader points at, in ms
let showAll = false;

export const title = (route) => route.parts[2] ?? "Group";
export const reloads = (change) => "range" in change || "p" in change;

export function leave() {
	cursor = null;
	showAll = false;
}

function idOf(route) {
	const [environment, cluster, group] = route.parts;
	return { environment: environment === "~" ? "" : environment, cluster, group };
}

function nameOf(p) {
	return `${p.topic}/${p.partition}`;
}

function explanations(id, g, chosen, signal) {
	if (g.partition_count <= EXPLAIN_ALL_MAX)
		return get(groupPath(id, "/explain", "all"), signal);
	const query = chosen ? `topic=${encodeURIComponent(chosen.topic)}&partition=${chosen.partition}` : "";
	return get(groupPath(id, "/explain", query), signal);
}

export async function load(ctx, signal) {
	const { route } = ctx;
	const id = idOf(route);
	const [range] = rangeOf(route.query.range);
	chart ??= await import("./chart.js");
	const [g, history, events] = await Promise.all([
		get(groupPath(id), signal),
		get(groupPath(id, "/history", `from=-${range}`), signal),
		get(groupPath(id, "/events", "limit=60"), signal),
	]);
	const chosen = g.partitions.find((p) => nameOf(p) === route.query.p) ?? null;
	const { partitions: explained } = await explanations(id, g, chosen, signal);
	const lines = await offsets(id, g, chosen ? [chosen] : g.partitions, explained, range, signal);
	return { id, g, history, events: events.events, explained, chosen, lines, range };
}

// --- the head ---

function explanationOf(data, p) {
	return data.explained.find((e) => e.topic === p.topic && e.partition === p.partition);
}

function worstPartition(data) {
	return data.chosen ?? [...data.g.partitions].sort(worstFirst)[0];
}

function worstFirst(a, b) {
	return rank(b.status) - rank(a.status) || (b.time_lag_ms ?? -1) - (a.time_lag_ms ?? -1) ||
		(b.lag ?? -1) - (a.lag ?? -1) || byName(a.topic, b.topic) || a.partition - b.partition;
}

function sentence(text) {
	return text ? text[0].toUpperCase() + text.slice(1) : "";
}

function lead(data) {
	const p = worstPartition(data);
	const e = p && explanationOf(data, p);
	if (!e)
		return h("p", { class: "lead" }, `${reason(data.g.reason)}.`);
	return h("p", { class: "lead" }, h("b", null, nameOf(p)), " ", e.sentence);
}

function crumbs(id) {
	const key = `${id.environment}/${id.cluster}`;
	return h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/groups" }, "Groups"),
		h("span", { "aria-hidden": "true" }, "/"),
		h("a", { href: `#/groups?cluster=${encodeURIComponent(key)}` },
			id.environment ? `${id.environment} / ${id.cluster}` : id.cluster));
}

function eta(g) {
	const known = g.partitions.map((p) => p.eta_ms).filter((ms) => ms !== null);
	return known.length ? Math.max(...known) : null;
}

function facts({ g }) {
	const bad = g.partitions.filter((p) => rank(p.status) > 1).length;
	const state = [g.state, g.protocol === "consumer" ? "KIP-848" : ""].filter(Boolean).join(", ");
	return h("dl", { class: "card facts" },
		fact("Lag", big(g.lag), g.max_lag !== null && g.partition_count > 1 ? `${exact(g.max_lag)} in one` : null),
		fact("Oldest unread", duration(g.time_lag_ms, g.time_lag_at_least)),
		fact(`${g.status === "NOTFOUND" ? "New" : g.status} for`, g.since_ms === null ? "–" : duration(now() - g.since_ms),
			clock(g.since_ms)),
		eta(g) !== null ? fact("Caught up in", duration(eta(g))) : null,
		fact("Partitions", exact(g.partition_count), bad > 0 ? `${exact(bad)} not OK` : "all OK"),
		fact("Members", exact(g.member_count), state || null),
		g.lost > 0 ? fact("Lost", big(g.lost), "deleted unread") : null,
		g.margin_ms !== null ? fact("Until data is lost", duration(g.margin_ms, g.margin_at_least)) : null,
		g.reasons.includes("rebalance_storm") ? fact("Rebalances", exact(g.rebalances), "in the window") : null);
}

// --- the charts ---

function at(columns, ms) {
	if (!columns || columns[0].length === 0)
		return null;
	if (ms === null)
		return columns[0].length - 1;
	let best = 0;
	columns[0].forEach((s, i) => {
		if (Math.abs(s * 1000 - ms) < Math.abs(columns[0][best] * 1000 - ms))
			best = i;
	});
	return best;
}

function plot(ctx, data, kind, columns, label) {
	const { g } = data;
	const [, span] = rangeOf(data.range);
	const p = worstPartition(data);
	const judged = p && explanationOf(data, p)?.window;
	const what = {
		data: columns,
		span: { from: g.as_of_ms - span, to: g.as_of_ms },
		window: judged ?? null,
		ribbon: kind === "lag" && !data.chosen ? data.history : null,
		onPoint: (index) => {
			const ms = index === null || index === undefined ? null : columns[0][index] * 1000;
			if (ms !== cursor) {
				cursor = ms;
				ctx.redraw();
			}
		},
	};
	return h("div", { key: kind, class: `plot ${kind}`, role: "img", "aria-label": label,
		mount: () => {}, update: (el) => chart.show(el, kind, what), unmount: chart.end });
}

function swatch(name, text, value) {
	return h("span", { class: "legend-item" }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
		text, " ", h("b", null, value));
}

function legend(lines, lag) {
	const i = at(lines, cursor);
	const j = at(lag, cursor);
	const when = cursor === null ? "now" : moment(cursor);
	return h("div", { class: "legend" },
		i === null ? null : [swatch("end", "Log end", exact(lines[1][i])),
			swatch("committed", "Committed", exact(lines[2][i]))],
		j === null ? null : swatch("lag", "Lag", exact(lag[1][j])),
		h("span", { class: "muted" }, when));
}

function ranges(ctx, range) {
	return h("div", { class: "segments", role: "group", "aria-label": "Time range" }, RANGES.map(([name]) =>
		h("button", { key: name, "aria-pressed": String(name === range),
			onClick: () => ctx.setQuery({ range: name === "10m" ? "" : name }) }, name)));
}

function partitionChoice(ctx, data) {
	const now = data.chosen ? nameOf(data.chosen) : "";
	const names = data.g.partitions.map(nameOf);
	return h("select", { "aria-label": "Partition", value: now, onChange: (e) => ctx.setQuery({ p: e.target.value }) },
		h("option", { key: "", value: "", selected: now === "" }, "All partitions"),
		names.map((name) => h("option", { key: name, value: name, selected: name === now }, name)));
}

function describe(columns, name) {
	const values = columns[1].filter((v) => v !== null);
	if (values.length === 0)
		return `${name}: nothing known in this time`;
	return `${name}: from ${exact(Math.min(...values))} to ${exact(Math.max(...values))}, now ` +
		exact(values[values.length - 1]);
}

function judgement(data) {
	const p = worstPartition(data);
	const e = p && explanationOf(data, p);
	if (!e)
		return null;
	const { commits } = e.pace;
	const window = duration(e.window.to_ms - e.window.from_ms);
	const parts = [h("span", { class: "legend-item" }, h("span", { class: "swatch window", "aria-hidden": "true" }),
		`Shaded: the ${window} that ${data.chosen ? "the verdict" : `the verdict on ${nameOf(p)}`} looks at, ` +
		`${Math.round(e.numbers.complete * 100)}% of it seen`)];
	if (e.window.blind.length > 0)
		parts.push(h("span", { class: "legend-item" }, h("span", { class: "swatch blind", "aria-hidden": "true" }), "Dark: not seen"));
	if (!data.chosen)
		parts.push(h("span", null, "Strip below the lag: the group's status, higher is worse"));
	if (e.judged.rule)
		parts.push(h("span", null, `Rule ${e.judged.rule}: ${reason(e.judged.reason).toLowerCase()}`));
	if (commits.known)
		parts.push(h("span", null, `Usually commits every ${duration(commits.usual_ms)}, may be silent for ${duration(commits.limit_ms)}`));
	if (e.pending)
		parts.push(h("span", null, `Turns ${e.pending.status} if it stays so (${e.pending.passes} of ${e.pending.passes_needed} passes)`));
	return h("div", { class: "judgement" }, parts);
}

function picture(ctx, data) {
	const { g, lines } = data;
	const lag = data.chosen && lines ? lagOfOffsets(lines) : lagOfHistory(data.history, g);
	return h("section", { class: "card picture", "aria-label": "Offsets and lag over time" },
		h("div", { class: "picture-head" }, partitionChoice(ctx, data), ranges(ctx, data.range)),
		legend(lines, lag),
		lines ? plot(ctx, data, "offsets", lines, describe(lines, "Log end"))
			: h("p", { class: "muted plot-none" }, g.partition_count > SUM_MAX
				? `Choose a partition to see its offsets: sums are drawn of up to ${SUM_MAX}.`
				: "Nothing has been committed yet."),
		plot(ctx, data, "lag", lag, describe(lag, "Lag")),
		judgement(data));
}

// --- events ---

function event(e, index) {
	const where = e.topic === null ? "Group" : nameOf(e);
	return h("li", { key: `${e.at_ms}/${where}/${index}` },
		h("div", { class: "event-head" },
			h("b", null, where),
			e.kind === "status" ? [badge(e.from), h("span", { class: "muted", "aria-label": "to" }, "→"), badge(e.to)]
				: h("span", { class: "badge err" }, glyph("WARN"), e.kind === "data_loss" ? "DATA LOST" : "TOPIC RECREATED"),
			h("time", { class: "muted", title: moment(e.at_ms) }, ago(now() - e.at_ms))),
		e.sentence ? h("p", null, sentence(e.sentence)) : null);
}

function events(data) {
	return h("section", { class: "card events", "aria-label": "What happened" }, h("h2", null, "What happened"),
		data.events.length === 0
			? h("p", { class: "muted" }, "Nothing yet. Changes of status are written down here.")
			: h("ol", { tabindex: "0", "aria-label": "Events, newest first" }, data.events.map(event)));
}

// --- partitions and members ---

function owner(p) {
	if (!p.client_id && !p.owner)
		return h("span", { class: "muted" }, "–");
	return [p.client_id || "unnamed", p.owner ? h("span", { class: "sub" }, p.owner.replace(/^\//, "")) : null];
}

function partition(ctx, data, p) {
	const name = nameOf(p);
	const e = explanationOf(data, p);
	const on = data.chosen && nameOf(data.chosen) === name;
	return h("tr", { key: name, class: on ? "selected" : null },
		h("th", { scope: "row" }, h("button", { class: "link", "aria-pressed": String(Boolean(on)),
			title: "Show in the chart", onClick: () => ctx.setQuery({ p: on ? "" : name }) }, p.topic,
		h("span", { class: "muted" }, `/${p.partition}`))),
		h("td", { "data-label": "Status" }, badge(p.status)),
		h("td", { class: "why", "data-label": "Why" }, e ? sentence(e.sentence) : reason(p.reason),
			p.counted ? null : h("span", { class: "sub" }, "Not counted, by a rule")),
		h("td", { class: "num", "data-label": "Lag" }, big(p.lag)),
		h("td", { class: "num", "data-label": "Oldest unread" }, duration(p.time_lag_ms, p.time_lag_at_least)),
		h("td", { class: "num", "data-label": "Committed" }, exact(p.committed)),
		h("td", { class: "num", "data-label": "Log end" }, exact(p.log_end)),
		h("td", { class: "owner", "data-label": "Owner" }, owner(p)));
}

function headings(names, numeric) {
	return h("thead", null, h("tr", null, names.map((name) =>
		h("th", { key: name, scope: "col", class: numeric.includes(name) ? "num" : null }, name))));
}

function tableOf(label, ...kids) {
	return h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": label },
		h("table", { class: "plain stack" }, kids));
}

function partitions(ctx, data) {
	const all = [...data.g.partitions].sort(worstFirst);
	const shown = showAll ? all : all.slice(0, SHOWN_FIRST);
	const more = () => {
		showAll = true;
		ctx.redraw();
	};
	return h("section", { class: "partitions" },
		h("h2", null, "Partitions", h("span", { class: "muted" }, exact(all.length))),
		tableOf("Partitions", headings(["Partition", "Status", "Why", "Lag", "Oldest unread", "Committed", "Log end", "Owner"],
			["Lag", "Oldest unread", "Committed", "Log end"]), h("tbody", null, shown.map((p) => partition(ctx, data, p)))),
		shown.length < all.length
			? h("button", { class: "button", onClick: more }, `Show all ${exact(all.length)}`) : null);
}

function assigned(m) {
	const n = m.assigned.reduce((total, a) => total + a.partitions.length, 0);
	if (n === 0)
		return h("span", { class: "muted" }, "nothing");
	return m.assigned.slice(0, 6).map((a) => h("span", { key: a.topic, class: "assigned" }, a.topic, " ",
		h("span", { class: "muted" }, a.partitions.slice(0, 12).join(", ") + (a.partitions.length > 12 ? " …" : ""))));
}

function members({ g }) {
	if (g.members.length === 0)
		return h("section", null, h("h2", null, "Members"), h("p", { class: "card pad-card muted" },
			"The group has no members now, or the agent cannot see them."));
	return h("section", null, h("h2", null, "Members", h("span", { class: "muted" }, exact(g.members.length))),
		tableOf("Members", headings(["Client", "Host", "Reads"], []),
			h("tbody", null, g.members.slice(0, 200).map((m) => h("tr", { key: m.id },
				h("th", { scope: "row" }, m.client_id || "unnamed", h("span", { class: "sub" }, m.id)),
				h("td", { "data-label": "Host" }, m.host.replace(/^\//, "")),
				h("td", { "data-label": "Reads" }, assigned(m)))))));
}

// --- the view ---

export function key(ctx, data, name) {
	if (name !== "Escape")
		return false;
	if (data.chosen)
		ctx.setQuery({ p: "" });
	else
		location.hash = "#/groups";
	return true;
}

export function view(ctx, data) {
	const id = idOf(ctx.route);
	const name = h("h1", null, h("span", { class: "name" }, id.group), data ? badge(data.g.status) : null);
	if (!data)
		return [crumbs(id), name, skeleton(6)];
	return [crumbs(id), name, lead(data), facts(data),
		h("div", { class: "columns" }, picture(ctx, data), events(data)),
		partitions(ctx, data), members(data)];
}
