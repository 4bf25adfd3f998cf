// SPDX-License-Identifier: Apache-2.0
//
// incidents - troubles and what people do about them: looked at, acknowledged, silenced, closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, close, open, settled, TOKEN, until, violations } from "./browser.mjs";

const FRAUD = "fraud-scoring";

async function incidentOf(group) {
	const { incidents } = await ask("incidents");
	return incidents.find((i) => i.group === group && i.cluster === "prod-seoul");
}

test("a silence is made and ended by who may, and by nobody else", async () => {
	const reader = await open("#/silences");
	await reader.getByRole("button", { name: "New silence" }).click();
	await reader.getByLabel("Group").fill("batch-*");
	await reader.getByLabel("Why").fill("migration");
	await reader.getByRole("button", { name: "Silence", exact: true }).click();
	await reader.getByText("This needs a token with the role admin.").waitFor();
	assert.equal(await reader.getByLabel("Group").inputValue(), "batch-*"); // nothing has to be typed again
	assert.deepEqual(await violations(reader), []);

	await reader.getByRole("alert").getByRole("button", { name: "Sign in" }).click();
	await reader.locator("dialog input").fill(TOKEN);
	await reader.keyboard.press("Enter");
	await reader.getByRole("button", { name: "Silence", exact: true }).click();
	const row = reader.locator("tbody tr", { hasText: "* / * / batch-*" });
	await row.waitFor();
	assert.match(await row.textContent(), /migration.*tester.*ends in/);
	assert.deepEqual(await violations(reader), []);
	await row.getByRole("button", { name: "End" }).click();
	await row.waitFor({ state: "detached" });
	assert.deepEqual((await ask("silences")).silences, []);
	await close(reader, /401|403/);
});

test("open incidents are filtered as one types, by status, by cluster and by what is done about them", async () => {
	await until("an incident", async () => await incidentOf(FRAUD) !== undefined);
	const page = await open("#/incidents");
	await settled(page);
	const shown = (group) => page.locator("tbody tr", { hasText: group });
	await shown(FRAUD).waitFor();
	await page.keyboard.press("/");
	await page.locator("#search:focus").waitFor();
	await page.keyboard.type("PROD fraud");
	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
	assert.match(page.url(), /q=PROD\+fraud/);
	await page.getByLabel("State").selectOption("Acknowledged");
	await page.getByText("No incident matches").waitFor();
	assert.deepEqual(await violations(page), []);
	await page.getByRole("button", { name: "Show all incidents" }).click();
	await shown(FRAUD).waitFor();
	await page.getByLabel("Cluster").selectOption("PROD / prod-seoul");
	await page.getByRole("button", { name: /^ERR/ }).click();
	await page.locator(".chip[aria-pressed=true]").waitFor();
	assert.deepEqual([...new Set(await page.locator("tbody .badge").allTextContents())], ["ERR"]);
	assert.match(await page.title(), /^\(\d+\) Incidents · Warren$/);
	await close(page);
});

test("an incident is acknowledged, silenced and closed by who may, and by nobody else", async () => {
	const reader = await open("#/incidents");
	await reader.locator("tbody tr", { hasText: FRAUD }).getByRole("link").click();
	await reader.locator(".plot canvas").waitFor();
	await reader.getByRole("button", { name: "Acknowledge" }).click();
	await reader.getByText("This needs a token with the role admin.").waitFor();
	const place = new URL(reader.url()).hash;
	assert.deepEqual(await violations(reader), []);

	const admin = await open(place, { token: TOKEN });
	await admin.getByRole("button", { name: "Acknowledge" }).click();
	await admin.getByText("by tester").first().waitFor();
	await reader.getByText("Acknowledged by tester").waitFor(); // told by the stream
	await admin.getByLabel("Silence this").selectOption("1 hour");
	await admin.locator(".mark", { hasText: "Silenced" }).waitFor();
	await admin.getByRole("button", { name: "Close" }).click();
	await admin.getByText("closed by hand").first().waitFor();
	await admin.getByRole("link", { name: "Incidents", exact: true }).first().click();
	await admin.getByRole("link", { name: "Past" }).click();
	await admin.locator("tbody tr", { hasText: FRAUD }).getByText("closed by hand").waitFor();
	await admin.getByRole("link", { name: "Silences" }).click();
	await admin.locator("tbody tr", { hasText: FRAUD }).getByRole("button", { name: "End" }).click();
	await admin.getByText("Nothing is silenced").waitFor();
	assert.deepEqual(await violations(admin), []);
	await close(admin);
	await close(reader, /403|401/);
});
