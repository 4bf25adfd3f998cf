// SPDX-License-Identifier: Apache-2.0
//
// agents - who watches the clusters, and how well: those with troubles first.

import * as api from "./api.js";
import { cell, table } from "./controls.js";
import { h } from "./dom.js";
import { ago, bytes, count, duration, exact, moment, plural } from "./format.js";
import { badgeOf, big, byName, clusterLink, empty, fact, note, skeleton } from "./parts.js";

const SKEW_MS = 5000;   // more is told
const SPOOL_MS = 30000; // a spool whose oldest pass is older is not just passing through
const STATES = { running: "Running", starting: "Starting", catching_up: "Catching up", blind: "Blind" };
const SOURCES = { "offsets-topic": "Offsets topic", admin: "Admin API" };

export const title = () => "Agents";

export async function load(ctx, signal) {
	return api.every("agents", "agents", signal);
}

// --- what is wrong ---

function isLate(c) {
	return c.age_ms > 3 * c.interval_ms + 10000;
}

function stateOf(c) {
	return isLate(c) ? "Silent" : STATES[c.state] ?? "Unknown";
}

// Of the agent's sight of a cluster: [severity, words]; the first letter of a severity sorts.
function clusterTroubles(c) {
	const late = isLate(c);
	return [
		c.problem ? ["err", c.problem] : null,
		c.state === "blind" && !c.problem ? ["err", "The agent does not see the cluster"] : null,
		late ? ["err", `No pass for ${duration(c.age_ms)}`] : null,
		c.stale && !late && c.state !== "blind" ? ["warn", "Some of what is shown is old"] : null,
		c.state === "catching_up" || c.state === "starting"
			? ["warn", "Reads the offsets topic for the first time: verdicts come later"] : null,
		c.malformed > 0 ? ["warn", `${plural(c.malformed, "record")} of the offsets topic could not be read`] : null,
		c.log_failed > 0 ? ["warn", `${plural(c.log_failed, "log end")} could not be read in the last pass`] : null,
	].filter(Boolean);
}

function ownTroubles(a) {
	const skewed = a.skew_ms !== null && Math.abs(a.skew_ms) >= SKEW_MS;
	return [
		a.problem ? ["err", a.problem] : null,
		a.dropped > 0 ? ["err", `${plural(a.dropped, "pass", "passes")} lost: its spool was full`] : null,
		skewed ? ["warn", `Its clock is ${duration(Math.abs(a.skew_ms))} ${a.skew_ms > 0 ? "ahead" : "behind"}`] : null,
		a.spool_age_ms >= SPOOL_MS
			? ["warn", `${plural(a.spool_batches, "pass waits", "passes wait")} to be sent, ` +
				`the oldest for ${duration(a.spool_age_ms)}`] : null,
		a.rejected > 0 ? ["warn", `${plural(a.rejected, "batch was", "batches were")} refused`] : null,
	].filter(Boolean);
}

function gravity(troubles) {
	return troubles.some(([kind]) => kind === "err") ? 2 : troubles.length > 0 ? 1 : 0;
}

function gravityOf(a) {
	return Math.max(gravity(ownTroubles(a)), ...a.clusters.map((c) => gravity(clusterTroubles(c))));
}

function notes(troubles) {
	return troubles.map(([kind, text]) => note(text, kind));
}

const VERDICTS = [["OK", "Sees well"], ["WARN", "Look at it"], ["ERR", "In trouble"]];

// --- one agent ---

function progress(c) {
	if (c.to_read > 0 && c.read < c.to_read)
		return h("span", { title: `${exact(c.read)} of ${exact(c.to_read)}` }, `${Math.floor(100 * c.read / c.to_read)}%`);
	return big(c.reader_lag);
}

function cluster(c) {
	const troubles = clusterTroubles(c);
	const [status] = VERDICTS[gravity(troubles)];
	return h("tr", { key: `${c.environment}/${c.cluster}` },
		cell("State", null, badgeOf(status, stateOf(c))),
		h("th", { scope: "row" }, h("a", { class: "row-link", href: clusterLink(c) }, c.cluster),
			h("span", { class: "sub" }, c.environment), notes(troubles)),
		cell("Reads from", null, SOURCES[c.source] ?? (c.source || "–")),
		cell("#Last pass", { title: moment(c.received_ms) }, ago(c.age_ms)),
		cell("#Interval", null, duration(c.interval_ms)),
		cell("#Own lag", { title: "Records of the offsets topic that it has still to read" }, progress(c)),
		cell("#Records", null, count(c.records)),
		cell("#Unknown", { title: "Records of a form that it does not know; newer brokers write such" }, count(c.unknown)),
		cell("#Malformed", null, count(c.malformed)));
}

// Signed, for a clock: "+3s".
function skew(ms) {
	if (ms === null || Math.abs(ms) < 1000)
		return ms === null ? "–" : "in step";
	return `${ms > 0 ? "+" : "−"}${duration(Math.abs(ms))}`;
}

function spool(a) {
	return a.spool_batches > 0
		? fact("Spool", plural(a.spool_batches, "pass", "passes"), `${bytes(a.spool_bytes)}, ${duration(a.spool_age_ms)} old`)
		: fact("Spool", a.spool_batches === null ? "–" : "empty");
}

function facts(a) {
	const connected = a.connected_ms === null ? null : api.now() - a.connected_ms;
	return h("dl", { class: "facts" },
		fact("Last pass", ago(a.last_pass_age_ms)),
		fact("Last heard", ago(a.seen_age_ms)),
		fact("Connected", connected === null ? "–" : `for ${duration(connected)}`,
			a.connects > 1 ? `${exact(a.connects)} times since the start` : null),
		fact("Clock", skew(a.skew_ms)),
		spool(a),
		fact("Passes taken", count(a.batches),
			a.duplicates > 0 ? `${exact(a.duplicates)} came twice` : null),
		fact("Dropped", count(a.dropped), a.rejected > 0 ? `${exact(a.rejected)} refused` : null),
		fact("Configuration", h("code", null, a.config_hash ?? "–")));
}

function agent(a) {
	const [status, words] = VERDICTS[gravityOf(a)];
	const clusters = [...a.clusters].sort((x, y) => gravity(clusterTroubles(y)) - gravity(clusterTroubles(x)) ||
		byName(x.environment, y.environment) || byName(x.cluster, y.cluster));
	return h("section", { key: a.agent, class: "agent", "aria-label": a.agent },
		h("div", { class: `card agent-card ${status.toLowerCase()}` },
			h("div", { class: "agent-head" }, h("h2", null, a.agent || "Unnamed agent"),
				h("span", { class: "muted" }, `version ${a.version || "unknown"}`), badgeOf(status, words)),
			notes(ownTroubles(a)), facts(a)),
		table(`Clusters of ${a.agent}`,
			["State", "Cluster", "Reads from", "#Last pass", "#Interval", "#Own lag", "#Records", "#Unknown", "#Malformed"],
			clusters.map(cluster)));
}

// --- the view ---

function headline(agents) {
	const bad = agents.filter((a) => gravityOf(a) > 0).length;
	if (bad > 0)
		return `${plural(bad, "agent needs", "agents need")} attention`;
	return agents.length === 1 ? "The only agent is well" : `All ${count(agents.length)} agents are well`;
}

export function view(ctx, data) {
	if (!data)
		return [h("h1", null, "Agents"), skeleton(4)];
	if (data.agents.length === 0)
		return [h("h1", null, "Agents"), empty("No agent has reported yet",
			"An agent shows here with the first cluster that it reports.")];
	const agents = [...data.agents].sort((a, b) => gravityOf(b) - gravityOf(a) || byName(a.agent, b.agent));
	return [h("h1", null, "Agents", h("span", { class: "h1-note", role: "status" }, headline(agents))),
		agents.map(agent)];
}
