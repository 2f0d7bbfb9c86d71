// How this folder keeps OpenBLAS: one thread for each call. Its own threads would compete with ours and make
// results depend on their number.
#pragma once

namespace addend {

void SetUpBlas();  // cheap after the first call; safe from any thread

}  // namespace addend
