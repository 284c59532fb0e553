// What Renoir can do with each host's pictures today, by the names that the server has for the hosts.

const reads = "Reads prompt, seed and settings from its pictures, and scores them.";
const infotext = "Writes scores into the files, where its own PNG Info shows them.";
const again = "Makes pictures of one-step models again from their seed, and refines those very pictures.";

const abilities: Readonly<Record<string, readonly string[]>> = {
  A1111: [reads, infotext, again],
  Forge: [reads, infotext, again],
  ComfyUI: [reads, "Writes scores into the files; the workflow in them stays as it is.", again],
  "SD.Next": [reads, infotext, "Refines from a picture’s prompt and seed, though it begins with another picture."],
};

export const abilitiesOf = (host: string): readonly string[] => abilities[host] ?? [reads];
