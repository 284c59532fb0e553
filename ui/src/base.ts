// Where the page lies: at the root, or below a prefix where another WebUI has the root.

import { ownPrefix } from "../../src/server/api/paths.ts";

export const base = location.pathname.startsWith(ownPrefix) ? ownPrefix : "";
