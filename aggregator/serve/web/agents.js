// SPDX-License-Identifier: Apache-2.0
//
// agents - who watches the clusters, and how well.

import * as api from "./api.js";
import { h } from "./dom.js";
import { ago, count, duration, moment, plural } from "./format.js";
import { blindness, byName, clusterLink, empty, freshness, glyph, note, skeleton } from "./parts.js";

const STATES = { running: "Running", starting: "Starting", catching_up: "Catching up", blind: "Blind" };
const SOURCES = { "offsets-topic": "Offsets topic", admin: "Admin API" };

export const title = () => "Agents";

export async function load(ctx, signal) {
	return { clusters: await api.clusters(signal) };
}

function row(c) {
	const problem = blindness(c);
	const seen = c.agent.last_seen_ms;
	return h("tr", { key: api.clusterKey(c) },
		h("th", { scope: "row" }, h("a", { href: clusterLink(c) }, c.cluster),
			problem ? note(problem) : null),
		h("td", { "data-label": "Environment" }, c.environment || "–"),
		h("td", { "data-label": "State" }, h("span", { class: "state" },
			glyph(problem ? "WARN" : "OK"), STATES[c.agent.state] ?? "Unknown")),
		h("td", { "data-label": "Reads from" }, SOURCES[c.agent.source] ?? (c.agent.source || "–")),
		h("td", { "data-label": "Last pass" }, freshness(c)),
		h("td", { "data-label": "Last heard", title: moment(seen) },
			seen === null ? "–" : ago(api.now() - seen)),
		h("td", { class: "num", "data-label": "Interval" }, duration(c.interval_ms)),
		h("td", { class: "num", "data-label": "Groups" }, count(c.groups.total)),
		h("td", { class: "num", "data-label": "Topics" }, count(c.topics)));
}

function agent(name, clusters) {
	const versions = [...new Set(clusters.map((c) => c.agent.version).filter(Boolean))];
	const problems = clusters.filter(blindness).length;
	const head = ["Cluster", "Environment", "State", "Reads from", "Last pass", "Last heard"];
	return h("section", { key: name, class: "agent" },
		h("div", { class: "section-head" },
			h("h2", null, name || "Unnamed agent",
				h("span", { class: "muted" }, versions.length ? `version ${versions.join(", ")}` : "")),
			h("span", { class: "muted" }, problems > 0 ? plural(problems, "problem") : plural(clusters.length, "cluster"))),
		h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": `Clusters of ${name}` },
			h("table", { class: "plain stack" },
				h("thead", null, h("tr", null, head.map((t) => h("th", { key: t, scope: "col" }, t)),
					["Interval", "Groups", "Topics"].map((t) => h("th", { key: t, scope: "col", class: "num" }, t)))),
				h("tbody", null, clusters.map(row)))));
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Agents"), skeleton(4)];
	if (data.clusters.length === 0)
		return [h("h1", null, "Agents"), empty("No agent has reported yet",
			"An agent shows here with the first cluster that it reports.")];
	const names = [...new Set(data.clusters.map((c) => c.agent.name))];
	const of = (name) => data.clusters.filter((c) => c.agent.name === name)
		.sort((a, b) => byName(a.environment, b.environment) || byName(a.cluster, b.cluster));
	const problems = (name) => of(name).filter(blindness).length;
	names.sort((a, b) => problems(b) - problems(a) || byName(a, b));
	return [h("h1", null, "Agents", h("span", { class: "h1-note" }, count(names.length))),
		names.map((name) => agent(name, of(name)))];
}
