#include "base/error.h"
#include "model/load_tensors.h"
namespace addend {
Model LoadCompressed(std::shared_ptr<const GgufFile> file) {
  throw Error(file->path().string(), ": not yet");
}
}  // namespace addend
