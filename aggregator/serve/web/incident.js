// SPDX-License-Identifier: Apache-2.0
//
// incident - one trouble from its first bad pass to its end: what is wrong, how the lag went, what
// became of it, and what a person does about it.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { choice } from "./controls.js";
import { h } from "./dom.js";
import { ago, clock, duration, exact, moment, reason } from "./format.js";
import { badge, badgeOf, big, crumbs, fact, groupLink, note, placeOf, skeleton } from "./parts.js";
import { charts, plot } from "./plot.js";
import { DURATIONS, escaped, newSilenceLink } from "./silence.js";

const BEFORE_MS = 10 * 60000; // of the lag before it opened, and after its end
const STATES = { open: "Open", acknowledged: "Acknowledged", resolved: "Resolved" };
export const ENDS = { recovered: "recovered", deleted: "the group was deleted",
	expired: "the group was not heard of for long", maintenance: "maintenance began", by_hand: "closed by hand" };
const CHANGES = { opened: "Opened", worse: "Got worse", better: "Got better", other_reason: "Another reason",
	flaps: "Goes up and down", acknowledged: "Acknowledged", resolved: "Resolved" };
const UPS_AND_DOWNS = new Set(["opened", "worse", "better"]);

export const title = () => "Incident";
export const leave = actions.forget;

// How long it lasts, or has lasted.
export function lasted(i) {
	return (i.resolved_ms ?? api.now()) - i.opened_ms;
}

export function subjectOf(i) {
	return i.group ?? `The whole of ${i.cluster}`;
}

export function marks(i) {
	const acknowledged = `Acknowledged${i.by ? ` by ${i.by}` : ""}`;
	return [
		i.state === "acknowledged" ? h("span", { key: "ack", class: "mark" }, acknowledged) : null,
		i.silenced ? h("span", { key: "silenced", class: "mark" }, "Silenced") : null,
		i.flapping ? h("span", { key: "flaps", class: "mark" }, "Goes up and down") : null,
	];
}

// --- loading ---

// The group's lag around it; null where there is none, or the group is gone.
async function lagOf(i, signal) {
	if (i.group === null)
		return null;
	const room = Math.max(BEFORE_MS, lasted(i) / 5);
	const span = { from: Math.round(i.opened_ms - room),
		to: Math.round(Math.min((i.resolved_ms ?? api.now()) + room, api.now())) };
	try {
		return { span, history: await api.get(api.groupPath(i, "/history", `from=${span.from}&to=${span.to}`), signal) };
	} catch (error) {
		if (error.status === 404)
			return null;
		throw error;
	}
}

export async function load(ctx, signal) {
	const i = await api.get(`incidents/${encodeURIComponent(ctx.route.parts[0])}`, signal);
	const [lag] = await Promise.all([lagOf(i, signal), charts()]);
	return { i, lag };
}

// --- what one does about it ---

function silence(i, seconds) {
	return api.send("POST", "silences", {
		environment: escaped(i.environment), cluster: escaped(i.cluster),
		...(i.group === null ? {} : { group: escaped(i.group) }),
		for_s: seconds, note: `silenced on the page, for incident ${i.id}`,
	});
}

function silenceChoice(ctx, i) {
	const options = [["", "Silence for …"], ...DURATIONS.map(([text, s]) => [String(s), text]), ["more", "More …"]];
	return choice("Silence this", "", options, (value) => {
		if (value === "more")
			ctx.go(newSilenceLink(i));
		else if (value)
			actions.act(ctx, "silence", () => silence(i, Number(value)));
		ctx.redraw();
	}, { key: "silence", disabled: actions.busy() });
}

function todo(ctx, i) {
	const path = `incidents/${i.id}`;
	const over = i.state === "resolved";
	return h("div", { class: "actions" },
		i.group === null ? null : h("a", { key: "group", class: "button primary", href: groupLink(i) }, "Show the group"),
		i.state === "open" ? actions.actionButton(ctx, "acknowledge", "Acknowledge",
			() => api.send("POST", `${path}/acknowledge`, {})) : null,
		over || i.silenced ? null : silenceChoice(ctx, i),
		over ? null : actions.actionButton(ctx, "resolve", "Close", () => api.send("POST", `${path}/resolve`, {})));
}

// --- what it is ---

function facts(i) {
	const at = `at ${clock(i.changed_ms)}`;
	return h("dl", { class: "card facts" },
		fact("State", STATES[i.state], i.by ? `by ${i.by}` : null),
		fact("Opened", ago(api.now() - i.opened_ms), moment(i.opened_ms)),
		fact(i.state === "resolved" ? "Lasted" : "Lasts", duration(lasted(i)), ENDS[i.end] ?? `at worst ${i.worst}`),
		fact("Lag", big(i.lag), at),
		fact("Oldest unread", duration(i.time_lag_ms), at),
		i.partitions > 0 ? fact("Partitions", `${exact(i.bad_partitions)} of ${exact(i.partitions)}`, "not OK") : null,
		i.lost > 0 ? fact("Lost", big(i.lost), "deleted unread") : null,
		Object.entries(i.labels).map(([name, value]) => fact(name, value)));
}

function step(e, index) {
	return h("li", { key: `${e.at_ms}/${index}` },
		h("div", { class: "event-head" }, h("b", null, CHANGES[e.change] ?? e.change),
			UPS_AND_DOWNS.has(e.change) ? badge(e.status) : null,
			h("time", { class: "muted", title: moment(e.at_ms) }, ago(api.now() - e.at_ms))),
		e.text ? h("p", null, e.text) : null,
		e.by ? h("p", null, `by ${e.by}`) : null);
}

function timeline(i) {
	return h("section", { class: "card events", "aria-label": "Timeline" }, h("h2", null, "Timeline"),
		h("ol", { class: "rail", tabindex: "0", "aria-label": "Steps, newest first" },
			[...i.timeline].reverse().map(step)));
}

function lagPicture(ctx, i, { span, history }) {
	const columns = [history.at_ms.map((ms) => ms / 1000), history.lag];
	return h("section", { class: "card picture", "aria-label": "Lag of the group" },
		h("h2", null, "Lag of the group", h("span", { class: "muted" }, "shaded: while it was open")),
		plot("lag", { data: columns, span, ribbon: history, onPoint: () => {},
			window: { from_ms: i.opened_ms, to_ms: i.resolved_ms ?? span.to, blind: [] } },
		`Lag from ${moment(span.from)} to ${moment(span.to)}`, "tall"));
}

// --- the view ---

export function key(ctx, data, name) {
	if (name !== "Escape")
		return false;
	ctx.go("#/incidents");
	return true;
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Incident"), skeleton(5)];
	const { i, lag } = data;
	return [
		crumbs(["Incidents", "#/incidents"], placeOf(i)),
		h("h1", null, h("span", { class: "name" }, subjectOf(i)),
			i.state === "resolved" ? badgeOf("OK", "Resolved") : badge(i.status), marks(i)),
		h("p", { class: "lead" }, i.sentence || `${reason(i.reason)}.`),
		i.note ? note(i.note) : null, actions.refusal(ctx), todo(ctx, i), facts(i),
		h("div", { class: lag ? "columns" : "columns-even" }, lag ? lagPicture(ctx, i, lag) : null, timeline(i)),
	];
}
