// SPDX-License-Identifier: Apache-2.0
//
// stream - the server's events as they come. Read by fetch, not by EventSource, which cannot send a
// token.

import { authorization, refusal } from "./api.js";

const WAIT_MIN_MS = 1000;
const WAIT_MAX_MS = 30000;
const SILENT_MS = 45000; // the server says something more often than that

let stopping = null; // ends the stream under way
let wake = () => {}; // ends the wait for the next try
let lastId = null;

function fieldsOf(block) {
	const fields = { event: "message", data: "" };
	for (const line of block.split("\n")) {
		const colon = line.indexOf(":");
		if (colon <= 0) // a comment, or nothing
			continue;
		const value = line.slice(colon + 1).replace(/^ /, "");
		const name = line.slice(0, colon);
		fields[name] = name === "data" ? fields.data + value : value;
	}
	return fields;
}

async function* events(body, onSign) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	for (;;) {
		const { done, value } = await reader.read();
		if (done)
			return;
		onSign();
		const blocks = (text + value).split("\n\n");
		text = blocks.pop();
		yield* blocks.map(fieldsOf);
	}
}

// Until the stream ends. Throws when it cannot be had.
async function read(onEvent, onOpen, stop) {
	let limit = 0;
	const watch = () => {
		clearTimeout(limit);
		limit = setTimeout(() => stop.abort(), SILENT_MS);
	};
	watch();
	try {
		const headers = { ...authorization(), ...(lastId === null ? {} : { "Last-Event-ID": lastId }) };
		const answer = await fetch("api/v1/stream", { cache: "no-store", headers, signal: stop.signal });
		if (!answer.ok)
			throw await refusal(answer);
		onOpen(true);
		for await (const { event, data, id } of events(answer.body, watch)) {
			lastId = id ?? lastId;
			if (data)
				onEvent(event, JSON.parse(data));
		}
	} finally {
		clearTimeout(limit);
	}
}

// Whether asking again as the same is in vain, and would count as one more wrong guess.
function hopeless(error) {
	return error.status === 401 || error.status === 403;
}

function pause(ms) {
	return new Promise((done) => {
		wake = done;
		if (ms < Infinity)
			setTimeout(done, ms);
	});
}

// Follow the server's events, for good: when the stream breaks it is asked for again. onOpen is told
// whether there is one.
export async function follow(onEvent, onOpen) {
	let wait = WAIT_MIN_MS;
	for (;;) {
		stopping = new AbortController();
		try {
			await read(onEvent, (open) => {
				wait = WAIT_MIN_MS;
				onOpen(open);
			}, stopping);
		} catch (error) {
			wait = hopeless(error) ? Infinity : Math.min(wait * 2, WAIT_MAX_MS);
		}
		onOpen(false);
		await pause(wait * (0.5 + Math.random()));
		if (wait === Infinity)
			wait = WAIT_MIN_MS;
	}
}

// Begin anew, as another: the token has changed.
export function restart() {
	lastId = null;
	stopping?.abort();
	wake();
}
