// SPDX-License-Identifier: Apache-2.0
//
// frame - what is around every view: where one can go, whether what is shown is live, colours, who
// asks.

import { hasToken, Unreachable } from "./api.js";
import { h } from "./dom.js";
import { clock, count, duration } from "./format.js";

const ICONS = {
	auto: "M10 3a7 7 0 1 0 0 14ZM10 3a7 7 0 0 1 0 14",
	light: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2" +
		"M4 4l1.4 1.4M14.6 14.6 16 16M16 4l-1.4 1.4M5.4 14.6 4 16",
	dark: "M16.5 12A7 7 0 0 1 8 3.5 7 7 0 1 0 16.5 12Z",
	keys: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.4v.1M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15Z",
	enter: "M8 3.5h7v13H8M3.5 10h8M8.5 7l3 3-3 3",
	leave: "M12 3.5H5v13h7M8.5 10h8M13.5 7l3 3-3 3",
};

function iconButton(name, label, title, onClick, props = {}) {
	return h("button", { ...props, class: "icon-button", title, "aria-label": label, onClick },
		h("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" }, h("path", { d: ICONS[name] })));
}

function brand() {
	return h("a", { class: "brand", href: "#/", "aria-label": "Warren, to the fleet" },
		h("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" },
			h("rect", { width: 32, height: 32, rx: 8 }), h("path", { d: "M6 21c5 0 5-10 10-10s5 10 10 10" }),
			h("path", { class: "ground", d: "M6 26h20" })),
		h("span", null, "Warren"));
}

function openCount(open) {
	return open > 0 ? h("span", { class: "nav-count" }, count(open),
		h("span", { class: "hidden" }, " open")) : null;
}

const PARENTS = { group: "groups", silences: "incidents" };

function nav({ route, open }) {
	const at = PARENTS[route.view] ?? route.view;
	const link = (name, ...text) =>
		h("a", { href: `#/${name}`, "aria-current": at === name ? "page" : null }, text);
	return h("nav", { "aria-label": "Views" }, link("", "Fleet"), link("groups", "Groups"),
		link("incidents", "Incidents", openCount(open)), link("agents", "Agents"));
}

function live({ error, loadedAt, streamed }) {
	const dot = h("span", { class: "dot" });
	if (error && error.status !== 404)
		return h("span", { class: "live bad" }, dot, "Offline");
	if (loadedAt === null)
		return h("span", { class: "live" }, dot, "Loading");
	const how = streamed ? "the server tells what is new" : "the server is asked every few seconds";
	return h("span", { class: `live good ${streamed ? "streamed" : ""}`,
		title: `Answered at ${clock(loadedAt)}; ${how}` }, dot, "Live");
}

function account(ctx) {
	return hasToken() ? iconButton("leave", "Sign out", "Sign out: forget my token", () => ctx.signIn(null))
		: iconButton("enter", "Sign in", "Sign in with a token", () => ctx.set({ login: "wanted" }),
			{ "aria-haspopup": "dialog" });
}

function head(ctx) {
	const { state } = ctx;
	return h("header", { class: "shell-head" }, h("div", { class: "shell-in" }, brand(), nav(state), live(state),
		iconButton(state.theme, `Colours: ${state.theme}. Change`, `Colours: ${state.theme} (t)`, ctx.nextTheme),
		account(ctx),
		iconButton("keys", "Keyboard shortcuts", "Keys (?)", () => ctx.set({ help: true }),
			{ "aria-haspopup": "dialog" })));
}

function words(error) {
	if (error.status === 429)
		return `Too many requests: ${error.message}.`;
	if (error.status)
		return `The aggregator refuses: ${error.message}.`;
	return error instanceof Unreachable ? "The aggregator cannot be reached."
		: `The page cannot show this answer: ${error.message}.`;
}

function banner({ state, refresh }) {
	const { error } = state;
	if (!error || [401, 403, 404].includes(error.status))
		return h("div", { role: "alert", class: "banner-place" });
	const wait = Math.max(0, state.retryAt - Date.now());
	const old = state.loadedAt === null || !state.data ? "" : ` What you see is of ${clock(state.loadedAt)}.`;
	return h("div", { role: "alert", class: "banner-place" }, h("div", { class: "banner" },
		h("span", null, h("b", null, words(error)), old),
		h("span", { class: "banner-wait", "aria-hidden": "true" },
			wait > 500 ? `Next try in ${duration(wait)}` : "Trying"),
		h("button", { class: "button", onClick: refresh }, "Try now")));
}

// The address after # is ours, so the link moves the focus itself.
function skip(e) {
	e.preventDefault();
	document.getElementById("main").focus();
}

// All that stands before the view.
export function frame(ctx) {
	return [
		h("a", { class: "skip", href: "#main", onClick: skip }, "Skip to the content"),
		head(ctx), banner(ctx),
	];
}
