// `npm run train:reward` starts here; the training itself is in tuning/.

export { main } from "../tuning/trainReward.ts";
