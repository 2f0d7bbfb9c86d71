#include "serve/http_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace addend {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBufferBytes = 16 << 10;
constexpr size_t kWriteBytes = 64 << 10;
constexpr milliseconds kLook{100};  // between two looks at whether the server stops
constexpr milliseconds kLinger{2'000};
constexpr milliseconds kWriteWhenStopping{1'000};

// Waits for any of `events`; true if one came in time. An error or the end of the connection counts as one.
bool Poll(int socket, short events, milliseconds patience) {
  pollfd waiting{.fd = socket, .events = events, .revents = 0};
  const auto count = static_cast<int>(std::max<milliseconds::rep>(0, patience.count()));
  int ready;
  do {
    ready = poll(&waiting, 1, count);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

HttpConnection::HttpConnection(int socket, const ConnectionLimits& limits, const std::atomic<bool>& stopping)
    : socket_(socket), limits_(limits), stopping_(stopping), buffer_(kBufferBytes) {
  // A stream's events are short and should not wait for one another.
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

HttpConnection::~HttpConnection() {
  close(socket_);
}

bool HttpConnection::AwaitRequest() {
  if (buffer_at_ == buffer_end_ && !AwaitBytes(Clock::now() + limits_.idle)) return false;
  deadline_ = Clock::now() + limits_.request;
  bytes_left_ = limits_.head_bytes;
  complete_ = too_large_ = too_slow_ = false;
  return true;
}

// False when none came in time, or the server stops.
bool HttpConnection::AwaitBytes(Clock::time_point deadline) const {
  while (!stopping_ && Clock::now() < deadline) {
    if (Poll(socket_, POLLIN, kLook)) return true;
  }
  return false;
}

bool HttpConnection::Gone() const {
  pollfd waiting{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  return poll(&waiting, 1, 0) > 0;
}

void HttpConnection::Linger() {
  shutdown(socket_, SHUT_WR);
  const Clock::time_point end = Clock::now() + kLinger;
  while (Clock::now() < end && Poll(socket_, POLLIN, kLook)) {
    if (recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT) == 0) return;
  }
}

bool HttpConnection::is_readable() const {
  return buffer_at_ < buffer_end_ || Poll(socket_, POLLIN, milliseconds(0));
}

bool HttpConnection::is_writable() const {
  return !Gone() && Poll(socket_, POLLOUT, limits_.write);
}

// Puts what the client sends into the empty buffer.
bool HttpConnection::Fill() {
  too_slow_ = !AwaitBytes(deadline_);
  if (too_slow_) return false;
  const ssize_t count = recv(socket_, buffer_.data(), buffer_.size(), 0);
  if (count <= 0) return false;
  buffer_at_ = 0;
  buffer_end_ = static_cast<size_t>(count);
  return true;
}

ssize_t HttpConnection::read(char* data, size_t size) {
  if (bytes_left_ == 0) too_large_ = true;
  if (too_large_ || (buffer_at_ == buffer_end_ && !Fill())) return -1;
  const size_t count = std::min({size, buffer_end_ - buffer_at_, bytes_left_});
  std::memcpy(data, buffer_.data() + buffer_at_, count);
  buffer_at_ += count;
  bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpConnection::write(const char* data, size_t size) {
  for (size_t done = 0; done < size;) {
    const Clock::time_point end = Clock::now() + (stopping_ ? kWriteWhenStopping : limits_.write);
    const size_t part_end = std::min(size, done + kWriteBytes);
    while (done < part_end) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
      if (left.count() <= 0 || !Poll(socket_, POLLOUT, left)) return -1;
      const ssize_t count = send(socket_, data + done, part_end - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EAGAIN && errno != EINTR) return -1;
      done += static_cast<size_t>(std::max<ssize_t>(0, count));
    }
  }
  return static_cast<ssize_t>(size);
}

// Of no interest here, and nothing shows it.
void HttpConnection::get_remote_ip_and_port(std::string&, int&) const {}
void HttpConnection::get_local_ip_and_port(std::string&, int&) const {}

}  // namespace addend
