// SPDX-License-Identifier: Apache-2.0
//
// access - tokens: who is asked for one, and what he may see with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close, DEV_TOKEN, open, rows, settled, STUCK, TOKEN, violations } from "./browser.mjs";
import { freePort, Stage } from "./stage.mjs";

const SCRAPER = "00112233445566778899aabbccddeeff";

async function enter(page, token) {
	await page.locator("dialog input").fill(token);
	await page.keyboard.press("Enter");
}

test("an aggregator that wants a token gets one, and knows no cluster yet", async () => {
	const locked = new Stage(await freePort(), { token: TOKEN,
		more: [{ name: "scraper", token: SCRAPER, roles: ["metrics"] }] });
	try {
		await locked.startAggregator();
		const page = await open("#/", { url: locked.url });
		await page.locator("dialog.login[open]").waitFor();
		assert.deepEqual(await violations(page), []);
		await page.keyboard.press("Escape"); // there is nothing behind it
		await enter(page, "wrong");
		await page.getByText("The token was not accepted.").waitFor();
		assert.equal(await page.evaluate(() => sessionStorage.length), 0); // so it is not shown again
		await enter(page, SCRAPER);
		await page.getByText("The token is known, but may not read.").waitFor();
		await enter(page, locked.token);
		await page.getByText("No cluster yet").waitFor();
		assert.deepEqual(await violations(page), []);
		await page.reload();
		await page.getByText("No cluster yet").waitFor();
		assert.ok(!page.url().includes(TOKEN));
		assert.equal(await page.evaluate(() => localStorage.getItem("warren.token")), null);
		await page.getByRole("button", { name: "Sign out" }).click();
		await page.locator("dialog.login[open]").waitFor();
		await close(page, /401|403/);
	} finally {
		await locked.stop();
	}
});

test("with a token for some clusters the others are not there", async () => {
	const page = await open("#/", { token: DEV_TOKEN });
	const told = [];
	page.on("response", async (answer) => {
		if (answer.url().includes("/api/v1/") && !answer.url().endsWith("/stream"))
			told.push(await answer.text().catch(() => "")); // of a page that has moved on meanwhile
	});
	await settled(page);
	assert.deepEqual(await page.locator(".cluster-card a").allTextContents(), ["dev-lab"]);
	await page.keyboard.press("2");
	await page.locator("#search").waitFor();
	assert.deepEqual((await rows(page)).sort(), ["checkout-debug", "order-fulfilment"]);
	await page.keyboard.press("4");
	await page.locator(".agent").waitFor();
	assert.deepEqual(await page.locator(".agent .row-link").allTextContents(), ["dev-lab"]);
	await page.keyboard.press("3");
	await page.locator("h1", { hasText: "Incidents" }).waitFor();
	await settled(page);
	await page.evaluate((hash) => { location.hash = hash; }, STUCK);
	await page.getByText("This group is not known").waitFor();
	await page.getByText("your token is not for its cluster").waitFor();
	assert.doesNotMatch(told.join(), /prod-seoul|qa-berlin|stg-frankfurt/);

	await page.evaluate(() => { location.hash = "#/silences?new=1"; });
	await page.getByLabel("Why").fill("not mine to say");
	await page.getByRole("button", { name: "Silence" }).click();
	await page.getByText(/^Refused: /).waitFor();
	await close(page, /403|404/);
});

test("who may read without a token signs in to change things, or thinks better of it", async () => {
	const page = await open("#/");
	await settled(page);
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.locator("dialog.login[open]").waitFor();
	await page.keyboard.press("Escape");
	await page.locator("dialog").waitFor({ state: "detached" });
	await page.getByRole("button", { name: "Sign in" }).click();
	await enter(page, "wrong");
	await page.getByText("The token was not accepted.").waitFor();
	await page.getByRole("button", { name: "Cancel" }).click();
	await page.locator("dialog").waitFor({ state: "detached" });
	await page.locator(".cluster-card").first().waitFor();
	await page.getByRole("button", { name: "Sign in" }).click();
	await enter(page, TOKEN);
	await page.getByRole("button", { name: "Sign out" }).waitFor();
	await page.locator(".cluster-card").first().waitFor();
	await close(page, /401/);
});
