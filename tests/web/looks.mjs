// SPDX-License-Identifier: Apache-2.0
//
// looks - every view in both colours and on a wide and a narrow screen: axe finds nothing, nothing
// is cut off. With WARREN_SHOTS a picture of each is kept, to be looked at.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { close, NARROW, open, settled, STUCK, violations, WIDE } from "./browser.mjs";

const SHOTS = process.env.WARREN_SHOTS ?? "";
const SLIM = { width: 320, height: 700 };
const VIEWS = { fleet: "#/", groups: "#/groups", group: STUCK,
	partition: `${STUCK}?range=1h&lag=time&p=payments.authorized%2F0`, incidents: "#/incidents",
	silence: "#/silences?new=1&env=PROD", agents: "#/agents",
	none: "#/groups?q=no-such-group", unknown: "#/nowhere" };

async function shoot(page, name) {
	if (SHOTS === "")
		return;
	mkdirSync(SHOTS, { recursive: true });
	await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

// Nothing beyond the edge, and no link of the head hidden behind it.
function fits() {
	return [document.documentElement, document.querySelector("nav[aria-label=Views]")]
		.every((el) => el.scrollWidth <= el.clientWidth);
}

for (const [name, path] of Object.entries(VIEWS))
	test(`${name}: accessible and fitting, light and dark, wide and narrow`, async () => {
		const page = await open(path, { colorScheme: "light" });
		for (const viewport of [WIDE, NARROW]) {
			await page.setViewportSize(viewport);
			for (const colorScheme of ["light", "dark"]) {
				await page.emulateMedia({ colorScheme });
				await settled(page);
				const as = `${name}-${colorScheme}-${viewport.width}`;
				assert.deepEqual(await violations(page), [], as);
				assert.ok(await page.evaluate(fits), as);
				await shoot(page, as);
			}
		}
		await page.setViewportSize(SLIM);
		await settled(page);
		assert.ok(await page.evaluate(fits), "on the narrowest screen");
		await close(page);
	});

test("the list of keys is accessible, and opens and closes by key", async () => {
	const page = await open("#/incidents");
	await settled(page);
	await page.keyboard.press("?");
	await page.locator("dialog[open]").waitFor();
	assert.deepEqual(await violations(page), []);
	assert.equal(await page.evaluate(() => document.activeElement.closest("dialog") !== null), true);
	await page.keyboard.press("Escape");
	await page.locator("dialog").waitFor({ state: "detached" });
	await close(page);
});

test("nothing moves for who wants it so, and what has the focus is seen", async () => {
	const page = await open("#/groups", { reducedMotion: "reduce" });
	await settled(page);
	assert.deepEqual(await page.evaluate(() => document.getAnimations().length), 0);
	await page.keyboard.press("Tab");
	await page.locator(".skip:focus").waitFor();
	for (let i = 0; i < 12; i++) {
		await page.keyboard.press("Tab");
		const seen = await page.evaluate(() => {
			const el = document.activeElement.closest(".row:has(:focus-visible)") ?? document.activeElement;
			return getComputedStyle(el).outlineStyle !== "none" ? "" : el.outerHTML.slice(0, 120);
		});
		assert.equal(seen, "");
	}
	await close(page);
});
