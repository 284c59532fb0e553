/** Of notes, and of what is said in them. */
export type NoteTone = "good" | "unsure" | "warning" | "neutral";
