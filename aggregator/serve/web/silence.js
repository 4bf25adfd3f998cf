// SPDX-License-Identifier: Apache-2.0
//
// silence - how a silence is made: what it is about, for how long, and the form that asks for it.

import * as actions from "./actions.js";
import { query, send } from "./api.js";
import { h } from "./dom.js";

export const DURATIONS = [["1 hour", 3600], ["8 hours", 8 * 3600], ["3 days", 3 * 86400], ["2 weeks", 14 * 86400]];
const STATUSES = [["", "WARN and ERR"], ["WARN", "WARN alone"], ["ERR", "ERR alone"]];
export const BLANK = { new: "", env: "", cluster: "", group: "" };

// A name as a pattern that means itself.
export function escaped(name) {
	return name.replace(/[*?[\]\\]/g, "\\$&");
}

// Where a silence of a group, an incident's subject or a cluster is made.
export function newSilenceLink({ environment, cluster, group }) {
	return `#/silences${query({ new: "1", env: escaped(environment), cluster: escaped(cluster),
		group: group ? escaped(group) : "" })}`;
}

function field(name, label, value, hint, props = {}) {
	return h("label", { key: name, class: "field" }, label,
		h("input", { name, autocomplete: "off", spellcheck: "false", placeholder: hint, ...props,
			mount: (el) => { el.value = value ?? ""; } }));
}

function select(name, label, options) {
	return h("label", { key: name, class: "field" }, label,
		h("select", { name }, options.map(([text, value]) => h("option", { key: text, value }, text))));
}

// What stands in the form, as the API takes it.
function wanted(form) {
	const { env, cluster, group, topic, status, seconds, note } = Object.fromEntries(new FormData(form));
	const given = { environment: env, cluster, group, topic, status };
	return { ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)),
		for_s: Number(seconds), note };
}

export function silenceForm(ctx) {
	const { query: at } = ctx.route;
	const submit = async (e) => {
		e.preventDefault();
		const body = wanted(e.target);
		if (await actions.act(ctx, "create", () => send("POST", "silences", body)))
			ctx.setQuery(BLANK);
	};
	return h("form", { key: "form", class: "card form", "aria-label": "New silence", onSubmit: submit },
		h("h2", null, "New silence"),
		h("p", { class: "muted" }, "Incidents open and end as ever, but nobody is told of those that match. ",
			"Names are patterns: ", h("code", null, "*"), " stands for any text, an empty field for all."),
		h("div", { class: "fields" },
			field("env", "Environment", at.env, "all"), field("cluster", "Cluster", at.cluster, "all"),
			field("group", "Group", at.group, "all"), field("topic", "Topic", "", "all"),
			select("status", "Status", STATUSES.map(([value, text]) => [text, value])),
			select("seconds", "For", DURATIONS.map(([text, s]) => [text, String(s)])),
			field("note", "Why", "", "such as: migration of the topic", { required: true, maxlength: "200" })),
		h("div", { class: "actions" },
			h("button", { class: "button primary", disabled: actions.busy() }, "Silence"),
			h("button", { class: "button", type: "button", onClick: () => ctx.setQuery(BLANK) }, "Cancel")));
}
