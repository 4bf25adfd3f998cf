// SPDX-License-Identifier: Apache-2.0
//
// api - requests to Warren's REST API, with the token if there is one, and the server's clock.

const TOKEN = "warren.token";
const TIMEOUT_MS = 15000;

// Adds up to the browser's clock what makes it the server's, which judges and dates everything.
let skew = 0;

export class Refused extends Error {
	constructor(status, detail, retryAfter) {
		super(detail);
		this.status = status;
		this.retryAfter = retryAfter;
	}
}

// There is no server to be had, or it stopped in the middle of a word.
export class Unreachable extends Error {}

export function now() {
	return Date.now() + skew;
}

export function hasToken() {
	return sessionStorage.getItem(TOKEN) !== null;
}

// Kept until the tab is closed, and never part of an address.
export function setToken(token) {
	if (token)
		sessionStorage.setItem(TOKEN, token);
	else
		sessionStorage.removeItem(TOKEN);
}

// The header that carries the token, if there is one.
export function authorization() {
	const token = sessionStorage.getItem(TOKEN);
	return token === null ? {} : { Authorization: `Bearer ${token}` };
}

function readClock(answer) {
	const date = Date.parse(answer.headers.get("Date") ?? "");
	// It has whole seconds: less than that is no difference.
	if (!Number.isNaN(date) && Math.abs(date + 500 - now()) > 1500)
		skew = date + 500 - Date.now();
}

async function detail(answer) {
	try {
		const problem = await answer.json();
		return problem.detail ?? problem.message ?? answer.statusText;
	} catch {
		return answer.statusText || `status ${answer.status}`;
	}
}

// An answer that is not one of success, as an error with the server's words.
export async function refusal(answer) {
	return new Refused(answer.status, await detail(answer), Number(answer.headers.get("Retry-After") ?? 0));
}

async function fetched(path, options, signal) {
	const limit = AbortSignal.timeout(TIMEOUT_MS);
	const answer = await fetch(`api/v1/${path}`, {
		...options,
		cache: "no-store",
		signal: signal ? AbortSignal.any([signal, limit]) : limit,
	});
	readClock(answer);
	if (!answer.ok)
		throw await refusal(answer);
	return options.method === undefined ? answer.json() : null;
}

async function ask(path, options, signal) {
	try {
		return await fetched(path, options, signal);
	} catch (error) {
		throw error instanceof Refused ? error : new Unreachable(error.message);
	}
}

// The answer to a path under /api/v1 as an object. Throws Refused with the server's words, or
// Unreachable.
export function get(path, signal) {
	return ask(path, { headers: authorization() }, signal);
}

// Have something changed; body is an object, or nothing. Throws as get() does.
export async function send(method, path, body) {
	const json = body === undefined ? {} : { "Content-Type": "application/json" };
	await ask(path, { method, headers: { ...authorization(), ...json },
		body: body === undefined ? undefined : JSON.stringify(body) });
}

// What follows a path: the parameters that have a value.
export function query(parameters) {
	const search = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
	return search.size ? `?${search}` : "";
}

// The whole of a list: an answer ends where it gets too long, and says with which cursor it goes on.
// rows: the member that holds them.
export async function every(path, rows, signal) {
	const whole = await get(path, signal);
	const and = path.includes("?") ? "&" : "?";
	let { next } = whole;
	while (next) {
		const more = await get(`${path}${and}cursor=${encodeURIComponent(next)}`, signal);
		whole[rows] = whole[rows].concat(more[rows]);
		next = more.next;
	}
	return whole;
}

export function clusterPath(c) {
	return `clusters/${encodeURIComponent(c.cluster)}`;
}

export function groupPath(g, rest = "", more = "") {
	return `${clusterPath(g)}/groups/${encodeURIComponent(g.group)}${rest}` +
		`?env=${encodeURIComponent(g.environment)}${more && `&${more}`}`;
}
