// SPDX-License-Identifier: Apache-2.0
//
// live - what changes while one looks: a group that stalls, a server that goes and comes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close, GROUPS, open, rows, settled, stage, STUCK, until, violations } from "./browser.mjs";

const POLL_MS = 30000; // how often the page asks while the server tells it what is new, see app.js

test("a group that stalls shows it without a reload", { timeout: 240000 }, async () => {
	const page = await open(STUCK);
	await page.evaluate(() => { window.mark = "not reloaded"; });
	await page.locator("tbody .badge", { hasText: "STALL" }).first().waitFor({ timeout: 230000 });
	await page.locator("h1 .badge", { hasText: "ERR" }).waitFor();
	await page.locator(".events li", { hasText: "STALL" }).first().waitFor();
	assert.equal(await page.evaluate(() => window.mark), "not reloaded");
	await close(page);
});

test("without an aggregator the page says so, keeps what it has, and comes back by itself", async () => {
	const page = await open("#/groups");
	await settled(page);
	await stage.end("aggregator");
	await page.getByText("The aggregator cannot be reached.").waitFor();
	assert.deepEqual(await violations(page), []);
	assert.equal((await rows(page)).length, GROUPS);
	await stage.startAggregator();
	await page.locator(".banner").waitFor({ state: "detached" });
	await page.locator(".live.good").waitFor();
	await close(page, /ERR_CONNECTION|Failed to load/);
});

test("what happens is told by the server, and the page does not ask for it", async () => {
	let asked = 0;
	const page = await open("#/");
	page.on("request", (request) => request.url().endsWith("/api/v1/clusters") && asked++);
	await page.locator(".live.streamed").waitFor();
	asked = 0;
	const from = Date.now();
	await until("three passes", () => asked >= 3);
	assert.ok(Date.now() - from < 2 * POLL_MS);
	await close(page);
});
