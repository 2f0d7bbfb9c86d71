#include "base/interrupt.h"

#include <csignal>

#include "base/error.h"

namespace addend {
namespace {

volatile std::sig_atomic_t requested = 0;

void Handle(int signal) {
  if (requested != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  requested = 1;
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = Handle;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool InterruptRequested() {
  return requested != 0;
}

void ClearInterrupt() {
  requested = 0;
}

void ThrowIfInterrupted() {
  if (InterruptRequested()) throw Interrupted("interrupted");
}

}  // namespace addend
