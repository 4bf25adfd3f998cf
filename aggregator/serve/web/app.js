// SPDX-License-Identifier: Apache-2.0
//
// app - what the page knows and when it asks: follows the address, loads what the view there shows,
// and draws it.

import * as address from "./address.js";
import * as agents from "./agents.js";
import * as api from "./api.js";
import { dialogs } from "./dialogs.js";
import { h, render } from "./dom.js";
import * as fleet from "./fleet.js";
import { frame } from "./frame.js";
import * as group from "./group.js";
import * as groups from "./groups.js";
import * as incident from "./incident.js";
import * as incidents from "./incidents.js";
import { onKey } from "./keys.js";
import * as lists from "./lists.js";
import { empty } from "./parts.js";
import * as silences from "./silences.js";
import * as stream from "./stream.js";

const POLL_MS = 3000;
const STREAMED_POLL_MS = 30000; // where the server tells of what is new
const NEWS_MS = 500;            // news that come together are one
const NEWS_SHARE = 5;           // and loading takes no more than one part of so many of the time
const WAIT_MAX_MS = 30000;
const THEME = "warren.theme";
const THEMES = ["auto", "light", "dark"];
const VIEWS = { "": fleet, groups, group, incidents, incident, silences, agents };

const state = {
	route: null,
	view: null, // null: there is none at that address
	data: null, // of the view; null: nothing has come yet
	error: null, // the last answer was none
	failures: 0,
	loadedAt: null, // server's time of the last answer
	retryAt: null,
	open: null, // how many incidents are
	login: null, // why a token is asked for: needed, wrong, forbidden, wanted
	anonymous: false, // something was answered without a token
	streamed: false, // the server tells of what is new
	help: false,
	theme: localStorage.getItem(THEME) ?? "auto",
	printing: false,
	focus: null, // selector of an element that is to have the focus once it is there
};

// What views and the frame may do.
const ctx = {
	state,
	get route() {
		return state.route;
	},
	// Change what the address says after the ?, without a new entry of the history.
	setQuery(change) {
		const query = { ...state.route.query, ...change };
		history.replaceState(null, "", address.format({ ...state.route, query }));
		state.route.query = query;
		draw();
		if (state.view.reloads?.(change))
			refresh();
	},
	set(change) {
		Object.assign(state, change);
		draw();
	},
	go(hash) {
		location.hash = hash;
	},
	redraw: draw,
	refresh,
	nextTheme() {
		const theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
		localStorage.setItem(THEME, theme);
		ctx.set({ theme });
	},
	// Ask as the one with this token from now on; null: as nobody. What was shown to another is gone;
	// what all may see stays, and so does what is typed into it.
	signIn(token) {
		if (api.hasToken())
			state.data = null;
		api.setToken(token);
		lists.forget();
		ctx.set({ login: null, error: null, failures: 0 });
		stream.restart();
		refresh();
	},
};

// Of an incident the address is one below that of all incidents.
function viewAt({ view, parts }) {
	return VIEWS[view === "incidents" && parts[0] ? "incident" : view] ?? null;
}

function follow() {
	const before = state.route;
	const route = address.parse(location.hash);
	const moved = !before || !address.same(before, route);
	if (moved) {
		state.view?.leave?.();
		Object.assign(state, { view: viewAt(route), data: null, error: null });
		window.scrollTo(0, 0);
	}
	ctx.set({ route });
	if (before && moved)
		document.getElementById("main")?.focus({ preventScroll: true });
	refresh();
}

// --- asking ---

let timer = 0; // of the next question
let asking = null; // what ends the one under way
let again = false; // there were news meanwhile
let cost = 0; // ms that the last one took

function plan(ms) {
	clearTimeout(timer);
	timer = setTimeout(refresh, ms);
	state.retryAt = Date.now() + ms;
}

function failed(error) {
	if (!(error instanceof api.Refused || error instanceof api.Unreachable))
		console.error(error); // a fault of the page's own
	state.error = error;
	state.failures++;
	if (error.status === 401 || error.status === 403) {
		const wrong = api.hasToken() ? "wrong" : "needed";
		state.login = error.status === 403 ? "forbidden" : wrong;
		state.data = null;
		api.setToken(null); // shown again, it would count as one more guess
		return;
	}
	const wait = Math.min(1000 * 2 ** (state.failures - 1), WAIT_MAX_MS);
	plan(Math.max(wait, (error.retryAfter || 0) * 1000));
}

// The frame shows it beside the view, so what is wrong with it is told by the view's own answer.
async function openIncidents(signal) {
	try {
		return (await api.get("incidents?state=open&limit=1", signal)).total;
	} catch {
		return state.open;
	}
}

async function load(signal) {
	const began = performance.now();
	const [data, open] = await Promise.all([state.view.load(ctx, signal), openIncidents(signal)]);
	cost = performance.now() - began;
	return { data, open };
}

async function refresh() {
	clearTimeout(timer);
	asking?.abort();
	asking = null;
	again = false;
	if (document.hidden || state.login || !state.view)
		return;
	const mine = asking = new AbortController();
	try {
		const loaded = await load(mine.signal);
		if (asking !== mine)
			return;
		Object.assign(state, loaded, { error: null, failures: 0, loadedAt: api.now() });
		state.anonymous ||= !api.hasToken();
		plan(state.streamed ? STREAMED_POLL_MS : POLL_MS);
	} catch (error) {
		if (asking !== mine)
			return;
		failed(error);
	}
	asking = null;
	draw();
	if (again)
		onNews();
}

let news = 0;

function onEvent(event, what) {
	if (state.error?.retryAfter)
		return; // the server has said when it wants to be asked again
	if (event === "incident" || (state.view?.concerns?.(state.route, what) ?? true))
		onNews();
}

// A pass was judged, or something has happened: what is shown may have changed. A question under way
// goes on, or where news come faster than answers there would never be one.
function onNews() {
	news ||= setTimeout(() => {
		news = 0;
		if (asking)
			again = true;
		else
			refresh();
	}, Math.max(NEWS_MS, cost * NEWS_SHARE));
}

// What happened before the stream was there, or after it ended, it does not tell.
function onStream(open) {
	state.streamed = open;
	onNews();
}

// --- drawing ---

function missing() {
	const what = state.route.view === "incidents" ? ["incident", "It ended long ago, or there never was one", "incidents"]
		: ["group", "It may have been deleted, or its cluster has not been reported yet", "groups"];
	const [name, why, list] = what;
	const unseen = api.hasToken() ? ", or your token is not for its cluster." : ".";
	return [h("h1", null, "Not found"), empty(`This ${name} is not known`, why + unseen,
		h("p", null, h("a", { href: `#/${list}` }, `All ${list}`)))];
}

function body() {
	if (!state.view)
		return [h("h1", null, "Not found"), empty("There is no such page", "The address may be of another version.",
			h("p", null, h("a", { href: "#/" }, "To the fleet")))];
	return state.error?.status === 404 ? missing() : state.view.view(ctx, state.data);
}

function title() {
	const name = state.view ? state.view.title(state.route) : "Not found";
	return `${state.open > 0 ? `(${state.open}) ` : ""}${name} · Warren`;
}

function focusWanted() {
	const el = state.focus && document.querySelector(state.focus);
	if (!el)
		return;
	state.focus = null;
	el.focus({ preventScroll: true });
}

let drawing = 0;

function paint() {
	drawing = 0;
	document.title = title();
	document.documentElement.dataset.theme = state.printing ? "light" : state.theme;
	render(document.body, [
		...frame(ctx),
		h("main", { id: "main", tabindex: "-1", class: state.error ? "old" : null },
			h("div", { key: state.route.view, class: `view ${state.route.view || "fleet"}` }, body())),
		...dialogs(ctx),
	]);
	focusWanted();
}

function draw() {
	drawing ||= requestAnimationFrame(paint);
}

// On paper all rows are, and paper is white.
function print(printing) {
	state.printing = printing;
	paint();
}

window.addEventListener("hashchange", follow);
window.addEventListener("keydown", (e) => onKey(ctx, e));
window.addEventListener("scroll", () => state.view?.scrolls && draw(), { passive: true });
window.addEventListener("resize", draw);
window.addEventListener("online", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw); // charts have colours of their own
window.addEventListener("beforeprint", () => print(true));
window.addEventListener("afterprint", () => print(false));
document.addEventListener("visibilitychange", refresh);
setInterval(draw, 1000); // ages go on, also while nothing comes in
follow();
stream.follow(onEvent, onStream);
