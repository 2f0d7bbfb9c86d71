// Ctrl-C, politely: the handler only sets a flag; long loops ask and leave by an exception, so destructors
// clean up.
#pragma once

namespace addend {

// Installs the handler for SIGINT, SIGTERM and, unless it was ignored (nohup), SIGHUP. A second one ends the
// process at once, but for SIGHUP. Whichever thread takes the signal, it is the caller whose waiting for
// input it ends.
void CatchInterrupts();
bool InterruptRequested();
int InterruptSignal();  // which: SIGINT, ...; 0 when none
void ClearInterrupt();
void ThrowIfInterrupted();  // throws Interrupted

}  // namespace addend
