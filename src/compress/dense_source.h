// The original model as a compression sees it.
#pragma once
#include "allocate/allocation.h"
#include "base/file.h"
#include "base/threads.h"
#include "compress/options.h"
#include "model/model.h"

namespace addend {

// LoadModel, and an Error unless every linear is dense and every weight finite.
Model LoadDenseModel(const Path& source);

// Over the weights, so that a renamed or copied model is the same model.
uint64_t HashOf(const Model& dense);

// The type that an embedding or head gets: `type`, or what it has when that takes no more bits; F16 where
// rows are not whole blocks of `type`.
DType NarrowedType(const StoredMatrix& matrix, DType type);
// Of a factored embedding or head at so many bits. Throws Error when not even rank 1 fits.
size_t EmbeddingRank(const Linear& linear, double bits);
// Throws Error naming the matrix that holds a value too large for its type.
Model WithNarrowEmbedding(Model model, DType type, ThreadPool& pool, Rounding rounding = Rounding::kSearched);

// Of the file that these ranks and that form of the embedding give; equals CountBits of the finished model.
SizeReport PlannedSize(const Model& dense, const Allocation& allocation, const EmbeddingForm& embedding);

}  // namespace addend
