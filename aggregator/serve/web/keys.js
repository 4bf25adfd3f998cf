// SPDX-License-Identifier: Apache-2.0
//
// keys - what the keyboard does. Views have keys of their own, see key() of each.

export const KEYS = [["/", "Filter"], ["j k", "Next and previous in the list"], ["Enter", "Open it"],
	["Esc", "Back, or clear the filters"], ["1 2 3 4", "Fleet, Groups, Incidents, Agents"],
	["t", "Change colours"], ["?", "This list"]];
const GO = { 1: "#/", 2: "#/groups", 3: "#/incidents", 4: "#/agents" };

// Whether the key is for what has the focus, or the browser.
function taken(e) {
	if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, select, textarea, dialog"))
		return true;
	return e.key === "Enter" && e.target !== document.body && e.target.id !== "main";
}

// Esc in the filter empties it, as browsers do, and leaves it when it is empty.
function leaveFilter(e) {
	if (e.key !== "Escape" || e.target.id !== "search")
		return false;
	if (e.target.value === "")
		e.target.blur();
	return true;
}

function filter(ctx) {
	ctx.set({ focus: "#search" });
	if (!document.getElementById("search"))
		ctx.go("#/groups");
}

// The link of the row after or before the one that has the focus.
function step(by) {
	const links = [...document.querySelectorAll("main .row-link")];
	if (links.length === 0)
		return false;
	const at = links.indexOf(document.activeElement);
	const to = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(at + by, links.length - 1));
	links[to].focus();
	return true;
}

function act(ctx, key) {
	const { state } = ctx;
	if (key === "?")
		ctx.set({ help: true });
	else if (key === "/")
		filter(ctx);
	else if (key === "t")
		ctx.nextTheme();
	else if (GO[key])
		ctx.go(GO[key]);
	else if (state.data && state.view.key?.(ctx, state.data, key))
		return true;
	else
		return (key === "j" && step(1)) || (key === "k" && step(-1));
	return true;
}

export function onKey(ctx, e) {
	if (!leaveFilter(e) && !taken(e) && act(ctx, e.key))
		e.preventDefault();
}
