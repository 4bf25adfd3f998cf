// SPDX-License-Identifier: Apache-2.0
//
// fleet - all clusters at a glance: a board of environments, and below it the groups that are worst.

import { h } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { groupTable } from "./grouptable.js";
import * as lists from "./lists.js";
import { big, blindness, byName, clusterLink, empty, fact, freshness, furthestBehind, glyph, note,
	skeleton, worst } from "./parts.js";

const WORST_SHOWN = 8;
const ROOMY_MAX = 12; // clusters whose cards have room for all there is to say
const CALM_MAX = 2000; // groups that are asked for though none of them is bad

export const title = () => "Fleet";

export async function load(ctx, signal) {
	const clusters = await lists.clusters(signal);
	const bad = clusters.filter((c) => c.groups.err + c.groups.warn > 0);
	if (bad.length === 0 && sum(clusters, (c) => c.groups.total) <= CALM_MAX)
		return { clusters, calm: true, groups: (await lists.groups(clusters, signal)).sort(furthestBehind) };
	const groups = (await lists.groups(bad, signal)).filter((g) => g.status !== "OK");
	return { clusters, calm: false, groups: groups.sort(worst) };
}

function severity(c) {
	return c.groups.err * 1e6 + c.groups.warn * 1e3 + (blindness(c) ? 1 : 0);
}

function sum(clusters, of) {
	return clusters.reduce((total, c) => total + of(c), 0);
}

function longest(clusters) {
	const known = clusters.map((c) => c.time_lag_ms).filter((ms) => ms !== null);
	return known.length ? Math.max(...known) : null;
}

// What is wrong, as a sentence.
function headline(clusters) {
	const err = sum(clusters, (c) => c.groups.err);
	const warn = sum(clusters, (c) => c.groups.warn);
	const total = sum(clusters, (c) => c.groups.total);
	const blind = clusters.filter(blindness).length;
	if (err > 0)
		return `${plural(err, "group needs", "groups need")} attention`;
	if (warn > 0)
		return `${plural(warn, "group")} to keep an eye on`;
	if (blind > 0)
		return `${plural(blind, "cluster is", "clusters are")} not seen well`;
	return total === 1 ? "The only group is healthy" : `All ${count(total)} groups are healthy`;
}

function tile(status, n, label) {
	return h("a", { class: "tile", href: `#/groups?status=${status}` },
		h("span", { class: "tile-label" }, glyph(status), label),
		h("span", { class: `tile-value ${n > 0 ? status.toLowerCase() : "none"}` }, big(n)));
}

function figure(label, value, kind = "") {
	return h("div", { class: "tile" }, h("span", { class: "tile-label" }, label),
		h("span", { class: `tile-value ${kind}` }, value));
}

function summary(clusters) {
	const seen = clusters.filter((c) => !blindness(c)).length;
	return h("section", { class: "card tiles", "aria-label": "All clusters together" },
		tile("ERR", sum(clusters, (c) => c.groups.err), "ERR"),
		tile("WARN", sum(clusters, (c) => c.groups.warn), "WARN"),
		tile("OK", sum(clusters, (c) => c.groups.ok), "OK"),
		figure("Total lag", big(sum(clusters, (c) => c.lag))),
		figure("Oldest unread", duration(longest(clusters))),
		figure("Clusters seen", `${seen} of ${clusters.length}`, seen < clusters.length ? "warn" : ""));
}

function bar(c) {
	const parts = [["err", c.groups.err], ["warn", c.groups.warn], ["ok", c.groups.ok]];
	const all = Math.max(c.groups.total, 1);
	return h("div", { class: "bar", "aria-hidden": "true" }, parts.filter(([, n]) => n > 0)
		.map(([name, n]) => h("span", { key: name, class: name, "width%": 100 * n / all })));
}

function counts(c) {
	const parts = [["ERR", c.groups.err], ["WARN", c.groups.warn], ["OK", c.groups.ok]];
	return h("div", { class: "counts" }, parts.filter(([, n]) => n > 0).map(([status, n]) =>
		h("span", { key: status, class: "count" }, glyph(status), h("b", null, count(n)), ` ${status}`)));
}

function statusOf(c) {
	return c.groups.err > 0 ? "ERR" : c.groups.warn > 0 ? "WARN" : "OK";
}

// The same as card(), so that a large fleet is seen at a glance.
function smallCard(c) {
	const problem = blindness(c);
	const status = statusOf(c);
	const bad = status === "OK" ? null : h("span", { class: "count" }, glyph(status),
		h("b", null, count(c.groups[status.toLowerCase()])));
	return h("li", { key: lists.clusterKey(c), class: `card cluster-card ${status.toLowerCase()}` },
		h("div", { class: "cluster-head" },
			h("a", { class: "cover row-link", href: clusterLink(c), title: c.cluster }, c.cluster), bad),
		bar(c),
		problem ? note(problem) : h("p", { class: "brief muted" }, `${plural(c.groups.total, "group")}, lag ${count(c.lag)}`,
			h("span", null, duration(c.time_lag_ms))));
}

function card(c) {
	const problem = blindness(c);
	const status = statusOf(c);
	return h("li", { key: lists.clusterKey(c), class: `card cluster-card ${status.toLowerCase()}` },
		h("div", { class: "cluster-head" },
			h("a", { class: "cover row-link", href: clusterLink(c) }, c.cluster),
			h("span", { class: "muted" }, plural(c.groups.total, "group"))),
		bar(c), counts(c),
		problem ? note(problem) : null,
		h("dl", { class: "facts small" },
			fact("Lag", big(c.lag)),
			fact("Oldest unread", duration(c.time_lag_ms)),
			c.lost > 0 ? fact("Lost", big(c.lost)) : null,
			fact("Seen", freshness(c))));
}

function environment(name, clusters, roomy) {
	clusters.sort((a, b) => severity(b) - severity(a) || byName(a.cluster, b.cluster));
	const groups = sum(clusters, (c) => c.groups.total);
	return h("section", { key: name, class: "environment", "aria-label": name || "No environment" },
		h("h2", null, name || "No environment",
			h("span", { class: "muted" }, clusters.length > 1 ? `${plural(clusters.length, "cluster")}, ` +
				plural(groups, "group") : null)),
		h("ul", null, clusters.map(roomy ? card : smallCard)));
}

function board(clusters) {
	const names = [...new Set(clusters.map((c) => c.environment))];
	const of = (name) => clusters.filter((c) => c.environment === name);
	names.sort((a, b) => sum(of(b), severity) - sum(of(a), severity) || byName(a, b));
	const roomy = clusters.length <= ROOMY_MAX;
	return h("div", { class: `board ${roomy ? "" : "small"}` }, names.map((name) => environment(name, of(name), roomy)));
}

function attention(ctx, { groups, calm }) {
	if (groups.length === 0)
		return null;
	const all = calm ? h("a", { href: "#/groups" }, `All ${count(groups.length)} groups`)
		: h("a", { href: "#/groups?status=ERR,WARN" }, `All ${count(groups.length)} in ERR or WARN`);
	const title = calm ? "Furthest behind" : "Worst first";
	return h("section", { class: "attention" }, h("div", { class: "section-head" }, h("h2", null, title), all),
		groupTable(ctx, groups.slice(0, WORST_SHOWN), { label: title, whole: true }));
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Fleet"), skeleton(5)];
	if (data.clusters.length === 0)
		return [h("h1", null, "Fleet"), empty("No cluster yet",
			"Start an agent near a Kafka cluster and point it at this aggregator. Its groups appear " +
			"here with its first pass.", h("p", null, h("code", null, "warren-agent -c agent.yaml")))];
	return [h("h1", null, headline(data.clusters)), summary(data.clusters), board(data.clusters),
		attention(ctx, data)];
}
