// SPDX-License-Identifier: Apache-2.0
//
// many - a cluster with more groups than one answer holds: all come, and the table stays smooth. And
// more clusters than have room for large cards.
//
// Groups and clusters are made up from real ones. How long things take is printed, not judged: it depends on
// the machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, close, open, violations } from "./browser.mjs";

const COUNT = 12000;
const PAGE = 5000; // groups of an answer

// Answers for a page that knows one cluster with COUNT groups. Returns how many were asked for.
async function crowd(page) {
	const { clusters: [cluster] } = await ask("clusters");
	const { groups: real, ...rest } = await ask(`clusters/${cluster.cluster}/groups?env=${cluster.environment}`);
	const groups = Array.from({ length: COUNT }, (_, i) => ({ ...real[i % real.length],
		group: `group-${i}`, lag: (i * 7919) % 100000, status: i % 50 === 0 ? "ERR" : "OK" }));
	const asked = [];
	await page.route("**/api/v1/clusters", (route) => route.fulfill({
		json: { as_of_ms: cluster.as_of_ms, total: 1, next: null,
			clusters: [{ ...cluster, groups: { ...cluster.groups, total: COUNT } }] } }));
	await page.route(/\/api\/v1\/clusters\/[^/]+\/groups\?/, (route) => {
		const from = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
		asked.push(from);
		return route.fulfill({ json: { ...rest, total: COUNT, groups: groups.slice(from, from + PAGE),
			next: from + PAGE < COUNT ? String(from + PAGE) : null } });
	});
	return asked;
}

// Begin to note down what keeps the browser from drawing for more than 50 ms.
function watchTasks() {
	window.tasks = [];
	new PerformanceObserver((list) => list.getEntries().forEach((e) => window.tasks.push(Math.round(e.duration))))
		.observe({ type: "longtask" });
}

function told(tasks) {
	return tasks.length === 0 ? "none" : `${tasks.length}, the longest ${Math.max(...tasks)} ms`;
}

// Scroll through the table; resolves to the mean time of a frame in ms.
function scrollThrough() {
	const steps = 60;
	return new Promise((done) => {
		const from = performance.now();
		let i = 0;
		const step = () => {
			window.scrollBy(0, 2300);
			if (++i === steps)
				done((performance.now() - from) / steps);
			else
				requestAnimationFrame(step);
		};
		requestAnimationFrame(step);
	});
}

test("twelve thousand groups of one cluster come in several answers, and scroll and filter like ten", async (t) => {
	const page = await open("#/agents");
	const asked = await crowd(page);
	await page.evaluate(watchTasks);
	await page.evaluate(() => { location.hash = "#/groups"; });
	await page.getByText("12,000").waitFor();
	assert.deepEqual(asked.slice(0, 3), [0, PAGE, 2 * PAGE]);
	t.diagnostic(`long tasks while loading 12,000 groups: ${told(await page.evaluate(() => window.tasks.splice(0)))}`);

	const inSight = () => page.locator(".rows .row").count();
	assert.ok(await inSight() < 60);
	const frame = await page.evaluate(scrollThrough);
	await page.waitForFunction(() => {
		const middle = document.elementFromPoint(600, 450)?.closest(".row");
		return middle && Number(middle.getAttribute("aria-rowindex")) > 2000;
	});
	assert.ok(await inSight() < 60);
	t.diagnostic(`scrolling: a frame in ${frame.toFixed(1)} ms, long tasks: ${told(await page.evaluate(() => window.tasks.splice(0)))}`);

	await page.keyboard.press("/");
	await page.locator("#search:focus").waitFor();
	await page.keyboard.type("group-77");
	await page.waitForFunction(() => document.querySelector(".h1-note").textContent.startsWith("111 of"));
	t.diagnostic(`typing: long tasks ${told(await page.evaluate(() => window.tasks.splice(0)))}`);
	await page.getByRole("button", { name: /^ERR/ }).click();
	await page.waitForFunction(() => document.querySelector(".h1-note").textContent.startsWith("2 of"));
	await close(page);
});

test("forty clusters have small cards, those in trouble first, and say what is wrong", async () => {
	const page = await open("#/agents");
	const { clusters: [real], ...rest } = await ask("clusters");
	const clusters = Array.from({ length: 40 }, (_, i) => ({ ...real, environment: i % 2 ? "EAST" : "WEST", cluster: `c${i}`,
		groups: { ...real.groups, total: 100, ok: 97, warn: 0, err: i === 37 ? 3 : 0 },
		agent: { ...real.agent, problem: i === 36 ? "no broker can be reached" : "" } }));
	await page.route("**/api/v1/clusters", (route) => route.fulfill({ json: { ...rest, total: 40, clusters } }));
	await page.route(/\/api\/v1\/clusters\/c37\/groups\?/, (route) => route.fulfill({
		json: { as_of_ms: real.as_of_ms, total: 0, groups: [], next: null } }));
	await page.keyboard.press("1");
	await page.locator(".cluster-card").first().waitFor();
	assert.equal(await page.locator(".cluster-card").count(), 40);
	assert.equal(await page.locator(".cluster-card a").first().textContent(), "c37");
	await page.locator(".cluster-card", { hasText: "no broker can be reached" }).waitFor();
	assert.deepEqual(await violations(page), []);
	await close(page);
});
