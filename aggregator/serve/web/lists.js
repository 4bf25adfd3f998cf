// SPDX-License-Identifier: Apache-2.0
//
// lists - the clusters and their groups, as all views show them.

import { clusterPath, every, query } from "./api.js";
import { reason } from "./format.js";

// The groups of clusters, asked for again only when a pass has come in since.
const kept = new Map(); // cluster key -> {as_of_ms, groups}

export function clusterKey(c) {
	return `${c.environment}/${c.cluster}`;
}

export async function clusters(signal) {
	return (await every("clusters", "clusters", signal)).clusters;
}

async function groupsOf(c, signal) {
	const have = kept.get(clusterKey(c));
	if (have && have.as_of_ms === c.as_of_ms && have.groups.length === c.groups.total)
		return have.groups;
	const { as_of_ms, groups } =
		await every(`${clusterPath(c)}/groups${query({ env: c.environment })}`, "groups", signal);
	for (const g of groups) {
		g.environment = c.environment;
		g.cluster = c.cluster;
		g.id = `${c.environment}/${c.cluster}/${g.group}`;
		g.text = `${g.id} ${g.reason} ${reason(g.reason)}`.toLowerCase(); // what filters look at
	}
	kept.set(clusterKey(c), { as_of_ms, groups });
	return groups;
}

export async function groups(list, signal) {
	return (await Promise.all(list.map((c) => groupsOf(c, signal)))).flat();
}

// Who asks is another now, and may see others.
export function forget() {
	kept.clear();
}

// The words of a filter must all stand somewhere in the text, which is in small letters.
export function matcher(q = "") {
	const words = q.toLowerCase().split(/\s+/).filter(Boolean);
	return (text) => words.every((word) => text.includes(word));
}
