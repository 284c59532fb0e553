// A process that opens every checkpoint to say how the models are: reading a large one's names would hold up the server.

import { reportModels } from "../tasks/models.ts";

process.send!(await reportModels(process.argv[2]!));
process.disconnect();
