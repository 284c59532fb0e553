import { Tag } from "./tag.tsx";

/** On all that comes with Renoir so that it can be tried, and is no match for the published models. */
export const DemoBadge = () => <Tag tone="accent">built-in demo</Tag>;
