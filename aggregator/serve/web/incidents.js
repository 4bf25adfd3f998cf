// SPDX-License-Identifier: Apache-2.0
//
// incidents - troubles from their first bad pass to their end: the open ones, the past ones, what
// became of one, and what a person does about it.

import * as api from "./api.js";
import { h } from "./dom.js";
import { ago, clock, duration, exact, moment, plural, reason } from "./format.js";
import { badge, big, empty, fact, groupLink, note, rank, skeleton } from "./parts.js";

const PAST_LIMIT = 100;
const SILENCES = [["1 hour", 3600], ["8 hours", 8 * 3600], ["3 days", 3 * 86400], ["2 weeks", 14 * 86400]];
const STATES = { open: "Open", acknowledged: "Acknowledged", resolved: "Resolved" };
const ENDS = { recovered: "recovered", deleted: "the group was deleted", expired: "the group was not heard of for long",
	maintenance: "maintenance began", by_hand: "closed by hand" };
const CHANGES = { opened: "Opened", worse: "Got worse", better: "Got better", other_reason: "Another reason",
	flaps: "Goes up and down", acknowledged: "Acknowledged", resolved: "Resolved" };

let doing = null; // an action under way: {id, what}
let refused = null; // why the last action was not taken

export const title = (route) => (route.parts[0] ? "Incident" : "Incidents");
export const reloads = (change) => "show" in change;

export function leave() {
	refused = null;
}

export async function load(ctx, signal) {
	const [id] = ctx.route.parts;
	if (id)
		return { one: await api.get(`incidents/${encodeURIComponent(id)}`, signal) };
	const past = ctx.route.query.show === "past";
	const query = past ? `state=resolved&limit=${PAST_LIMIT}` : "state=open,acknowledged&limit=1000";
	const [list, silences] = await Promise.all([
		api.get(`incidents?${query}`, signal),
		api.get("silences", signal),
	]);
	return { past, ...list, silences: silences.silences };
}

// --- actions ---

async function act(ctx, id, what, ask) {
	doing = { id, what };
	refused = null;
	ctx.redraw();
	try {
		await ask();
	} catch (error) {
		refused = error.status === 403 || error.status === 401
			? "This needs a token with the role admin." : error.message;
	}
	doing = null;
	ctx.refresh();
	ctx.redraw();
}

function silence(i, seconds) {
	return api.send("POST", "silences", {
		environment: i.environment, cluster: i.cluster, ...(i.group === null ? {} : { group: i.group }),
		for_s: seconds, note: `silenced on the page, for incident ${i.id}`,
	});
}

function button(ctx, i, what, text, ask) {
	return h("button", { key: what, class: "button", disabled: doing !== null, onClick: () => act(ctx, i.id, what, ask) },
		doing?.id === i.id && doing.what === what ? "…" : text);
}

function silenceChoice(ctx, i) {
	return h("select", { key: "silence", "aria-label": "Silence this group", value: "", disabled: doing !== null,
		onChange: (e) => {
			const seconds = Number(e.target.value);
			e.target.value = "";
			if (seconds > 0)
				act(ctx, i.id, "silence", () => silence(i, seconds));
		} },
	h("option", { key: "", value: "" }, "Silence for …"),
	SILENCES.map(([text, s]) => h("option", { key: text, value: String(s) }, text)));
}

function actions(ctx, i) {
	const path = `incidents/${i.id}`;
	const group = i.group === null ? null : h("a", { key: "group", class: "button", href: groupLink(i) }, "Show the group");
	if (i.state === "resolved")
		return h("div", { class: "actions" }, group);
	return h("div", { class: "actions" }, group,
		i.state === "open" ? button(ctx, i, "acknowledge", "Acknowledge",
			() => api.send("POST", `${path}/acknowledge`, {})) : null,
		i.silenced ? null : silenceChoice(ctx, i),
		button(ctx, i, "resolve", "Close", () => api.send("POST", `${path}/resolve`, {})));
}

// --- the list ---

function place(i) {
	return [i.environment, i.cluster].filter(Boolean).join(" / ");
}

function subject(i) {
	return i.group ?? `The whole of ${i.cluster}`;
}

function link(i) {
	return `#/incidents/${encodeURIComponent(i.id)}`;
}

function marks(i) {
	return [
		i.state === "acknowledged" ? h("span", { key: "ack", class: "mark" }, `Acknowledged${i.by ? ` by ${i.by}` : ""}`) : null,
		i.silenced ? h("span", { key: "silenced", class: "mark" }, "Silenced") : null,
		i.flapping ? h("span", { key: "flaps", class: "mark" }, "Goes up and down") : null,
	];
}

function lasted(i) {
	return duration((i.resolved_ms ?? api.now()) - i.opened_ms);
}

function row(i) {
	return h("tr", { key: i.id },
		h("td", { "data-label": "Status" }, badge(i.state === "resolved" ? i.worst : i.status)),
		h("th", { scope: "row" }, h("a", { href: link(i) }, subject(i)), h("span", { class: "sub" }, place(i))),
		h("td", { class: "why", "data-label": "Why" }, i.sentence || reason(i.reason), marks(i)),
		h("td", { class: "num", "data-label": "Lag" }, big(i.lag)),
		h("td", { "data-label": "Opened", title: moment(i.opened_ms) }, ago(api.now() - i.opened_ms)),
		h("td", { class: "num", "data-label": "Lasts" }, lasted(i)),
		i.state === "resolved" ? h("td", { "data-label": "Ended" }, ENDS[i.end] ?? "–") : null);
}

function table(list, past) {
	const head = ["Status", "Group", "Why", "Lag", "Opened", past ? "Lasted" : "Lasts", ...(past ? ["Ended"] : [])];
	return h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": past ? "Past incidents" : "Open incidents" },
		h("table", { class: "plain stack" },
			h("thead", null, h("tr", null, head.map((t) => h("th", { key: t, scope: "col",
				class: ["Lag", "Lasts", "Lasted"].includes(t) ? "num" : null }, t)))),
			h("tbody", null, list.map(row))));
}

function worstFirst(a, b) {
	return rank(b.status) - rank(a.status) || b.opened_ms - a.opened_ms || (a.id < b.id ? -1 : 1);
}

function tabs(ctx, past) {
	const tab = (show, text, on) => h("button", { key: show, "aria-pressed": String(on),
		onClick: () => ctx.setQuery({ show }) }, text);
	return h("div", { class: "toolbar" }, h("div", { class: "segments", role: "group", "aria-label": "Which incidents" },
		tab("", "Open", !past), tab("past", "Past", past)));
}

function silenced(ctx, s) {
	const what = [s.environment, s.cluster, s.group].map((p) => p ?? "*").join(" / ");
	return h("tr", { key: s.id },
		h("th", { scope: "row" }, what, s.note ? h("span", { class: "sub" }, s.note) : null),
		h("td", { "data-label": "By" }, s.by || "–"),
		h("td", { "data-label": "Ends", title: moment(s.until_ms) }, `in ${duration(s.until_ms - api.now())}`),
		h("td", { class: "num", "data-label": "" }, h("button", { class: "button", disabled: doing !== null,
			onClick: () => act(ctx, s.id, "end", () => api.send("DELETE", `silences/${s.id}`)) }, "End")));
}

function silences(ctx, list) {
	if (list.length === 0)
		return null;
	return h("section", null, h("h2", null, "Silences", h("span", { class: "muted" }, exact(list.length))),
		h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Silences" },
			h("table", { class: "plain stack" },
				h("thead", null, h("tr", null, ["Environment / cluster / group", "By", "Ends"].map((t) =>
					h("th", { key: t, scope: "col" }, t)), h("th", { key: "", scope: "col" },
					h("span", { class: "hidden" }, "Action")))),
				h("tbody", null, list.map((s) => silenced(ctx, s))))));
}

function all(ctx, data) {
	const list = data.past ? data.incidents : [...data.incidents].sort(worstFirst);
	const none = data.past ? empty("No incident has ended yet", "What was open and is over is kept here.")
		: empty("Nothing is wrong", "An incident opens when a group is WARN or ERR, or a cluster is not seen any more.");
	return [h("h1", null, "Incidents", h("span", { class: "h1-note", role: "status" },
		data.past ? "past" : plural(list.length, "open", "open"))),
	tabs(ctx, data.past), refused ? note(refused, "err") : null,
	list.length === 0 ? none : table(list, data.past), silences(ctx, data.silences)];
}

// --- one ---

function step(e, index) {
	return h("li", { key: `${e.at_ms}/${index}` },
		h("div", { class: "event-head" }, h("b", null, CHANGES[e.change] ?? e.change),
			e.status ? badge(e.status) : null,
			h("time", { class: "muted", title: moment(e.at_ms) }, ago(api.now() - e.at_ms))),
		e.text ? h("p", null, e.text) : null,
		e.by ? h("p", { class: "muted" }, `by ${e.by}`) : null);
}

function facts(i) {
	const bad = i.partitions > 0 ? `${exact(i.bad_partitions)} of ${exact(i.partitions)}` : null;
	return h("dl", { class: "card facts" },
		fact("State", STATES[i.state], i.by ? `by ${i.by}` : null),
		fact("Worst", i.worst),
		fact("Opened", ago(api.now() - i.opened_ms), moment(i.opened_ms)),
		fact(i.state === "resolved" ? "Lasted" : "Lasts", lasted(i), i.end ? ENDS[i.end] : null),
		fact("Lag", big(i.lag), `at ${clock(i.changed_ms)}`),
		fact("Oldest unread", duration(i.time_lag_ms), `at ${clock(i.changed_ms)}`),
		bad ? fact("Partitions", bad) : null,
		i.lost > 0 ? fact("Lost", big(i.lost), "deleted unread") : null,
		Object.entries(i.labels ?? {}).map(([name, value]) => fact(name, value)));
}

function one(ctx, i) {
	return [
		h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/incidents" }, "Incidents"),
			h("span", { "aria-hidden": "true" }, "/"), h("span", null, place(i))),
		h("h1", null, h("span", { class: "name" }, subject(i)), badge(i.state === "resolved" ? i.worst : i.status)),
		h("p", { class: "lead" }, i.sentence || `${reason(i.reason)}.`, marks(i)),
		i.note ? note(i.note) : null, refused ? note(refused, "err") : null,
		facts(i), actions(ctx, i),
		h("div", { class: "columns-even" },
			h("section", { class: "card events", "aria-label": "Timeline" }, h("h2", null, "Timeline"),
				h("ol", { tabindex: "0", "aria-label": "Steps, newest first" }, [...i.timeline].reverse().map(step)))),
	];
}

// --- the view ---

export function key(ctx, data, name) {
	if (name !== "Escape" || !data.one)
		return false;
	location.hash = "#/incidents";
	return true;
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, title(ctx.route)), skeleton(5)];
	return data.one ? one(ctx, data.one) : all(ctx, data);
}
