// SPDX-License-Identifier: Apache-2.0
//
// dialogs - the list of keys, and the question for a token.

import { h } from "./dom.js";
import { KEYS } from "./keys.js";

// A dialog that is open as long as it is described.
export function dialog(props, ...kids) {
	return h("dialog", { ...props, update: (el) => el.open || el.showModal() }, ...kids);
}

function help(ctx) {
	return dialog({ key: "help", "aria-label": "Keyboard shortcuts", onClose: () => ctx.set({ help: false }) },
		h("h2", null, "Keys"),
		h("dl", { class: "keys" }, KEYS.map(([keys, what]) => h("div", { key: keys },
			h("dt", null, keys.split(" ").map((k) => h("kbd", { key: k }, k))), h("dd", null, what)))),
		h("form", { method: "dialog" }, h("button", { class: "button primary" }, "Close")));
}

const READ = ["This aggregator wants a token with the role ", h("code", null, "read"), "."];
const QUESTIONS = {
	needed: READ,
	wrong: READ,
	forbidden: READ,
	wanted: ["With a token of the role ", h("code", null, "admin"), " you may acknowledge, silence and close incidents."],
};
const TROUBLES = {
	wrong: "The token was not accepted.",
	forbidden: "The token is known, but may not read. Another one is needed.",
};

// Whether there is something to be seen without a token: then the question may be left.
function optional({ login, anonymous }) {
	return login === "wanted" || (login !== "needed" && anonymous);
}

function login(ctx) {
	const { state } = ctx;
	const enter = (e) => {
		e.preventDefault();
		const field = e.target.querySelector("input");
		const token = field.value.trim();
		field.value = "";
		ctx.signIn(token);
	};
	const leave = () => ctx.signIn(null);
	const cancel = (e) => {
		e.preventDefault();
		if (optional(state))
			leave();
	};
	return dialog({ key: "login", "aria-label": "Token", class: "login", onCancel: cancel },
		h("form", { onSubmit: enter },
			h("h2", null, "Who is asking?"),
			h("p", null, QUESTIONS[state.login], " It is kept until this tab is closed, and never part of an address."),
			TROUBLES[state.login] ? h("p", { class: "note err", role: "alert" }, TROUBLES[state.login]) : null,
			h("label", null, "Token", h("input", { type: "password", name: "token", required: true,
				autocomplete: "off", autofocus: true })),
			optional(state) ? h("button", { class: "button", type: "button", onClick: leave }, "Cancel") : null,
			h("button", { class: "button primary" }, "Sign in")));
}

// Those that are open.
export function dialogs(ctx) {
	return [ctx.state.help ? help(ctx) : null, ctx.state.login ? login(ctx) : null].filter(Boolean);
}
