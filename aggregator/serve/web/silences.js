// SPDX-License-Identifier: Apache-2.0
//
// silences - what nobody is to be told of, and for how long.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { cell, table } from "./controls.js";
import { h } from "./dom.js";
import { duration, exact, moment } from "./format.js";
import { byName, empty, skeleton, tabs } from "./parts.js";
import { BLANK, silenceForm } from "./silence.js";

export const title = () => "Silences";
export const leave = actions.forget;

export async function load(ctx, signal) {
	return api.get("silences", signal);
}

// What it is about: patterns, and what else must be so.
function about(s) {
	const names = [s.environment, s.cluster, s.group].map((name) => name || "*").join(" / ");
	const more = [s.topic && s.topic !== "*" ? `topic ${s.topic}` : null, s.status ? `${s.status} alone` : null, s.reason,
		...Object.entries(s.labels).map(([name, value]) => `${name}=${value}`)].filter(Boolean);
	return [names, more.length ? h("span", { class: "sub" }, more.join(", ")) : null];
}

// When: it begins later, comes again each week, ends in some time.
function when(s) {
	const parts = [];
	if (s.from_ms > api.now())
		parts.push(`begins in ${duration(s.from_ms - api.now())}`);
	if (s.from || s.days.length > 0)
		parts.push([s.days.join(", "), s.from ? `${s.from}–${s.to}` : "", s.timezone ?? ""].filter(Boolean).join(" "));
	parts.push(s.until_ms === null ? "without end" : `ends in ${duration(s.until_ms - api.now())}`);
	return parts.join("; ");
}

// Those of the configuration end with it, not here.
function ending(ctx, s) {
	return s.by === "configuration" ? h("span", { class: "muted" }, "in its file")
		: actions.actionButton(ctx, s.id, "End", () => api.send("DELETE", `silences/${s.id}`));
}

function row(ctx, s) {
	return h("tr", { key: s.id },
		h("th", { scope: "row" }, about(s)),
		cell("Why", { class: "why" }, s.note || "–"),
		cell("By", { title: moment(s.created_ms) }, s.by || "–"),
		cell("When", { title: s.until_ms === null ? null : moment(s.until_ms) }, when(s)),
		cell("#", null, ending(ctx, s)));
}

function endsFirst(a, b) {
	return (a.until_ms ?? Infinity) - (b.until_ms ?? Infinity) || byName(a.id, b.id);
}

export function key(ctx, data, name) {
	if (name !== "Escape")
		return false;
	ctx.setQuery(BLANK);
	return true;
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Silences"), tabs("silences"), skeleton(4)];
	const list = [...data.silences].sort(endsFirst);
	const making = ctx.route.query.new === "1";
	return [
		h("h1", null, "Silences", h("span", { class: "h1-note", role: "status" }, exact(list.length))),
		tabs("silences", making ? null : h("button", { class: "button primary",
			onClick: () => ctx.setQuery({ new: "1" }) }, "New silence")),
		actions.refusal(ctx), making ? silenceForm(ctx) : null,
		list.length > 0 ? table("Silences", ["Environment / cluster / group", "Why", "By", "When", ""],
			list.map((s) => row(ctx, s))) : null,
		list.length === 0 && !making ? empty("Nothing is silenced", "During work on a cluster, or while a known " +
			"trouble lasts, a silence keeps its incidents from being told.") : null,
	];
}
