#!/usr/bin/env node
// The `renoir` command: in a checkout it sets up what is missing and builds what changed, in an installed package it just runs.
import { launch, start } from "./launch.mjs";

start(async () => {
  await launch("cli/index.js", process.argv.slice(2));
});
