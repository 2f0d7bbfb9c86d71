// A connection of a client, with limits that cpp-httplib's own stream lacks: on the time of a whole request
// and on its size, so that nobody holds a thread by sending a byte now and then.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace addend {

struct ConnectionLimits {
  std::chrono::milliseconds idle{5'000};      // between two requests
  std::chrono::milliseconds request{30'000};  // from the first byte of a request to its last
  std::chrono::milliseconds write{10'000};    // until a client takes the next 64 kB
  size_t head_bytes = 64 << 10;               // request line and headers
  size_t body_bytes = 16'000'000;
};

class HttpConnection : public httplib::Stream {
 public:
  // Takes the socket over: closes it in the end. Once `stopping` is true nothing is read any more.
  HttpConnection(int socket, const ConnectionLimits& limits, const std::atomic<bool>& stopping);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Waits for a request to begin, and starts its clock. False: none came.
  bool AwaitRequest();
  // From here on the limit is the body's.
  void BeginBody() { bytes_left_ = limits_.body_bytes; }
  // All of the request was read, and what follows is the next one. Until then the connection is not kept.
  void EndRequest() { complete_ = true; }
  // Closes it behind the answer whatever comes.
  void KeepNot() { complete_ = false; }

  bool complete() const { return complete_; }
  bool too_large() const { return too_large_; }  // why reading failed
  bool too_slow() const { return too_slow_; }

  // The client closed its side, or is gone.
  bool Gone() const;
  // Lets a client that still sends read the answer: closing at once would throw that away.
  void Linger();

  // For httplib.
  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  int socket() const override { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;
  bool AwaitBytes(Clock::time_point deadline) const;
  bool Fill();

  const int socket_;
  const ConnectionLimits limits_;
  const std::atomic<bool>& stopping_;
  Clock::time_point deadline_;
  size_t bytes_left_ = 0;
  bool complete_ = true, too_large_ = false, too_slow_ = false;
  std::vector<char> buffer_;  // received and not read yet: [buffer_at_, buffer_end_)
  size_t buffer_at_ = 0, buffer_end_ = 0;
};

}  // namespace addend
