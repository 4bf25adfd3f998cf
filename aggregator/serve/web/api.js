// SPDX-License-Identifier: Apache-2.0
//
// api - requests to Warren's REST API, with the token if one is asked for, and the server's clock.

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

export function now() {
	return Date.now() + skew;
}

export function hasToken() {
	return sessionStorage.getItem(TOKEN) !== null;
}

export function setToken(token) {
	if (token)
		sessionStorage.setItem(TOKEN, token);
	else
		sessionStorage.removeItem(TOKEN);
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

// The header that carries the token, if there is one.
export function authorization() {
	const token = sessionStorage.getItem(TOKEN);
	return token === null ? {} : { Authorization: `Bearer ${token}` };
}

async function ask(path, options, signal) {
	const limit = AbortSignal.timeout(TIMEOUT_MS);
	const answer = await fetch(`api/v1/${path}`, {
		...options,
		cache: "no-store",
		signal: signal ? AbortSignal.any([signal, limit]) : limit,
	});
	readClock(answer);
	if (!answer.ok)
		throw new Refused(answer.status, await detail(answer),
			Number(answer.headers.get("Retry-After") ?? 0));
	return answer;
}

// The answer to a path under /api/v1 as an object. Throws Refused with the server's words, or
// another error when there is no server to be had.
export async function get(path, signal) {
	return (await ask(path, { headers: authorization() }, signal)).json();
}

// Have something changed; body is an object, or nothing. Throws as get() does.
export async function send(method, path, body) {
	const json = body === undefined ? {} : { "Content-Type": "application/json" };
	await ask(path, { method, headers: { ...authorization(), ...json },
		body: body === undefined ? undefined : JSON.stringify(body) });
}

export function clusterPath(c) {
	return `clusters/${encodeURIComponent(c.cluster)}`;
}

export function groupPath(g, rest = "", query = "") {
	return `${clusterPath(g)}/groups/${encodeURIComponent(g.group)}${rest}` +
		`?env=${encodeURIComponent(g.environment)}${query && `&${query}`}`;
}

export async function clusters(signal) {
	return (await get("clusters", signal)).clusters;
}

// The groups of clusters, asked for again only when a pass has come in since.
const lists = new Map();

export function clusterKey(c) {
	return `${c.environment}/${c.cluster}`;
}

async function groupsOf(c, signal) {
	const have = lists.get(clusterKey(c));
	if (have?.as_of_ms === c.as_of_ms && have.count === c.groups.total)
		return have.groups;
	const answer = await get(
		`${clusterPath(c)}/groups?env=${encodeURIComponent(c.environment)}`, signal);
	const groups = answer.groups;
	for (const g of groups) {
		g.environment = c.environment;
		g.cluster = c.cluster;
		g.id = `${c.environment}/${c.cluster}/${g.group}`;
	}
	lists.set(clusterKey(c), { as_of_ms: answer.as_of_ms, count: groups.length, groups });
	return groups;
}

export async function groups(list, signal) {
	return (await Promise.all(list.map((c) => groupsOf(c, signal)))).flat();
}
