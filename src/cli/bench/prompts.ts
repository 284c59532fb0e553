// Prompts of 7 to 19 tokens, for the cases with one prompt each.

export const prompts = [
  "a painting of an ocean with clouds and birds, day time, low depth field effect",
  "a red fox in the snow",
  "portrait of an old man with a pipe, oil on canvas, dramatic light",
  "a city street at night in the rain, neon signs, reflections",
  "two children playing chess in a garden",
  "a steam locomotive crossing a stone bridge in autumn",
];
