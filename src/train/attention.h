// Causal attention of query heads over key-value heads, forward and backward, without ever holding all
// scores: query tiles of fixed size against the keys that they see; probabilities are computed again in the
// backward pass from the log-sum-exp of each row (as FlashAttention does, arXiv 2205.14135).
#pragma once
#include <cstddef>

#include "tensor/matrix.h"
#include "train/workspace.h"

namespace addend {

struct AttentionShape {
  size_t heads = 0, kv_heads = 0, head_dim = 0;  // query head h reads key-value head h / (heads / kv_heads)
  size_t length = 0;                             // rows of a sequence; attention stays inside
  size_t window = 0;  // a token sees itself and the window - 1 tokens before; 0 = all before
  float scale = 1;    // of q.k
  float softcap = 0;  // s <- cap * tanh(s / cap); 0 = none
};

// q, out: (tokens, heads * head_dim); k, v: (tokens, kv_heads * head_dim), after norms and rope; tokens is a
// multiple of shape.length. log_sum_exp: (tokens, heads), of each row of scores.
struct AttentionInputs {
  ConstMatrixView q, k, v;
};
struct AttentionGradients {
  MatrixView q, k, v;
};

void AttentionForward(const AttentionShape& shape, const AttentionInputs& inputs, MatrixView out,
                      MatrixView log_sum_exp, Workspace& workspace);

// Sets the gradients of q, k and v from d_out, the gradient of out; out and log_sum_exp as AttentionForward
// left them.
void AttentionBackward(const AttentionShape& shape, const AttentionInputs& inputs, ConstMatrixView out,
                       ConstMatrixView log_sum_exp, ConstMatrixView d_out,
                       const AttentionGradients& gradients, Workspace& workspace);

}  // namespace addend
