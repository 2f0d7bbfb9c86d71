#include "linalg/blas_setup.h"

#include <cblas.h>

namespace addend {

void SetUpBlas() {
  [[maybe_unused]] static const bool done = (openblas_set_num_threads(1), true);
}

}  // namespace addend
