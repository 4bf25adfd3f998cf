// SPDX-License-Identifier: Apache-2.0
//
// browser - the Chromium, the stage and the few things that all tests of the page do with them.
//
// Nothing here or in the tests waits for a time: a machine may be slow. Each waits for what it needs,
// and TIMEOUT_MS is only how long a test that will fail takes to say so.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { freePort, Stage } from "./stage.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const TIMEOUT_MS = 60000;
export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };
export const TOKEN = "0123456789abcdef0123456789abcdef"; // of an admin
export const DEV_TOKEN = "fedcba9876543210fedcba9876543210"; // of one who may see the clusters of DEV alone
export const GROUPS = 19; // of the demonstration
export const STUCK = "#/group/PROD/prod-seoul/fraud-scoring";

export let stage, browser;

export async function start() {
	stage = new Stage(await freePort(), { token: TOKEN, open: true,
		more: [{ name: "developer", token: DEV_TOKEN, roles: ["read"], clusters: ["DEV/*"] }],
		judge: { stop_after_min: "10s", warn_after: "10s", raise_after: 1, clear_after: 1 } });
	browser = await chromium.launch({
		executablePath: process.env.WARREN_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
	await stage.start();
	await until("all groups of the demonstration, and one of them OK", async () => {
		const { total, groups } = await ask("groups");
		return total === GROUPS && groups.some((g) => g.status === "OK");
	});
}

export async function stop() {
	await browser?.close();
	await stage?.stop();
}

// What the API answers without a token.
export async function ask(path) {
	return (await fetch(`${stage.url}api/v1/${path}`)).json();
}

export async function until(what, holds) {
	for (const end = Date.now() + TIMEOUT_MS; Date.now() < end;) {
		if (await holds())
			return;
		await new Promise((done) => setTimeout(done, 100));
	}
	assert.fail(`still waiting for ${what}`);
}

// A page whose complaints are collected.
export async function open(path, { url = stage.url, token = "", ...options } = {}) {
	const context = await browser.newContext({ viewport: WIDE, ...options });
	context.setDefaultTimeout(TIMEOUT_MS);
	if (token)
		await context.addInitScript((value) => sessionStorage.setItem("warren.token", value), token);
	const page = await context.newPage();
	page.complaints = [];
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(m.text()));
	page.on("pageerror", (e) => page.complaints.push(e.message));
	await page.goto(url + path);
	return page;
}

// Made-up answers may be under way, and without them the page would complain of the real ones.
export async function close(page, allowed = /^$/) {
	assert.deepEqual(page.complaints.filter((text) => !allowed.test(text)), []);
	await page.unrouteAll({ behavior: "ignoreErrors" });
	await page.context().close();
}

// Until the view shows its data, and the frame after that is drawn: charts draw in a frame of their own.
export async function settled(page) {
	await page.locator("h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
	await page.evaluate(() => new Promise((done) =>
		requestAnimationFrame(() => requestAnimationFrame(done))));
}

// What axe finds wrong. bypassCSP is not used: the page's policy stays, and axe comes through the debugger.
export async function violations(page) {
	if (!await page.evaluate(() => "axe" in window))
		await page.evaluate(AXE);
	const { violations: found } = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), RULES);
	return found.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

// The names of the groups in a table of groups, as they stand in one moment.
export function rows(page) {
	return page.locator(".rows .row-link").allTextContents();
}
