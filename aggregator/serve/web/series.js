// SPDX-License-Identifier: Apache-2.0
//
// series - the columns that the charts draw: of one partition, or of a whole group.

import { get, groupPath } from "./api.js";

export const RANGES = [["10m", 600e3], ["1h", 3600e3], ["6h", 6 * 3600e3], ["24h", 86400e3],
	["7d", 7 * 86400e3], ["30d", 30 * 86400e3]];
const FINE = RANGES[0][0]; // the range that the judge's own samples cover, which are closer together

export function rangeOf(name) {
	return RANGES.find(([key]) => key === name) ?? RANGES[0];
}

export function nameOf(p) {
	return `${p.topic}/${p.partition}`;
}

// What was kept of the group's lag and offsets over time.
export function historyOfGroup(id, range, signal) {
	return get(groupPath(id, "/history", `from=-${range}`), signal);
}

export function historyOfPartition(id, p, range, signal) {
	const rest = `/partitions/${encodeURIComponent(p.topic)}/${p.partition}/history`;
	return get(groupPath(id, rest, `from=-${range}`), signal);
}

function pointsOfWindow(explained) {
	return explained.window.points.map((p) => [p.at_ms, p.log_end, p.committed]);
}

function pointsOfHistory(history) {
	return history.at_ms.map((at, i) => [at, history.log_end[i], history.committed[i]]);
}

// A function of the time that goes straight from one [time, value] to the next; null before the
// first. It is called with times that only grow.
function straight(points) {
	let i = 0;
	return (at) => {
		while (i + 1 < points.length && points[i + 1][0] <= at)
			i++;
		const [[t0, v0], [t1, v1]] = [points[i] ?? [Infinity, null], points[i + 1] ?? points[i] ?? [0, 0]];
		if (at < t0)
			return null;
		return t1 > t0 ? Math.round(v0 + (v1 - v0) * (at - t0) / (t1 - t0)) : v0;
	};
}

// The partitions have been looked at at different times: between two looks an offset is taken to
// grow evenly. The log cannot end before what has been read of it: then its end was seen earlier.
function sum(lists) {
	const times = [...new Set(lists.flatMap((points) => points.map(([at]) => at)))].sort((a, b) => a - b);
	const known = (points, column) => points.filter((p) => p[column] !== null).map((p) => [p[0], p[column]]);
	const lines = lists.map((points) => [straight(known(points, 1)), straight(known(points, 2))]);
	const columns = [[], [], []];
	for (const at of times) {
		const now = lines.map(([end, committed]) => [end(at), committed(at)]);
		if (now.some(([end, committed]) => end === null || committed === null))
			continue;
		columns[0].push(at / 1000);
		columns[1].push(now.reduce((all, [end, committed]) => all + Math.max(end, committed), 0));
		columns[2].push(now.reduce((all, [, committed]) => all + committed, 0));
	}
	return columns;
}

// What the last pass saw, as the last point.
function upToNow(g, p, points) {
	return [...points.filter(([at]) => at < g.as_of_ms), [g.as_of_ms, p.log_end, p.committed]];
}

function columnsOf(points) {
	return [points.map(([at]) => at / 1000), points.map(([, end]) => end), points.map(([, , committed]) => committed)];
}

// Columns "time in s, log end, committed" of one partition up to the group's last pass.
export function offsetsOfPartition(g, p, explained, range, history) {
	const points = range === FINE && explained ? pointsOfWindow(explained) : pointsOfHistory(history);
	return columnsOf(upToNow(g, p, points));
}

// The same of all partitions of the group together. explanationOf: of a partition, if it is known.
// Null: nothing has been committed.
export function offsetsOfGroup(g, explanationOf, range, history) {
	const some = g.partitions.filter((p) => p.committed !== null && p.log_end !== null);
	if (some.length === 0)
		return null;
	const windows = range === FINE ? some.map(explanationOf) : [];
	if (windows.length > 0 && windows.every(Boolean))
		return sum(some.map((p, i) => upToNow(g, p, pointsOfWindow(windows[i]))));
	const total = (name) => some.reduce((all, p) => all + p[name], 0);
	return columnsOf(upToNow(g, { log_end: total("log_end"), committed: total("committed") },
		pointsOfHistory(history)));
}

function lagOfOffsets([at, end, committed]) {
	const lag = (i) => (end[i] === null || committed[i] === null ? null : Math.max(end[i] - committed[i], 0));
	return [at, at.map((_, i) => lag(i))];
}

// A column of what was kept, and what the last pass saw.
function kept(g, history, name, last) {
	const at = history.at_ms.filter((ms) => ms < g.as_of_ms);
	return [[...at.map((ms) => ms / 1000), g.as_of_ms / 1000], [...history[name].slice(0, at.length), last]];
}

// Columns "time in s, lag" of the group, or of the partition that is chosen, whose offsets are lines.
// In time: in ms.
export function lagColumns(g, chosen, lines, history, inTime) {
	if (inTime)
		return kept(g, history, "time_lag_ms", (chosen ?? g).time_lag_ms);
	return chosen && lines ? lagOfOffsets(lines) : kept(g, history, "lag", (chosen ?? g).lag);
}
