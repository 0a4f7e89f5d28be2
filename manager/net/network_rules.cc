#include "manager/net/network_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace capsule {
namespace {

struct Range {
  uint32_t network;
  int bits;
};

// IANA's special-purpose registry for IPv4 (RFC 6890 and its updates), what is not globally reachable, and multicast.
constexpr Range kSpecialV4[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},
                                {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24},
                                {0xC0A80000, 16}, {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24},
                                {0xE0000000, 4},  {0xF0000000, 4}};

bool is_public_v4(uint32_t address) {
  return std::none_of(std::begin(kSpecialV4), std::end(kSpecialV4),
                      [&](const Range& range) { return (address ^ range.network) >> (32 - range.bits) == 0; });
}

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

// Global unicast is 2000::/3. What carries an IPv4 address inside (6to4, Teredo, NAT64) could lead anywhere.
bool is_public_v6(const std::array<uint8_t, 16>& bytes) {
  constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return is_public_v4(big_endian(bytes.data() + 12));
  const uint32_t first = big_endian(bytes.data());
  const bool is_6to4 = first >> 16 == 0x2002;
  const bool is_special = first == 0x20010000 || first == 0x20010DB8 || first >> 23 == 0x20010000 >> 23;
  return bytes[0] >> 5 == 1 && !is_6to4 && !is_special;
}

}  // namespace

bool is_listed(const std::vector<AllowedHost>& list, const std::string& host, uint16_t port) {
  return std::find(list.begin(), list.end(), AllowedHost{host, port}) != list.end();
}

bool is_public_address(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return is_public_v4(ntohl(v4.s_addr));
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return false;
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), v6.s6_addr, bytes.size());
  return is_public_v6(bytes);
}

bool may_connect(const std::vector<AllowedHost>& list, const std::string& host, const std::string& address,
                 uint16_t port) {
  if (!is_listed(list, host, port)) return false;
  return is_public_address(address) || is_listed(list, address, port);
}

}  // namespace capsule
