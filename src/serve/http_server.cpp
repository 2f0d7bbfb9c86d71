#include "serve/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "base/progress.h"
#include "serve/api_error.h"
#include "serve/chat_page.h"

namespace addend {
namespace {

constexpr size_t kRequestsForEachConnection = 1000;
constexpr int kBacklog = 128;

// What an address does. `open`: without a key.
struct Route {
  std::string method, path;
  bool open;
  std::function<Reply(const std::string& body, const ClientGone& gone)> run;
};

std::vector<Route> Routes(Service& service) {
  const auto get = [](std::string path, bool open, auto run) {
    return Route{"GET", std::move(path), open,
                 [run](const std::string&, const ClientGone&) { return run(); }};
  };
  const auto post = [](std::string path, auto run) { return Route{"POST", std::move(path), false, run}; };
  return {
      get("/", true,
          [] { return Reply{.content_type = "text/html; charset=utf-8", .body = std::string(kChatPage)}; }),
      get("/health", true, [&] { return service.Health(); }),
      get("/metrics", false, [&] { return service.Metrics(); }),
      get("/v1/models", false, [&] { return service.Models(); }),
      get("/v1/models/" + service.model_name(), false, [&] { return service.ModelCard(); }),
      get("/tokenizer_info", false, [&] { return service.TokenizerInfo(); }),
      post("/v1/completions",
           [&](const std::string& body, const ClientGone& gone) { return service.Complete(body, gone); }),
      post("/v1/chat/completions",
           [&](const std::string& body, const ClientGone& gone) { return service.Chat(body, gone); }),
      post("/tokenize", [&](const std::string& body, const ClientGone&) { return service.Tokenize(body); }),
      post("/detokenize",
           [&](const std::string& body, const ClientGone&) { return service.Detokenize(body); }),
  };
}

// Takes the same time wherever they differ.
bool EqualSecrets(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// httplib takes patterns.
std::string AsPattern(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (std::string_view(R"(.[]{}()\*+?^$|)").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// "http://host:port" -> "host:port"
std::string_view HostOf(std::string_view origin) {
  const size_t begin = origin.find("://");
  return begin == std::string_view::npos ? origin : origin.substr(begin + 3);
}

void SetError(httplib::Response& response, const ApiError& error) {
  response.status = error.status();
  response.set_content(ToText(error.ToJson()), "application/json");
  if (error.status() == 429 || error.status() == 503) response.set_header("Retry-After", "1");
}

// The connection that this thread serves.
thread_local HttpConnection* current = nullptr;

}  // namespace

class HttpServer::Listener : public httplib::Server {
 public:
  Listener(Service& service, HttpOptions options) : options_(std::move(options)), routes_(Routes(service)) {
    SetUp();
    Bind();
    thread_ = std::thread([this] {
      listen_after_bind();
      ended_ = true;
    });
  }

  ~Listener() override {
    stopping_ = true;
    while (!is_running() && !ended_) std::this_thread::yield();  // else stop() would not be heard
    stop();
    thread_.join();
  }

  int port() const { return port_; }
  bool listening() const { return !ended_; }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void SetUp() {
    set_keep_alive_max_count(kRequestsForEachConnection);
    new_task_queue = [this] { return new httplib::ThreadPool(options_.connections); };
    // Not httplib's default, SO_REUSEPORT, with which two servers would share a port and nobody would notice.
    set_socket_options([](int socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    set_pre_routing_handler([this](const Request& request, Response& response) {
      return Admit(request, response) ? HandlerResponse::Unhandled : HandlerResponse::Handled;
    });
    set_error_handler([](const Request&, Response& response) { ExplainFailure(response); });
    set_logger([this](const Request& request, const Response& response) { Log(request, response); });
    for (const Route& route : routes_) {
      const Handler handler = [&route](const Request& request, Response& response) {
        Run(route, request, response);
      };
      if (route.method == "GET") {
        Get(AsPattern(route.path), handler);
      } else {
        Post(AsPattern(route.path), handler);
      }
    }
  }

  void Bind() {
    port_ = options_.port;
    const bool bound =
        port_ == 0 ? (port_ = bind_to_any_port(options_.host)) > 0 : bind_to_port(options_.host, port_);
    if (!bound) {
      throw Error("cannot listen on ", options_.host, ", port ", options_.port,
                  ": the port is in use or not allowed, or this machine has no such address");
    }
    ::listen(svr_sock_, kBacklog);  // httplib's own is 5
  }

  // Serves the requests of one connection; in place of httplib's own loop, for the sake of HttpConnection.
  bool process_and_close_socket(int socket) override {
    HttpConnection connection(socket, options_.limits, stopping_);
    current = &connection;
    try {
      Serve(connection);
    } catch (const std::exception&) {
      // No memory, and none to say so: this connection ends, the server does not.
    }
    current = nullptr;
    return true;
  }

  void Serve(HttpConnection& connection) {
    for (size_t i = 0; i < kRequestsForEachConnection; ++i) {
      if (!connection.AwaitRequest()) break;
      started_ = WallSeconds();
      const bool last = i + 1 == kRequestsForEachConnection;
      bool close_asked = false;
      const bool served = process_request(connection, last, close_asked, Simplify);
      if (served && !connection.complete()) connection.Linger();
      if (!served || close_asked || !connection.complete()) break;
    }
  }

  // Takes away what httplib would do and nobody here needs: forms, parts of files, compression.
  static void Simplify(Request& request) {
    for (const char* name : {"Content-Type", "Accept-Encoding"}) request.headers.erase(name);
    request.ranges.clear();
  }

  // Before the body is read. False: `response` is the answer.
  bool Admit(const Request& request, Response& response) const {
    try {
      const Route& route = FindRoute(request);
      CheckOrigin(request);
      if (!route.open) CheckKey(request);
      if (route.method == "POST") {
        CheckBody(request);
      } else if (request.has_header("Transfer-Encoding") || request.has_header("Content-Length")) {
        throw ApiError(400, "this address takes no body");
      }
      current->BeginBody();
      return true;
    } catch (const ApiError& error) {
      SetError(response, error);
      response.set_header("Connection", "close");  // a body may follow, which nobody reads
      return false;
    }
  }

  const Route& FindRoute(const Request& request) const {
    const Route* other_method = nullptr;
    for (const Route& route : routes_) {
      if (route.path != request.path) continue;
      const bool fits = route.method == request.method || (route.method == "GET" && request.method == "HEAD");
      if (fits) return route;
      other_method = &route;
    }
    if (other_method != nullptr)
      throw ApiError(405, "this address wants " + other_method->method + ", not " + request.method);
    throw ApiError(404, "there is nothing at this address");
  }

  // A page of another site, open in the browser of somebody who can reach this server, may not use it.
  static void CheckOrigin(const Request& request) {
    const std::string origin = request.get_header_value("Origin");
    if (origin.empty() || HostOf(origin) == request.get_header_value("Host")) return;
    throw ApiError(403, "the page that asks is from another site");
  }

  void CheckKey(const Request& request) const {
    if (options_.api_keys.empty()) return;
    const std::string sent = request.get_header_value("Authorization");
    bool known = false;
    for (const std::string& key : options_.api_keys) known |= EqualSecrets(sent, "Bearer " + key);
    if (!known)
      throw ApiError(401, "this server wants a header 'Authorization: Bearer KEY' with a key that it knows",
                     "", "invalid_api_key");
  }

  void CheckBody(const Request& request) const {
    if (request.has_header("Content-Encoding")) throw ApiError(415, "a body must not be compressed");
    const bool chunked = request.has_header("Transfer-Encoding");
    const std::string length = request.get_header_value("Content-Length");
    if (chunked != length.empty() || request.get_header_value_count("Content-Length") > 1)
      throw ApiError(411, "a request needs one Content-Length, or chunks");
    if (chunked) return;
    size_t bytes = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
    if (error == std::errc::invalid_argument || end != length.data() + length.size())
      throw ApiError(400, "the Content-Length is no number");
    if (error != std::errc() || bytes > options_.limits.body_bytes) throw TooLarge(options_.limits);
  }

  static ApiError TooLarge(const ConnectionLimits& limits) {
    return ApiError(413, "the body is too large: " + SizeText(double(limits.body_bytes)) + " are allowed");
  }

  static void Run(const Route& route, const Request& request, Response& response) {
    current->EndRequest();
    const ClientGone gone = [connection = current] { return connection->Gone(); };
    try {
      Send(route.run(request.body, gone), request, response);
    } catch (const ApiError& error) {
      SetError(response, error);
    } catch (const ClientLeft& error) {
      SetError(response, ApiError(499, error.what()));  // for the log
    } catch (const std::bad_alloc&) {
      SetError(response, ApiError(503, "not enough memory"));
    } catch (const std::exception& error) {
      SetError(response, ApiError(500, error.what()));
    }
  }

  static void Send(Reply reply, const Request& request, Response& response) {
    response.status = reply.status;
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("X-Frame-Options", "DENY");  // the chat page stands in no other site's page
    if (!reply.stream) return response.set_content(reply.body, reply.content_type);
    response.set_header("Cache-Control", "no-cache");
    const auto provide = [stream = std::move(reply.stream)](size_t, httplib::DataSink& sink) {
      bool listening = true;
      stream([&](std::string_view piece) {
        listening = listening && sink.write(piece.data(), piece.size());
        return listening;
      });
      if (listening) sink.done();
      return listening;
    };
    if (request.version == "HTTP/1.0") {  // knows no chunks: the end is where the connection closes
      current->KeepNot();
      response.set_content_provider(reply.content_type, provide);
    } else {
      response.set_chunked_content_provider(reply.content_type, provide);
    }
  }

  // For failures that httplib noticed itself, while it read the request.
  static void ExplainFailure(Response& response) {
    if (!response.body.empty()) return;
    response.set_header("Connection", "close");
    if (current->too_large()) {
      SetError(response, ApiError(413, "the request is too large"));
    } else if (current->too_slow()) {
      SetError(response, ApiError(408, "the request took too long to arrive"));
    } else {
      SetError(response, ApiError(response.status, "this is no HTTP request that this server understands"));
    }
  }

  void Log(const Request& request, const Response& response) {
    if (!options_.log) return;
    const std::lock_guard lock(log_mutex_);
    options_.log({request.method, request.path, response.status, WallSeconds() - started_});
  }

  const HttpOptions options_;
  const std::vector<Route> routes_;
  int port_ = 0;
  std::atomic<bool> stopping_{false}, ended_{false};
  std::mutex log_mutex_;
  std::thread thread_;
  static thread_local double started_;  // the request that this thread serves
};

thread_local double HttpServer::Listener::started_ = 0;

HttpServer::HttpServer(Service& service, HttpOptions options)
    : listener_(std::make_unique<Listener>(service, std::move(options))) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return listener_->port();
}

bool HttpServer::listening() const {
  return listener_->listening();
}

void HttpServer::Stop() {
  listener_.reset();
}

}  // namespace addend
