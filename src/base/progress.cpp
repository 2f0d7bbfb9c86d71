#include "base/progress.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>

namespace addend {
namespace {

class Console {
 public:
  explicit Console(std::FILE* stream) : stream_(stream), terminal_(isatty(fileno(stream)) != 0) {}
  ~Console() {
    if (open_line_) std::fputc('\n', stream_);
  }

  void Update(const ProgressUpdate& update) {
    const double now = WallSeconds();
    if (update.stage != stage_) {
      if (open_line_) std::fputc('\n', stream_);
      open_line_ = false;
      stage_ = update.stage;
      start_ = now;
      first_done_ = update.done;  // what was resumed says nothing about the speed now
      printed_ = -1e9;
    }
    const bool last = update.done >= update.total;
    if (!last && now - printed_ < (terminal_ ? 0.1 : 5.0)) return;
    printed_ = now;
    Print(update, now - start_, last);
  }

 private:
  void Print(const ProgressUpdate& update, double elapsed, bool last) {
    const double share = update.total > 0 ? std::clamp(update.done / update.total, 0.0, 1.0) : 1.0;
    std::string time = DurationText(elapsed);
    const double advanced = update.done - first_done_;
    if (!last && advanced > 0 && elapsed > 1) {
      time += ", " + DurationText(elapsed * (update.total - update.done) / advanced) + " left";
    }
    if (terminal_) {
      constexpr int kWidth = 24;
      const int filled = static_cast<int>(share * kWidth);
      std::fprintf(stream_, "\r\033[K%-11s [%s%s] %3.0f%%  %s  %s", update.stage.c_str(),
                   std::string(filled, '#').c_str(), std::string(kWidth - filled, '.').c_str(), share * 100,
                   time.c_str(), update.note.c_str());
      open_line_ = true;
      if (last) {
        std::fputc('\n', stream_);
        open_line_ = false;
      }
    } else {
      std::fprintf(stream_, "%s: %.0f%%, %s%s%s\n", update.stage.c_str(), share * 100, time.c_str(),
                   update.note.empty() ? "" : ", ", update.note.c_str());
    }
    std::fflush(stream_);
  }

  std::FILE* stream_;
  bool terminal_;
  bool open_line_ = false;
  std::string stage_;
  double start_ = 0, first_done_ = 0, printed_ = -1e9;
};

}  // namespace

Progress ConsoleProgress(std::FILE* stream) {
  return [console = std::make_shared<Console>(stream)](const ProgressUpdate& update) {
    console->Update(update);
  };
}

std::string DurationText(double seconds) {
  char text[48];
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) {
    std::snprintf(text, sizeof text, "%lld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  }
  return text;
}

std::string SizeText(double bytes) {
  char text[48];
  if (bytes < 1e6) {
    std::snprintf(text, sizeof text, "%.1f kB", bytes / 1e3);
  } else if (bytes < 1e9) {
    std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.2f GB", bytes / 1e9);
  }
  return text;
}

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

size_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace addend
