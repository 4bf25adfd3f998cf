// SPDX-License-Identifier: Apache-2.0
//
// app - the frame of the page: where in it the reader is (the part of the address after #), when to
// ask the server again, keys, colours, the token.

import * as agents from "./agents.js";
import * as api from "./api.js";
import { h, render } from "./dom.js";
import * as fleet from "./fleet.js";
import { clock, duration } from "./format.js";
import * as group from "./group.js";
import * as groups from "./groups.js";
import * as incidents from "./incidents.js";
import { empty } from "./parts.js";
import * as stream from "./stream.js";

const POLL_MS = 3000;
const STREAMED_POLL_MS = 30000; // where the server tells of what is new
const NEWS_MS = 500;            // news that come together are one
const WAIT_MAX_MS = 30000;
const THEME = "warren.theme";
const THEMES = ["auto", "light", "dark"];
const VIEWS = { "": fleet, groups, group, incidents, agents };

const state = {
	route: null,
	view: null,
	data: null, // of the view; null: nothing has come yet
	error: null, // the last answer was none
	failures: 0,
	loadedAt: null, // server's time of the last answer
	retryAt: null,
	login: false,
	streamed: false, // the server tells of what is new
	help: false,
	theme: localStorage.getItem(THEME) ?? "auto",
};

// --- where we are ---

function parseHash() {
	const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
	const [view, ...parts] = path.split("/").map((part) => {
		try {
			return decodeURIComponent(part);
		} catch {
			return part;
		}
	});
	return { view, parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

function hashOf(route, query) {
	const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
	const path = [route.view, ...route.parts].map(encodeURIComponent).join("/");
	return `#/${path}${search.size ? `?${search}` : ""}`;
}

const ctx = {
	get route() {
		return state.route;
	},
	// Change what the address says after the ?, without a new entry of the history.
	setQuery(change) {
		const query = { ...state.route.query, ...change };
		history.replaceState(null, "", hashOf(state.route, query));
		state.route.query = query;
		draw();
		if (state.view.reloads?.(change))
			refresh();
	},
	redraw() {
		draw();
	},
	refresh() {
		refresh();
	},
};

function follow() {
	const before = state.route;
	state.route = parseHash();
	const view = VIEWS[state.route.view] ?? null;
	const place = [state.route.view, ...state.route.parts].join("/");
	const same = before && place === [before.view, ...before.parts].join("/");
	if (!same) {
		state.view?.leave?.();
		state.view = view;
		state.data = null;
		state.error = null;
		window.scrollTo(0, 0);
	}
	draw();
	if (before && !same)
		document.getElementById("main")?.focus({ preventScroll: true });
	refresh();
}

// --- asking ---

let timer = 0;
let asking = null;

function plan(ms) {
	clearTimeout(timer);
	timer = setTimeout(refresh, ms);
	state.retryAt = Date.now() + ms;
}

function failed(error) {
	state.error = error;
	state.failures++;
	if (error.status === 401) {
		state.login = true;
		return;
	}
	const wait = Math.min(1000 * 2 ** (state.failures - 1), WAIT_MAX_MS);
	plan(Math.max(wait, (error.retryAfter || 0) * 1000));
}

async function refresh() {
	clearTimeout(timer);
	asking?.abort();
	if (document.hidden || state.login || !state.view)
		return;
	const mine = asking = new AbortController();
	try {
		const data = await state.view.load(ctx, mine.signal);
		if (mine.signal.aborted)
			return;
		Object.assign(state, { data, error: null, failures: 0, loadedAt: api.now() });
		plan(state.streamed ? STREAMED_POLL_MS : POLL_MS);
	} catch (error) {
		if (mine.signal.aborted)
			return;
		failed(error);
	}
	draw();
}

let news = 0;

// A pass was judged, or something has happened: what is shown may have changed.
function onNews() {
	news ||= setTimeout(() => {
		news = 0;
		refresh();
	}, NEWS_MS);
}

function onStream(open) {
	state.streamed = open;
	refresh();
}

// --- the frame ---

function icon(path) {
	return h("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" }, h("path", { d: path }));
}

function brand() {
	return h("a", { class: "brand", href: "#/", "aria-label": "Warren, to the fleet" },
		h("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" },
			h("rect", { width: 32, height: 32, rx: 8 }), h("path", { d: "M6 21c5 0 5-10 10-10s5 10 10 10" }),
			h("path", { class: "ground", d: "M6 26h20" })),
		"Warren");
}

function nav() {
	const at = state.route.view === "group" ? "groups" : state.route.view;
	const link = (name, text) => h("a", { href: `#/${name}`, "aria-current": at === name ? "page" : null }, text);
	return h("nav", { "aria-label": "Views" }, link("", "Fleet"), link("groups", "Groups"),
		link("incidents", "Incidents"), link("agents", "Agents"));
}

function live() {
	if (state.error && state.error.status !== 404)
		return h("span", { class: "live bad" }, h("span", { class: "dot" }), "Offline");
	if (state.loadedAt === null)
		return h("span", { class: "live" }, h("span", { class: "dot" }), "Loading");
	return h("span", { class: "live good", title: `Answered at ${clock(state.loadedAt)}` },
		h("span", { class: "dot" }), "Live");
}

function nextTheme() {
	state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
	localStorage.setItem(THEME, state.theme);
	draw();
}

const THEME_ICONS = {
	auto: "M10 3a7 7 0 1 0 0 14ZM10 3a7 7 0 0 1 0 14",
	light: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M16 4l-1.4 1.4M5.4 14.6 4 16",
	dark: "M16.5 12A7 7 0 0 1 8 3.5 7 7 0 1 0 16.5 12Z",
};

function head() {
	return h("header", { class: "shell-head" }, h("div", { class: "shell-in" }, brand(), nav(), live(),
		h("button", { class: "icon-button", title: `Colours: ${state.theme}`,
			"aria-label": `Colours: ${state.theme}. Change`, onClick: nextTheme }, icon(THEME_ICONS[state.theme])),
		h("button", { class: "icon-button", title: "Keys (?)", "aria-label": "Keyboard shortcuts", "aria-haspopup": "dialog",
			onClick: () => set({ help: true }) },
		icon("M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.4v.1M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15Z"))));
}

function set(change) {
	Object.assign(state, change);
	draw();
}

function banner() {
	const { error } = state;
	if (!error || error.status === 404 || error.status === 401)
		return h("div", { role: "alert", class: "banner-place" });
	const wait = Math.max(0, state.retryAt - Date.now());
	const words = error.status ? `The aggregator refuses: ${error.message}.` : "The aggregator cannot be reached.";
	const old = state.loadedAt === null || !state.data ? ""
		: ` What you see is of ${clock(state.loadedAt)}.`;
	return h("div", { role: "alert", class: "banner-place" }, h("div", { class: "banner" },
		h("span", null, h("b", null, words), old),
		h("span", { class: "banner-wait", "aria-hidden": "true" },
			wait > 500 ? `Next try in ${duration(wait)}` : "Trying"),
		h("button", { class: "button", onClick: refresh }, "Try now")));
}

function missing() {
	if (state.route.view === "incidents")
		return [empty("This incident is not known", "It ended long ago, or there never was one.",
			h("p", null, h("a", { href: "#/incidents" }, "All incidents")))];
	return [empty("This group is not known", "It may have been deleted, or its cluster has not been reported yet.",
		h("p", null, h("a", { href: "#/groups" }, "All groups")))];
}

function body() {
	if (!state.view)
		return [h("h1", null, "Not found"), empty("There is no such page", "The address may be of another version.",
			h("p", null, h("a", { href: "#/" }, "To the fleet")))];
	if (state.error?.status === 404)
		return [h("h1", null, "Not found"), ...missing()];
	return state.view.view(ctx, state.data);
}

// --- dialogs ---

function dialog(props, ...kids) {
	return h("dialog", { ...props, update: (el) => el.open || el.showModal() }, ...kids);
}

const KEYS = [["/", "Filter groups"], ["j  k", "Next and previous group"], ["Enter", "Open the group"],
	["Esc", "Back, or clear the filters"], ["1  2  3  4", "Fleet, Groups, Incidents, Agents"], ["t", "Change colours"], ["?", "This list"]];

function help() {
	return dialog({ key: "help", "aria-label": "Keyboard shortcuts", onClose: () => set({ help: false }) },
		h("h2", null, "Keys"),
		h("dl", { class: "keys" }, KEYS.map(([keys, what]) => h("div", { key: keys },
			h("dt", null, keys.split("  ").map((k) => h("kbd", { key: k }, k))), h("dd", null, what)))),
		h("form", { method: "dialog" },
			api.hasToken() ? h("button", { class: "button", type: "button", onClick: forget }, "Forget my token") : null,
			h("button", { class: "button primary" }, "Close")));
}

function forget() {
	api.setToken(null);
	location.reload();
}

function login() {
	const enter = (e) => {
		e.preventDefault();
		const field = e.target.querySelector("input");
		api.setToken(field.value.trim());
		field.value = "";
		set({ login: false, error: null });
		stream.restart();
		refresh();
	};
	return dialog({ key: "login", "aria-label": "Token", class: "login", onCancel: (e) => e.preventDefault() },
		h("form", { onSubmit: enter },
			h("h2", null, "Who is asking?"),
			h("p", null, "This aggregator wants a token with the role ", h("code", null, "read"),
				". It is kept until this tab is closed."),
			api.hasToken() ? h("p", { class: "note err", role: "alert" }, "The token was not accepted.") : null,
			h("label", null, "Token", h("input", { type: "password", name: "token", required: true,
				autocomplete: "off", autofocus: true })),
			h("button", { class: "button primary" }, "Sign in")));
}

// --- drawing ---

let drawing = 0;

function paint() {
	drawing = 0;
	const name = state.view ? state.view.title(state.route) : "Not found";
	document.title = `${name} · Warren`;
	document.documentElement.dataset.theme = state.theme;
	render(document.body, [
		h("a", { class: "skip", href: "#main", onClick: skip }, "Skip to the content"),
		head(), banner(),
		h("main", { id: "main", tabindex: "-1", class: state.error ? "old" : null },
			h("div", { key: state.route.view, class: `view ${state.route.view || "fleet"}` }, body())),
		state.help ? help() : null, state.login ? login() : null,
	].filter(Boolean));
}

// The address after # is ours, so the link moves the focus itself.
function skip(e) {
	e.preventDefault();
	document.getElementById("main").focus();
}

function draw() {
	drawing ||= requestAnimationFrame(paint);
}

// --- keys ---

function typing(e) {
	return e.target.closest?.("input, select, textarea, dialog") || e.ctrlKey || e.metaKey || e.altKey;
}

const GO = { 1: "#/", 2: "#/groups", 3: "#/incidents", 4: "#/agents" };

function focusSearch() {
	if (state.route.view !== "groups")
		location.hash = "#/groups";
	setTimeout(() => document.getElementById("search")?.focus(), 50);
}

function onKey(e) {
	if (e.key === "Escape" && e.target.id === "search") {
		if (e.target.value === "")
			e.target.blur();
		return;
	}
	if (typing(e) || (e.key === "Enter" && e.target !== document.body && e.target.id !== "main"))
		return;
	if (e.key === "?")
		set({ help: true });
	else if (e.key === "/")
		focusSearch();
	else if (e.key === "t")
		nextTheme();
	else if (GO[e.key])
		location.hash = GO[e.key];
	else if (!state.data || !state.view.key?.(ctx, state.data, e.key))
		return;
	e.preventDefault();
}

window.addEventListener("hashchange", follow);
window.addEventListener("keydown", onKey);
window.addEventListener("scroll", draw, { passive: true });
window.addEventListener("resize", draw);
window.addEventListener("online", refresh);
document.addEventListener("visibilitychange", refresh);
setInterval(draw, 1000); // ages go on, also while nothing comes in
follow();
stream.follow(onNews, onStream);
