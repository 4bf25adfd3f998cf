// SPDX-License-Identifier: Apache-2.0
//
// controls - what one sets a view with: choices, segments, chips, the filter; and the plain table.

import { h } from "./dom.js";
import { count, exact } from "./format.js";
import { glyph } from "./parts.js";

const SHOWN_FIRST = 100; // rows of a list that may be long

// A drop-down. options: [value, text] each.
export function choice(label, now, options, onChange, props = {}) {
	return h("select", { ...props, "aria-label": label, value: now, onChange: (e) => onChange(e.target.value) },
		options.map(([value, text]) => h("option", { key: value, value, selected: value === now }, text)));
}

// Buttons of which one is pressed. options: [value, text] each.
export function segments(label, now, options, onChange) {
	return h("div", { class: "segments", role: "group", "aria-label": label }, options.map(([value, text]) =>
		h("button", { key: value, "aria-pressed": String(value === now), onClick: () => onChange(value) }, text)));
}

export function statusesOf(text = "", levels) {
	return new Set(text.split(",").filter((status) => levels.includes(status)));
}

// Statuses to be switched on and off, each with how many there are. text: those that are on, parted
// by commas; none is all.
export function statusChips(text, levels, counts, onChange) {
	const on = statusesOf(text, levels);
	const toggle = (status) => {
		const next = new Set(on);
		if (!next.delete(status))
			next.add(status);
		onChange([...next].join(","));
	};
	return h("div", { class: "chips", role: "group", "aria-label": "Status" },
		levels.map((status) => h("button", { key: status, class: "chip", "aria-pressed": String(on.has(status)),
			onClick: () => toggle(status) }, glyph(status), status,
		h("span", { class: "chip-count" }, count(counts[status])))));
}

export function search(label, placeholder, value = "", onInput) {
	return h("div", { class: "search" },
		h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
			h("path", { d: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.4 10.4 14 14" })),
		h("input", { type: "search", id: "search", placeholder, "aria-label": label, autocomplete: "off",
			spellcheck: "false", value, onInput: (e) => onInput(e.target.value) }),
		h("kbd", { "aria-hidden": "true" }, "/"));
}

// A table in a card that scrolls by itself where it is too wide. A column whose name begins with # has
// numbers; one that is "" has actions.
export function table(label, columns, rows) {
	const heading = (name) => h("th", { key: name, scope: "col", class: name.startsWith("#") ? "num" : null },
		name === "" ? h("span", { class: "hidden" }, "Action") : name.replace("#", ""));
	return h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": label },
		h("table", { class: "plain stack" }, h("thead", null, h("tr", null, columns.map(heading))),
			h("tbody", null, rows)));
}

// A cell. name: that of its column, which narrow screens show beside it.
export function cell(name, props, ...kids) {
	const numeric = name.startsWith("#");
	return h("td", { ...props, class: [props?.class, numeric ? "num" : null].filter(Boolean).join(" ") || null,
		"data-label": name.replace("#", "") || null }, kids);
}

const whole = new Set(); // names of the long lists that are shown whole

// The first rows of a list as show() draws them, with a button for all of them.
export function firstOf(ctx, name, rows, show) {
	const some = whole.has(name) || ctx.state.printing ? rows : rows.slice(0, SHOWN_FIRST);
	const all = () => {
		whole.add(name);
		ctx.redraw();
	};
	return [show(some), some.length === rows.length ? null
		: h("div", { key: `more-${name}`, class: "more" },
			h("button", { class: "button", onClick: all }, `Show all ${exact(rows.length)}`))];
}
