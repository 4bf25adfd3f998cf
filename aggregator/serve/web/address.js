// SPDX-License-Identifier: Apache-2.0
//
// address - where in the page the reader is, as the part of the address after # says it: a view, what
// it is about, and how it is to be shown. Never a secret: addresses are copied.

import { query } from "./api.js";

function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

// {view, parts, query} of an address such as #/group/PROD/seoul/payments?range=1h
export function parse(hash) {
	const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
	const [view, ...parts] = path.split("/").map(decoded);
	return { view, parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

export function format(route) {
	return `#/${[route.view, ...route.parts].map(encodeURIComponent).join("/")}${query(route.query)}`;
}

export function same(a, b) {
	return a.view === b.view && a.parts.join("/") === b.parts.join("/");
}
