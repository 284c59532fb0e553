#!/usr/bin/env node
// The `renoir` command: in a checkout it sets up what is missing and builds what changed, in an installed package it just runs.
import { launch, start } from "./launch.mjs";

start(async () => {
  const args = process.argv.slice(2);
  await launch("cli/index.js", args, { page: args[0] === "start" });
});
