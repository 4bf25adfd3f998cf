// SPDX-License-Identifier: Apache-2.0
//
// actions - what a person changes: one change at a time, and if it was refused, why.

import { hasToken } from "./api.js";
import { h } from "./dom.js";
import { glyph } from "./parts.js";

let doing = null; // the name of the change under way
let refused = null; // why the last one was not made

export function forget() {
	refused = null;
}

export function busy() {
	return doing !== null;
}

function words(error) {
	if ((error.status === 401 || error.status === 403) && !hasToken())
		return "This needs a token with the role admin.";
	return error.status ? `Refused: ${error.message}.` : "The aggregator cannot be reached.";
}

// Have something changed by ask(), which returns a promise, and look at what became of it. True: it
// was done.
export async function act(ctx, name, ask) {
	doing = name;
	refused = null;
	ctx.redraw();
	try {
		await ask();
	} catch (error) {
		refused = words(error);
	}
	doing = null;
	ctx.refresh();
	ctx.redraw();
	return refused === null;
}

export function actionButton(ctx, name, text, ask) {
	return h("button", { key: name, class: "button", disabled: busy(), onClick: () => act(ctx, name, ask) },
		doing === name ? "…" : text);
}

// Why the last change was refused, with a way out.
export function refusal(ctx) {
	if (refused === null)
		return null;
	return h("div", { key: "refusal", class: "refusal", role: "alert" },
		h("p", { class: "note err" }, glyph("ERR"), h("span", null, refused)),
		hasToken() ? null : h("button", { class: "button", onClick: () => {
			forget();
			ctx.set({ login: "wanted" });
		} }, "Sign in"));
}
