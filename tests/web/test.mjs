// SPDX-License-Identifier: Apache-2.0
//
// The page in a real Chromium, against a real aggregator that is fed by the demonstration's clusters.
//
//	npm ci && npm test
//
// WARREN_BUILD: the build directory; WARREN_CHROMIUM: the browser; WARREN_SHOTS: where pictures of
// every view go.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { freePort, Stage } from "./stage.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SHOTS = process.env.WARREN_SHOTS ?? "";
const STUCK = "#/group/PROD/prod-seoul/fraud-scoring";
const VIEWS = { fleet: "#/", groups: "#/groups", group: STUCK,
	partition: `${STUCK}?range=1h&p=payments.authorized%2F0`, incidents: "#/incidents", agents: "#/agents",
	none: "#/groups?q=no-such-group", unknown: "#/nowhere" };
const WIDE = { width: 1440, height: 900 };
const TOKEN = "0123456789abcdef0123456789abcdef";
const NARROW = { width: 390, height: 844 };

let stage, browser, watched;

// A page whose complaints are collected.
async function open(path, { url = stage.url, ...options } = {}) {
	const context = await browser.newContext({ viewport: WIDE, ...options });
	const page = await context.newPage();
	page.complaints = [];
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(m.text()));
	page.on("pageerror", (e) => page.complaints.push(e.message));
	await page.goto(url + path);
	return page;
}

async function close(page, allowed = /^$/) {
	assert.deepEqual(page.complaints.filter((text) => !allowed.test(text)), []);
	await page.context().close();
}

async function settled(page) {
	await page.locator("h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
	await page.waitForTimeout(300);
}

// bypassCSP is not used: the page's policy stays, and axe comes through the debugger.
async function violations(page) {
	await page.evaluate(readFileSync(AXE, "utf8"));
	const { violations: found } = await page.evaluate(() => window.axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
	return found.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

const rows = (page) => page.locator(".rows .row-link").allTextContents();

before(async () => {
	stage = new Stage(await freePort(), { token: TOKEN, open: true,
		judge: { stop_after_min: "10s", warn_after: "10s", raise_after: 1, clear_after: 1 } });
	browser = await chromium.launch({
		executablePath: process.env.WARREN_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
	await stage.start();
	watched = await open("");
	await watched.waitForFunction(() => document.querySelectorAll(".cluster-card").length === 4, null, { timeout: 30000 });
	await watched.evaluate((hash) => {
		location.hash = hash;
		window.mark = "not reloaded";
	}, STUCK);
});

after(async () => {
	await browser?.close();
	await stage?.stop();
});

test("to Burrow's clients / stays unknown, to a browser it is the page", async () => {
	const burrow = await fetch(stage.url, { headers: { Accept: "*/*" } });
	assert.equal(burrow.status, 404);
	assert.equal(await burrow.text(), '{"error":true,"message":"invalid request type","result":{}}\n');

	const page = await fetch(stage.url, { headers: { Accept: "text/html,*/*" } });
	assert.equal(page.status, 200);
	assert.equal(page.headers.get("Content-Type"), "text/html; charset=utf-8");
	assert.equal(page.headers.get("X-Content-Type-Options"), "nosniff");
	assert.match(page.headers.get("Content-Security-Policy"), /^default-src 'none'; script-src 'self';/);
	assert.doesNotMatch(page.headers.get("Content-Security-Policy"), /unsafe|\*|http/);
	const again = await fetch(stage.url,
		{ headers: { Accept: "text/html", "If-None-Match": page.headers.get("ETag") } });
	assert.equal(again.status, 304);
	assert.equal(await again.text(), "");
});

test("every file has its type, and what is not there is not found", async () => {
	const types = { "app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8",
		"favicon.svg": "image/svg+xml", "uplot/uPlot.esm.js": "text/javascript; charset=utf-8",
		"uplot/LICENSE.txt": "text/plain; charset=utf-8" };
	for (const [name, type] of Object.entries(types)) {
		const answer = await fetch(`${stage.url}web/${name}`);
		assert.equal(answer.status, 200, name);
		assert.equal(answer.headers.get("Content-Type"), type, name);
		assert.ok((await answer.text()).length > 100, name);
	}
	for (const name of ["", "nope.js", "app.js/", "../server.c", "%61pp.js"])
		assert.equal((await fetch(`${stage.url}web/${name}`)).status, 404, name);
});

test("the fleet shows all clusters and leads to their groups", async () => {
	const page = await open("#/");
	await settled(page);
	assert.deepEqual((await page.locator(".cluster-card a").allTextContents()).sort(),
		["dev-lab", "prod-seoul", "qa-berlin", "stg-frankfurt"]);
	assert.match(await page.title(), /Fleet · Warren/);
	await page.getByRole("link", { name: "qa-berlin" }).click();
	await page.locator("#search").waitFor();
	await page.locator(".rows .row").first().waitFor();
	assert.deepEqual((await rows(page)).sort(), ["mail-sender", "order-fulfilment", "regression-recorder"]);
	await close(page);
});

test("groups are filtered as one types, by status, and sorted", async () => {
	const page = await open("#/groups");
	await settled(page);
	assert.equal((await rows(page)).length, 19);
	await page.keyboard.press("/");
	await page.locator("#search:focus").waitFor();
	await page.keyboard.type("prod fraud");
	await page.waitForFunction(() => document.querySelectorAll(".rows .row").length === 1);
	assert.match(page.url(), /q=prod\+fraud/);
	await page.reload();
	await settled(page);
	assert.deepEqual(await rows(page), ["fraud-scoring"]);
	await page.locator("#search").fill("");

	await page.getByRole("button", { name: "Group" }).click();
	await page.waitForFunction(() => document.querySelector("[aria-sort]")?.textContent.startsWith("Group"));
	const up = await rows(page);
	assert.deepEqual(up, [...up].sort());
	await page.getByRole("button", { name: "Group" }).click();
	await page.locator("[aria-sort=descending]").waitFor();
	const down = await rows(page);
	assert.deepEqual(down, [...down].sort().reverse());

	await page.getByRole("button", { name: /^OK/ }).click();
	await page.waitForTimeout(100);
	assert.deepEqual([...new Set(await page.locator(".rows .badge").allTextContents())], ["OK"]);
	await close(page);
});

test("keys lead through groups into one and back", async () => {
	const page = await open("#/groups?sort=group");
	await settled(page);
	const names = await rows(page);
	for (const key of ["j", "j", "k"])
		await page.keyboard.press(key);
	await page.waitForFunction((name) => document.activeElement?.textContent === name, names[0]);
	await page.keyboard.press("Enter");
	await page.locator("h1 .badge").waitFor();
	assert.equal(await page.locator("h1 .name").textContent(), names[0]);
	await page.keyboard.press("Escape");
	await page.locator("#search").waitFor();
	await page.keyboard.press("?");
	await page.locator("dialog[open]").waitFor();
	await page.keyboard.press("Escape");
	await page.locator("dialog").waitFor({ state: "detached" });
	await page.keyboard.press("3");
	await page.locator("h1", { hasText: "Incidents" }).waitFor();
	await page.keyboard.press("4");
	await page.locator("h1", { hasText: "Agents" }).waitFor();
	await close(page);
});

test("a link leads to a group, a partition and a time range", async () => {
	const page = await open(VIEWS.partition);
	await settled(page);
	assert.equal(await page.locator(".picture select").inputValue(), "payments.authorized/0");
	assert.equal(await page.locator(".segments [aria-pressed=true]").textContent(), "1h");
	await page.waitForFunction(() => document.querySelectorAll(".plot canvas").length === 2);
	await page.getByRole("button", { name: "24h" }).click();
	await page.waitForFunction(() => location.hash.includes("range=24h"));
	await page.getByRole("button", { name: "payments.authorized/3" }).click();
	await page.waitForFunction(() => document.querySelector(".picture select").value === "payments.authorized/3");
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => document.querySelector(".picture select").value === "");
	await close(page);
});

test("a group that is not there is told so", async () => {
	const page = await open("#/group/PROD/prod-seoul/no-such-group");
	await page.getByText("This group is not known").waitFor();
	await close(page, /404/);
});

for (const [name, path] of Object.entries(VIEWS)) {
	for (const colorScheme of ["light", "dark"]) {
		for (const viewport of [WIDE, NARROW]) {
			test(`${name}, ${colorScheme}, ${viewport.width} wide: accessible, and fits`, async () => {
				const page = await open(path, { colorScheme, viewport });
				await settled(page);
				assert.deepEqual(await violations(page), []);
				assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
				if (SHOTS !== "") {
					mkdirSync(SHOTS, { recursive: true });
					await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${viewport.width}.png` });
				}
				await close(page);
			});
		}
	}
}

test("ten thousand groups scroll and filter like ten", async () => {
	const page = await open("#/agents");
	await page.route(/\/api\/v1\/clusters\/[^/]+\/groups\?/, async (route) => {
		const { groups, ...rest } = await (await route.fetch()).json();
		const many = Array.from({ length: 2500 }, (_, i) => ({ ...groups[i % groups.length], group: `group-${i}` }));
		await route.fulfill({ json: { ...rest, groups: many } });
	});
	await page.evaluate(() => { location.hash = "#/groups"; });
	await page.getByText("10,000").waitFor();
	assert.ok(await page.locator(".rows .row").count() < 60);
	await page.evaluate(() => window.scrollTo(0, 200000));
	await page.waitForFunction(() => {
		const top = document.elementFromPoint(600, 450)?.closest(".row");
		return top && Number(top.getAttribute("aria-rowindex")) > 4000;
	});
	assert.ok(await page.locator(".rows .row").count() < 60);
	const ms = await page.evaluate(async () => {
		const from = performance.now();
		const search = document.getElementById("search");
		search.value = "seoul group-77";
		search.dispatchEvent(new Event("input"));
		while (!document.querySelector(".h1-note").textContent.includes(" of "))
			await new Promise(requestAnimationFrame);
		return performance.now() - from;
	});
	assert.ok(ms < 250, `filtering took ${ms} ms`);
	await close(page, /404/); // the made-up groups have no history
});

test("without an aggregator the page says so, keeps what it has, and comes back by itself", async () => {
	const page = await open("#/groups");
	await settled(page);
	await stage.end("aggregator");
	await page.getByText("The aggregator cannot be reached.").waitFor({ timeout: 15000 });
	assert.deepEqual(await violations(page), []);
	assert.equal((await rows(page)).length, 19);
	await stage.startAggregator();
	await page.locator(".banner").waitFor({ state: "detached", timeout: 40000 });
	await page.locator(".live.good").waitFor();
	await close(page, /ERR_CONNECTION|Failed to load/);
});

test("an aggregator that wants a token gets one, and knows no cluster yet", async () => {
	const locked = new Stage(await freePort(), { token: TOKEN });
	try {
		await locked.startAggregator();
		const page = await open("#/", { url: locked.url });
		await page.locator("dialog.login[open]").waitFor();
		assert.deepEqual(await violations(page), []);
		await page.locator("dialog input").fill("wrong");
		await page.keyboard.press("Enter");
		await page.getByText("The token was not accepted.").waitFor();
		await page.locator("dialog input").fill(locked.token);
		await page.keyboard.press("Enter");
		await page.getByText("No cluster yet").waitFor();
		assert.deepEqual(await violations(page), []);
		await page.reload();
		await page.getByText("No cluster yet").waitFor();
		await close(page, /401/);
	} finally {
		await locked.stop();
	}
});

test("a group that stalls shows it without a reload", { timeout: 240000 }, async () => {
	await watched.locator("tbody .badge", { hasText: "STALL" }).waitFor({ timeout: 230000 });
	await watched.locator("h1 .badge", { hasText: "ERR" }).waitFor();
	assert.equal(await watched.evaluate(() => window.mark), "not reloaded");
	assert.match(await watched.locator(".events").textContent(), /STALL/);
	await close(watched, /ERR_CONNECTION|Failed to load/);
});

test("an incident is acknowledged, silenced and closed by who may, and by nobody else", { timeout: 60000 }, async () => {
	const reader = await open("#/incidents");
	await reader.locator("tbody tr").first().waitFor();
	const row = reader.locator("tbody tr", { hasText: "fraud-scoring" });
	await row.getByRole("link").click();
	await reader.getByRole("button", { name: "Acknowledge" }).click();
	await reader.getByText("This needs a token with the role admin.").waitFor();
	const place = new URL(reader.url()).hash;
	assert.deepEqual(await violations(reader), []);

	const admin = await open(place);
	await admin.evaluate((token) => sessionStorage.setItem("warren.token", token), TOKEN);
	await admin.getByRole("button", { name: "Acknowledge" }).click();
	await admin.getByText("by tester").first().waitFor();
	await reader.getByText("Acknowledged by tester").waitFor(); // told by the stream
	await admin.getByLabel("Silence this group").selectOption("1 hour");
	await admin.locator(".mark", { hasText: "Silenced" }).waitFor();
	await admin.getByRole("button", { name: "Close" }).click();
	await admin.getByText("closed by hand").waitFor();
	await admin.goto(`${stage.url}#/incidents?show=past`);
	await admin.locator("tbody tr", { hasText: "fraud-scoring" }).first().waitFor();
	await admin.getByRole("button", { name: "End" }).click();
	await admin.getByRole("button", { name: "End" }).waitFor({ state: "detached" });
	assert.deepEqual(await violations(admin), []);
	await close(admin);
	await close(reader, /403|401/);
});

test("what happens is told by the server, and the page does not ask for it", async () => {
	const page = await open("#/");
	await page.locator(".live.good").waitFor();
	const seen = () => page.locator(".cluster-card .fresh").first().textContent();
	await page.waitForTimeout(5000);
	assert.match(await seen(), /just now|[1-4]s ago/); // asked every 30 s, it would be older
	await close(page);
});
