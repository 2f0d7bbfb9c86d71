// A compressed file as the start of further tuning.
#pragma once
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "compress/report.h"
#include "model/model.h"

namespace addend {

struct CompressedStart {
  Model model;
  Json recipe;                        // how it was made, as its file tells
  std::vector<LinearReport> linears;  // with the errors that the recipe has of them
};

// Throws Error unless the file is a compressed form of a model of the shape of `dense`.
CompressedStart LoadStart(const Path& path, const Model& dense);

}  // namespace addend
