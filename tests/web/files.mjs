// SPDX-License-Identifier: Apache-2.0
//
// files - what the server sends as the page, and to whom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close, open, settled, stage } from "./browser.mjs";

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

test("the first paint comes soon", async (t) => {
	const page = await open("#/");
	await settled(page);
	await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
	const [paint, files] = await page.evaluate(() => [
		performance.getEntriesByName("first-contentful-paint")[0].startTime,
		performance.getEntriesByType("resource").filter((e) => e.name.includes("/web/")).length]);
	t.diagnostic(`first contentful paint after ${Math.round(paint)} ms, with ${files} files`); // the machine may be busy
	assert.equal(await page.evaluate(() => performance.getEntriesByType("resource")
		.filter((e) => new URL(e.name).origin !== location.origin).length), 0);
	await close(page);
});
