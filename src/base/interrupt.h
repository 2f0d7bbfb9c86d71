// Ctrl-C, politely: the handler only sets a flag; long loops ask and leave by an exception, so destructors
// clean up.
#pragma once

namespace addend {

void CatchInterrupts();  // installs the handler for SIGINT and SIGTERM; a second signal ends the process at
                         // once
bool InterruptRequested();
void ClearInterrupt();
void ThrowIfInterrupted();  // throws Interrupted

}  // namespace addend
