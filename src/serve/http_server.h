// HTTP/1.1 around a Service: addresses, keys, limits and threads.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/http_connection.h"
#include "serve/service.h"

namespace addend {

struct HttpLogEntry {
  std::string method, path;
  int status = 0;
  double seconds = 0;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                    // 0: any that is free
  std::vector<std::string> api_keys;  // none: everybody may ask
  ConnectionLimits limits;
  size_t connections = 64;  // served at once, each by a thread; others wait
  // Called behind each answer, never twice at once.
  std::function<void(const HttpLogEntry&)> log;
};

class HttpServer {
 public:
  // Keeps a reference to the service. Listens from here on. Throws Error when the address cannot be had.
  HttpServer(Service& service, HttpOptions options);
  ~HttpServer();  // Stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  bool listening() const;  // false when the system took the address away
  // Takes no more connections, and returns when every answer that is on its way was sent.
  void Stop();

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace addend
