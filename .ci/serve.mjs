// The server on the Node that runs this: it starts, scores its pictures, serves its page, and ends when it is told to.
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const env = { ...process.env, RENOIR_HOME: mkdtempSync(join(tmpdir(), "renoir-serve-")) };
const args = ["bin/renoir.mjs", "start", "--port", "0", "--json"];
const server = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => server.on("close", resolve));
const url = await new Promise((resolve, reject) => {
  server.stdout.on("data", (text) => {
    const said = /"url":"([^"]+)"/.exec(text);
    if (said) resolve(said[1]);
  });
  ended.then((code) => reject(new Error(`The server ended with ${code}.`)));
});
const ask = async (path) => (await fetch(`${url}${path}`)).json();
const page = await (await fetch(url)).text();

let facets;
for (let seconds = 0; seconds < 90; seconds++) {
  facets = await ask("/api/v1/library/facets");
  if (facets.total > 0 && facets.rewards[0]?.count === facets.total) break;
  await wait(1000);
}
server.kill("SIGTERM");
const code = await ended;
console.log({ node: process.version, pictures: facets.total, scored: facets.rewards[0]?.count, code });
const isRight =
  code === 0 && facets.total > 0 && facets.rewards[0]?.count === facets.total && page.includes('id="root"');
process.exitCode = isRight ? 0 : 1;
