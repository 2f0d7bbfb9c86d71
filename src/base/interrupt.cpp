#include "base/interrupt.h"

#include <pthread.h>

#include <csignal>

#include "base/error.h"

namespace addend {
namespace {

volatile std::sig_atomic_t requested = 0;
pthread_t catcher;  // the thread that called CatchInterrupts

void Handle(int signal) {
  // Only there does it end a wait for input. Libraries have threads too.
  if (pthread_equal(pthread_self(), catcher) == 0) {
    pthread_kill(catcher, signal);
    return;
  }
  // A terminal that closes sends SIGHUP more than once: by itself and by the shell in it.
  if (requested != 0 && signal != SIGHUP) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  requested = signal;
}

}  // namespace

void CatchInterrupts() {
  catcher = pthread_self();
  struct sigaction action {};
  action.sa_handler = Handle;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // ignored: nohup
}

bool InterruptRequested() {
  return requested != 0;
}

int InterruptSignal() {
  return requested;
}

void ClearInterrupt() {
  requested = 0;
}

void ThrowIfInterrupted() {
  if (InterruptRequested()) throw Interrupted("interrupted");
}

}  // namespace addend
