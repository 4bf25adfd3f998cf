// SPDX-License-Identifier: Apache-2.0
//
// lists - the ways through the page: the fleet, the table of groups, one group.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, close, GROUPS, open, rows, settled, STUCK, violations } from "./browser.mjs";

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
	assert.equal((await rows(page)).length, GROUPS);
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
	await page.locator("[aria-sort=ascending]", { hasText: "Group" }).waitFor();
	const up = await rows(page);
	assert.equal(up.length, GROUPS);
	assert.deepEqual(up, [...up].sort());
	await page.getByRole("button", { name: "Group" }).click();
	await page.locator("[aria-sort=descending]", { hasText: "Group" }).waitFor();
	const down = await rows(page);
	assert.deepEqual(down, [...down].sort().reverse());

	await page.getByRole("button", { name: /^OK/ }).click();
	await page.locator(".chip[aria-pressed=true]", { hasText: "OK" }).waitFor();
	assert.deepEqual([...new Set(await page.locator(".rows .badge").allTextContents())], ["OK"]);
	await close(page);
});

test("the fleet is walked through by keys as well", async () => {
	const page = await open("#/agents");
	const clusters = await ask("clusters"); // as they are now, so that none gets another place meanwhile
	await page.route("**/api/v1/clusters", (route) => route.fulfill({ json: clusters }));
	await page.keyboard.press("1");
	await page.locator(".cluster-card").first().waitFor();
	const links = await page.locator(".row-link").allTextContents();
	const focused = (name) => page.waitForFunction((text) => document.activeElement?.textContent === text, name);
	await page.keyboard.press("j");
	await focused(links[0]);
	await page.keyboard.press("j");
	await focused(links[1]);
	await page.keyboard.press("k");
	await focused(links[0]);
	await page.keyboard.press("Enter");
	await page.locator("#search").waitFor();
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
	const page = await open(`${STUCK}?range=1h&p=payments.authorized%2F0`);
	await settled(page);
	const chosen = (name) => page.waitForFunction((value) =>
		document.querySelector(".picture select").value === value, name);
	await chosen("payments.authorized/0");
	assert.equal(await page.locator("[aria-label=\"Time range\"] [aria-pressed=true]").textContent(), "1h");
	await page.waitForFunction(() => document.querySelectorAll(".plot canvas").length === 2);
	await page.getByRole("button", { name: "24h" }).click();
	await page.waitForFunction(() => location.hash.includes("range=24h"));
	await page.getByRole("button", { name: "payments.authorized/3" }).click();
	await chosen("payments.authorized/3");
	await page.keyboard.press("Escape");
	await chosen("");
	await page.locator(".legend", { hasText: "Log end" }).waitFor(); // summed over the group, from what is kept
	await page.getByRole("button", { name: "Time", exact: true }).click();
	await page.locator(".plot.time canvas").waitFor();
	assert.match(await page.locator(".plot.time").getAttribute("aria-label"), /^Lag: from .*[ms], now .*[smh]$/);
	assert.match(page.url(), /lag=time/);
	await close(page);
});

test("a group that is not there is told so", async () => {
	const page = await open("#/group/PROD/prod-seoul/no-such-group");
	await page.getByText("This group is not known").waitFor();
	await close(page, /404/);
});

test("agents in trouble come first, with what is wrong in words", async () => {
	const page = await open("#/groups");
	const { agents: [real], ...rest } = await ask("agents");
	const [cluster] = real.clusters;
	const trouble = { ...real, agent: "zz-in-trouble", skew_ms: -7000, dropped: 3, spool_batches: 40, spool_age_ms: 60000,
		clusters: [{ ...cluster, state: "catching_up", read: 250, to_read: 1000 },
			{ ...cluster, cluster: "gone", state: "blind", problem: "no broker can be reached" }] };
	await page.route("**/api/v1/agents", (route) => route.fulfill({ json: { ...rest, total: 2, agents: [real, trouble] } }));
	await page.evaluate(() => { location.hash = "#/agents"; });
	await page.locator(".agent").nth(1).waitFor();
	assert.equal(await page.locator(".agent h2").first().textContent(), "zz-in-trouble");
	const words = await page.locator(".agent").first().textContent();
	for (const expected of ["In trouble", "3 passes lost", "clock is 7s behind", "40 passes wait to be sent",
		"no broker can be reached", "Catching up", "25%"])
		assert.ok(words.includes(expected), expected);
	assert.deepEqual(await page.locator(".agent").first().locator(".row-link").allTextContents(), ["gone", "dev-lab"]);
	assert.deepEqual(await violations(page), []);
	await close(page);
});

test("on paper all rows are there, on white", async () => {
	const page = await open("#/groups", { viewport: { width: 1000, height: 300 }, colorScheme: "dark" });
	await settled(page);
	assert.ok((await rows(page)).length < GROUPS);
	await page.evaluate(() => window.addEventListener("beforeprint", () => {
		window.printed = [document.querySelectorAll(".rows .row").length, document.documentElement.dataset.theme];
	}));
	await page.pdf();
	assert.deepEqual(await page.evaluate(() => window.printed), [GROUPS, "light"]);
	await page.waitForFunction((all) => document.querySelectorAll(".rows .row").length < all, GROUPS);
	await close(page);
});
