// Products of tall matrices (a row for each token), in tiles that keep several threads equally busy.
#pragma once
#include "linalg/gemm.h"
#include "tensor/matrix.h"
#include "train/workspace.h"

namespace addend {

// c = a op(b) + beta c.
void TiledProduct(ConstMatrixView a, Op op_b, ConstMatrixView b, MatrixView c, float beta,
                  Workspace& workspace);

}  // namespace addend
