// SPDX-License-Identifier: Apache-2.0
//
// series - the columns that the charts draw: of one partition, or of several summed.

import { get, groupPath } from "./api.js";

export const RANGES = [["10m", 600e3], ["1h", 3600e3], ["6h", 6 * 3600e3], ["24h", 86400e3],
	["7d", 7 * 86400e3], ["30d", 30 * 86400e3]];
export const SUM_MAX = 24; // partitions whose offsets are summed
const KEPT_MS = 30000;

const kept = new Map(); // path -> {at, answer}

export function rangeOf(name) {
	return RANGES.find(([key]) => key === name) ?? RANGES[0];
}

async function partitionHistory(id, p, range, signal) {
	const rest = `/partitions/${encodeURIComponent(p.topic)}/${p.partition}/history`;
	const path = groupPath(id, rest, `from=-${range}`);
	const have = kept.get(path);
	if (have && Date.now() - have.at < KEPT_MS)
		return have.answer;
	const answer = await get(path, signal);
	if (kept.size > 200)
		kept.clear();
	kept.set(path, { at: Date.now(), answer });
	return answer;
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

// Columns "time in s, log end, committed" of partitions, up to the group's last pass. Null: too many.
export async function offsets(id, g, partitions, explained, range, signal) {
	const some = partitions.filter((p) => p.committed !== null && p.log_end !== null);
	if (some.length === 0 || some.length > SUM_MAX)
		return null;
	const same = (a, b) => a.topic === b.topic && a.partition === b.partition;
	const lists = await Promise.all(some.map(async (p) => {
		const e = explained.find((x) => same(x, p));
		const points = range === "10m" && e ? pointsOfWindow(e)
			: pointsOfHistory(await partitionHistory(id, p, range, signal));
		return [...points.filter(([at]) => at < g.as_of_ms), [g.as_of_ms, p.log_end, p.committed]];
	}));
	return sum(lists);
}

export function lagOfOffsets([at, end, committed]) {
	return [at, end.map((value, i) => value - committed[i])];
}

export function lagOfHistory(history, g) {
	const at = history.at_ms.filter((ms) => ms < g.as_of_ms);
	return [[...at.map((ms) => ms / 1000), g.as_of_ms / 1000], [...history.lag.slice(0, at.length), g.lag]];
}
