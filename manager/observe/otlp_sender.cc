#include "manager/observe/otlp_sender.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>

namespace capsule {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view kScheme = "http://", kDefaultPath = "/v1/traces", kDefaultPort = "80";
constexpr unsigned kHttp11 = 11;

tl::unexpected<Error> wrong_url(const std::string& why) {
  return failure(Errc::kInvalid, "trace.otlp_endpoint: " + why + "; http://HOST[:PORT][/PATH] is expected");
}

// "%41" to "A"; what is no escape stays as it is.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3;
    out += is_escape ? static_cast<char>(value) : text[i];
    if (is_escape) i += 2;
  }
  return out;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Status add_headers(std::string_view text, OtlpEndpoint& into) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t middle = one.find('=');
    const std::string name(one.substr(0, middle)), value = middle == one.npos ? "" : unescaped(one.substr(middle + 1));
    if (middle == one.npos || !is_token(name) || !is_header_value(value)) {
      return failure(Errc::kInvalid, "trace.otlp_headers: name=value,name=value is expected");
    }
    into.headers.emplace_back(name, value);
  }
  return {};
}

}  // namespace

Result<OtlpEndpoint> parse_otlp_endpoint(std::string_view url, std::string_view headers) {
  if (!url.starts_with(kScheme)) return wrong_url("this is not http");
  url.remove_prefix(kScheme.size());
  OtlpEndpoint endpoint;
  std::string_view place = url.substr(0, url.find('/'));
  endpoint.path = url.substr(place.size());
  if (endpoint.path.empty() || endpoint.path == "/") endpoint.path = kDefaultPath;
  if (!is_header_value(url) || url.find_first_of(" @") != url.npos) return wrong_url("this is no URL");
  const size_t bracket = place.find(']'), colon = place.find(':', bracket == place.npos ? 0 : bracket);
  endpoint.port = colon == place.npos ? kDefaultPort : place.substr(colon + 1);
  place = place.substr(0, colon);
  if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
  endpoint.host = place;
  unsigned port = 0;
  const char* const port_end = endpoint.port.data() + endpoint.port.size();
  const auto read = std::from_chars(endpoint.port.data(), port_end, port);
  if (read.ec != std::errc() || read.ptr != port_end || port == 0 || port > 65535)
    return wrong_url("the port is wrong");
  if (endpoint.host.empty()) return wrong_url("there is no host");
  if (const Status added = add_headers(headers, endpoint); !added) return tl::unexpected<Error>(added.error());
  return endpoint;
}

std::string OtlpEndpoint::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + port;
}

struct OtlpSender::State {
  explicit State(OtlpEndpoint to) : endpoint(std::move(to)) {}

  OtlpEndpoint endpoint;
  asio::io_context loop{1};
  std::atomic<bool> is_interrupted{false};
};

namespace {

// One request on a connection of its own: a few a second, and nothing to keep alive through a collector's
// restart.
class Exchange {
 public:
  Exchange(asio::io_context& loop, const OtlpEndpoint& endpoint, const std::string& body)
      : stream_(loop), request_(http::verb::post, endpoint.path, kHttp11) {
    request_.set(http::field::host, endpoint.authority());
    request_.set(http::field::user_agent, "capsule");
    request_.set(http::field::content_type, "application/json");
    for (const auto& [name, value] : endpoint.headers) request_.set(name, value);
    request_.keep_alive(false);
    request_.body() = body;
    request_.prepare_payload();
    parser_.body_limit(OtlpSender::kReplyBytes);
  }

  void start(const tcp::resolver::results_type& places, Duration deadline) {
    stream_.expires_after(deadline);
    stream_.async_connect(places, [this](error_code error, const tcp::endpoint&) {
      if (error) return void(error_ = error);
      fcntl(stream_.socket().native_handle(), F_SETFD, FD_CLOEXEC);
      http::async_write(stream_, request_, [this](error_code failed, size_t) {
        if (failed) return void(error_ = failed);
        http::async_read(stream_, buffer_, parser_, [this](error_code unread, size_t) {
          is_cut_ = unread == http::error::body_limit;
          if (!is_cut_) error_ = unread;
          is_done_ = true;
        });
      });
    });
  }

  Result<OtlpReply> reply() const {
    if (error_ == beast::error::timeout) return failure(Errc::kTimedOut, "the collector did not answer in time");
    if (error_) return failure(Errc::kSystem, "the collector cannot be reached: " + error_.message());
    if (!is_done_) return failure(Errc::kClosed, "interrupted");
    const auto& response = parser_.get();
    OtlpReply reply{response.result_int(), {}, is_cut_ ? "" : response.body()};
    const auto after = response[http::field::retry_after];
    unsigned wait_s = 0;
    const auto read = std::from_chars(after.data(), after.data() + after.size(), wait_s);
    if (!after.empty() && read.ptr == after.data() + after.size()) reply.retry_after = seconds(wait_s);
    return reply;
  }

 private:
  beast::tcp_stream stream_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  error_code error_;
  bool is_done_ = false;
  bool is_cut_ = false;  // its body is longer than we read: the status says all we need
};

}  // namespace

OtlpSender::OtlpSender(OtlpEndpoint endpoint) : state_(std::make_unique<State>(std::move(endpoint))) {}
OtlpSender::~OtlpSender() = default;

void OtlpSender::interrupt() {
  state_->is_interrupted = true;
  state_->loop.stop();
}

Result<OtlpReply> OtlpSender::post(const std::string& body, Duration deadline) {
  error_code error;
  const auto places = tcp::resolver(state_->loop).resolve(state_->endpoint.host, state_->endpoint.port, error);
  if (error) return failure(Errc::kSystem, "the collector's name is not known: " + error.message());
  const auto exchange = std::make_unique<Exchange>(state_->loop, state_->endpoint, body);
  exchange->start(places, deadline);
  state_->loop.restart();
  if (!state_->is_interrupted) state_->loop.run();
  return exchange->reply();
}

}  // namespace capsule
