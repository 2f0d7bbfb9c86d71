#include "model/tensor_list.h"

namespace addend {

const TensorNames& GgufNames() {
  static const TensorNames names = {
      .embedding = "token_embd",
      .head = "output",
      .final_norm = "output_norm",
      .block_prefix = "blk.",
      .linears = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"},
      .attention_norm = "attn_norm",
      .feed_forward_norm = "ffn_norm",
      .q_norm = "attn_q_norm",
      .k_norm = "attn_k_norm",
      .post_attention_norm = "post_attention_norm",
      .post_feed_forward_norm = "post_ffw_norm",
  };
  return names;
}

const TensorNames& HuggingFaceNames(const ModelConfig& config) {
  static const TensorNames two_norms = {
      .embedding = "model.embed_tokens",
      .head = "lm_head",
      .final_norm = "model.norm",
      .block_prefix = "model.layers.",
      .linears = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                  "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
      .attention_norm = "input_layernorm",
      .feed_forward_norm = "post_attention_layernorm",  // after attention, but before what it is the norm of
      .q_norm = "self_attn.q_norm",
      .k_norm = "self_attn.k_norm",
      .post_attention_norm = "",
      .post_feed_forward_norm = "",
  };
  static const TensorNames four_norms = [] {
    TensorNames names = two_norms;
    names.feed_forward_norm = "pre_feedforward_layernorm";
    names.post_attention_norm = "post_attention_layernorm";
    names.post_feed_forward_norm = "post_feedforward_layernorm";
    return names;
  }();
  return config.post_norms ? four_norms : two_norms;
}

}  // namespace addend
