// SPDX-License-Identifier: Apache-2.0
//
// format - numbers, durations and times as people read them. null is not known, and is a dash.

const NONE = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function exact(n) {
	return n === null || n === undefined ? NONE : whole.format(n);
}

// At most five characters.
export function count(n) {
	if (n === null || n === undefined)
		return NONE;
	if (n < 10000)
		return whole.format(n);
	let unit = 0;
	while (n >= 999.5 && unit < 5) {
		n /= 1000;
		unit++;
	}
	return n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0) + ["", "k", "M", "G", "T", "P"][unit];
}

export function bytes(n) {
	return n === null ? NONE : `${count(n)}B`;
}

// The two largest units: "3m 20s".
export function duration(ms, atLeast = false) {
	if (ms === null || ms === undefined)
		return NONE;
	const s = Math.round(Math.max(ms, 0) / 1000);
	const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
	const at = parts.findIndex(([size]) => s >= size);
	let text = "0s";
	if (at >= 0) {
		const [size, unit] = parts[at];
		text = `${Math.floor(s / size)}${unit}`;
		const rest = at + 1 < parts.length && s < 100 * size
			? Math.floor((s % size) / parts[at + 1][0]) : 0;
		if (rest > 0)
			text += ` ${rest}${parts[at + 1][1]}`;
	}
	return (atLeast ? "≥ " : "") + text;
}

export function ago(ms) {
	return ms === null ? NONE : ms < 1500 ? "just now" : `${duration(ms)} ago`;
}

// Made once: to make one takes longer than to draw a row.
const times = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });
const moments = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export function clock(ms) {
	return ms === null ? NONE : times.format(ms);
}

export function moment(ms) {
	return ms === null ? NONE : moments.format(ms);
}

export function plural(n, one, many = `${one}s`) {
	return `${exact(n)} ${n === 1 ? one : many}`;
}

const REASONS = {
	none: "Not judged yet",
	no_data: "Nothing known yet",
	warming_up: "Still being watched for the first time",
	offset_beyond_end: "Committed beyond the end of the log",
	data_loss: "Messages were deleted before they were read",
	caught_up: "Caught up",
	open_transaction: "Waits for an open transaction",
	went_backwards: "Went back to read again",
	no_commits: "No longer commits",
	no_members: "The group has no members",
	never_committed: "Has never committed",
	unassigned: "Assigned to no member",
	unowned: "Owned by no member",
	abandoned: "Abandoned",
	no_progress: "Commits, but does not move on",
	rewind_loop: "Goes back again and again",
	falling_behind: "Falls behind",
	time_lag: "Too far behind in time",
	catching_up: "Catching up",
	keeping_up: "Keeps up",
	ignored: "Not counted, by a rule",
	rebalance_storm: "Rebalances all the time",
};

export function reason(name) {
	return REASONS[name] ?? name.replaceAll("_", " ");
}

// With the first letter large.
export function sentence(text) {
	return text ? text[0].toUpperCase() + text.slice(1) : "";
}
