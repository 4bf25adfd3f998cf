// SPDX-License-Identifier: Apache-2.0
//
// stage - Warren on this machine, fed by the demonstration's Kafka clusters, for the tests of the
// page. The aggregator can be stopped and started again on the same port and store.
//
//	node stage.mjs PORT     run it until ctrl-C

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const build = process.env.WARREN_BUILD ?? join(root, "build/release");

// Below the ports that the system gives to connections, so that none takes it while the aggregator
// is stopped.
export async function freePort() {
	for (;;) {
		const port = 20000 + Math.floor(Math.random() * 10000);
		const server = createServer();
		const got = await new Promise((done) => {
			server.once("error", () => done(false));
			server.listen(port, "127.0.0.1", () => done(true));
		});
		if (!got)
			continue;
		server.close();
		await once(server, "close");
		return port;
	}
}

export class Stage {
	// token: of one who may change things; "" for nobody. more: others, as the configuration takes them
	// but with the token itself. open: who has none may read. judge: keys of the aggregator's rules.
	constructor(port, { token = "", more = [], open = token === "", judge = {} } = {}) {
		this.open = open;
		this.more = more;
		this.port = port;
		this.url = `http://127.0.0.1:${port}/`;
		this.token = token;
		this.judge = judge;
		this.dir = mkdtempSync(join(tmpdir(), "warren-web."));
		this.children = new Map();
		process.once("exit", () => this.children.forEach((child) => child.kill("SIGKILL")));
		for (const name of ["aggregator", "agent"])
			mkdirSync(join(this.dir, name), { mode: 0o700 });
	}

	run(name, program, args, stdout) {
		const log = openSync(join(this.dir, `${name}.log`), "a");
		const child = spawn(join(build, program), args, { stdio: ["ignore", stdout ?? log, log] });
		this.children.set(name, child);
		return child;
	}

	async end(name) {
		const child = this.children.get(name);
		this.children.delete(name);
		if (!child || child.exitCode !== null)
			return;
		child.kill("SIGTERM");
		const force = setTimeout(() => child.kill("SIGKILL"), 10000);
		await once(child, "exit");
		clearTimeout(force);
	}

	// The demonstration's clusters: {name, environment, bootstrap}.
	async startKafka() {
		const child = this.run("demo", "deploy/warren-demo", [], "pipe");
		const clusters = [];
		for await (const line of createInterface({ input: child.stdout })) {
			const [word, name, environment, bootstrap] = line.split(" ");
			if (word === "ready")
				break;
			if (word === "cluster")
				clusters.push({ name, environment, bootstrap });
		}
		child.stdout.resume();
		return clusters;
	}

	// Who may ask, for the configuration.
	credentials() {
		const all = [{ name: "tester", token: this.token, roles: ["admin"] }, ...this.more];
		return all.map(({ token, ...rest }) => {
			const file = join(this.dir, `${rest.name}.token`);
			writeFileSync(file, `${token}\n`, { mode: 0o600 });
			return { ...rest, token_file: file };
		});
	}

	async startAggregator() {
		this.ingest ??= await freePort();
		const auth = this.token === "" ? "" : `
  anonymous: ${this.open ? "read" : "none"}
  auth: ${JSON.stringify(this.credentials())}`;
		writeFileSync(join(this.dir, "aggregator.yaml"), `
data_dir: ${join(this.dir, "aggregator")}
map_size: 256MiB
listen: ["tcp://127.0.0.1:${this.ingest}"]
judge: ${JSON.stringify(this.judge)}
http:
  listen: 127.0.0.1:${this.port}${auth}
`);
		this.run("aggregator", "aggregator/warren-aggregator",
			["-c", join(this.dir, "aggregator.yaml")]);
		await this.answer();
	}

	async answer() {
		for (let i = 0; i < 200; i++) {
			if (await fetch(`${this.url}healthz`).then((r) => r.ok, () => false))
				return;
			await new Promise((done) => setTimeout(done, 50));
		}
		throw new Error(`the aggregator does not answer; see ${this.dir}/aggregator.log`);
	}

	startAgent(clusters) {
		const one = (c) => `
  - name: ${c.name}
    environment: ${c.environment}
    sample_interval: 2s
    kafka: {bootstrap.servers: "${c.bootstrap}"}`;
		writeFileSync(join(this.dir, "agent.yaml"), `
name: demo-agent
state_dir: ${join(this.dir, "agent")}
aggregators: ["tcp://127.0.0.1:${this.ingest}"]
clusters:${clusters.map(one).join("")}
`);
		this.run("agent", "agent/warren-agent", ["-c", join(this.dir, "agent.yaml")]);
	}

	async start() {
		const clusters = await this.startKafka();
		await this.startAggregator();
		this.startAgent(clusters);
	}

	async stop() {
		for (const name of [...this.children.keys()].reverse())
			await this.end(name);
		rmSync(this.dir, { recursive: true, force: true });
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const stage = new Stage(Number(process.argv[2] ?? 8000), { token: process.argv[3] ?? "" });
	await stage.start();
	console.log(`Warren is up at ${stage.url}, its files are in ${stage.dir}`);
	process.once("SIGINT", () => stage.stop());
	process.once("SIGTERM", () => stage.stop());
}
