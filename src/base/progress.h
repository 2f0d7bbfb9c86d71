// Progress of long work, with an estimate of the time left. Libraries report; a sink of the command line
// prints.
#pragma once
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

namespace addend {

struct ProgressUpdate {
  std::string stage;  // "factorize"; a new name starts a new bar
  double done = 0;    // in any unit, 0 <= done <= total
  double total = 0;
  std::string note;  // shown after the bar: "layer 3 of 30, error 0.213"
};

// Called from the thread that runs the work, as often as it likes: the sink limits how often it prints.
using Progress = std::function<void(const ProgressUpdate&)>;

// Prints to `stream`: a bar that redraws itself on a terminal, else a plain line every few seconds. The last
// update of a stage (done == total) is always printed.
Progress ConsoleProgress(std::FILE* stream);

// For code that was given no sink.
inline void Report(const Progress& progress, const ProgressUpdate& update) {
  if (progress) progress(update);
}

std::string DurationText(double seconds);  // "4 s", "3 min 05 s", "2 h 07 min"
std::string SizeText(double bytes);        // "13.3 MB" (decimal units)

// Seconds of wall clock, of CPU time of this process, and the largest resident memory of it so far, in bytes.
double WallSeconds();
double CpuSeconds();
size_t PeakMemoryBytes();

}  // namespace addend
