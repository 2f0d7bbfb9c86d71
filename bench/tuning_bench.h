// What the benches of tuning share: the original, a factorised file of it, and text.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "calibrate/calibration_text.h"

namespace addend {

struct TuningArguments {
  std::string dense, file, out;
  std::vector<std::string> texts;
  CalibrationOptions calibration;
  size_t threads = 0;

  void AddTo(CLI::App& app) {
    app.add_option("dense", dense)->required();
    app.add_option("file", file)->required();
    app.add_option("--text", texts)->required();
    app.add_option("--length", calibration.length);
    app.add_option("--seed", calibration.seed);
    app.add_option("-t,--threads", threads);
    app.add_option("-o", out);
  }

  CalibrationText ReadText() const {
    const std::vector<Path> paths(texts.begin(), texts.end());
    return ReadCalibrationText(paths, LoadTokenizer(dense), calibration);
  }

  void Save(const Model& student) const {
    if (!out.empty()) SaveModel(student, out);
  }
};

}  // namespace addend
