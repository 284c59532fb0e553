// CLIP's weights under OpenAI's names, which open_clip and HPSv2 keep, as transformers' CLIPModel names them.
// After convert_clip_original_pytorch_to_hf.py in transformers (models/clip): fused in_proj is q, k, v; projections are (in, out).
import type { Layout } from "./layout.ts";

export const openClip: Layout = {
  name: "open_clip",
  sample: "visual.transformer.resblocks.0.attn.in_proj_weight",
  renames: [
    { from: /^text_projection$/, to: "text_projection.weight", transposed: true },
    { from: /^visual\.proj$/, to: "visual_projection.weight", transposed: true },
    { from: /^visual\.class_embedding$/, to: "vision_model.embeddings.class_embedding" },
    { from: /^visual\.conv1\./, to: "vision_model.embeddings.patch_embedding." },
    { from: /^visual\.positional_embedding$/, to: "vision_model.embeddings.position_embedding.weight" },
    { from: /^visual\.ln_pre\./, to: "vision_model.pre_layrnorm." }, // transformers' own spelling
    { from: /^visual\.ln_post\./, to: "vision_model.post_layernorm." },
    { from: /^visual\.transformer\.resblocks\./, to: "vision_model.encoder.layers." },
    { from: /^token_embedding\./, to: "text_model.embeddings.token_embedding." },
    { from: /^positional_embedding$/, to: "text_model.embeddings.position_embedding.weight" },
    { from: /^ln_final\./, to: "text_model.final_layer_norm." },
    { from: /^transformer\.resblocks\./, to: "text_model.encoder.layers." },
    {
      from: /\.attn\.in_proj_(weight|bias)$/,
      to: [".self_attn.q_proj.$1", ".self_attn.k_proj.$1", ".self_attn.v_proj.$1"],
    },
    { from: /\.attn\.out_proj\./, to: ".self_attn.out_proj." },
    { from: /\.ln_1\./, to: ".layer_norm1." },
    { from: /\.ln_2\./, to: ".layer_norm2." },
    { from: /\.mlp\.c_fc\./, to: ".mlp.fc1." },
    { from: /\.mlp\.c_proj\./, to: ".mlp.fc2." },
  ],
};
