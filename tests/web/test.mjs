// SPDX-License-Identifier: Apache-2.0
//
// The page in a real Chromium, against a real aggregator that is fed by the demonstration's clusters.
//
//	npm ci && npm test
//
// WARREN_BUILD: the build directory; WARREN_CHROMIUM: the browser; WARREN_SHOTS: where pictures of
// every view go. What takes the demonstration a while comes last.

import { after, before } from "node:test";
import { start, stop } from "./browser.mjs";
import "./files.mjs";
import "./lists.mjs";
import "./many.mjs";
import "./access.mjs";
import "./looks.mjs";
import "./live.mjs";
import "./incidents.mjs";

before(start);
after(stop);
