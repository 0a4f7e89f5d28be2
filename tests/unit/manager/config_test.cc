#include "manager/config.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

Config parsed(std::string_view toml) {
  const Result<Config> config = parse_config(toml, "t.toml");
  INFO((config ? std::string() : config.error().message));
  REQUIRE(config);
  return *config;
}

std::string error_of(std::string_view toml) {
  const Result<Config> config = parse_config(toml, "t.toml");
  REQUIRE_FALSE(config);
  CHECK(config.error().code == Errc::kInvalid);
  return config.error().message;
}

}  // namespace

TEST_CASE("defaults are what the table says", "[config]") {
  const Config config = default_config();
  CHECK(config.defaults.pool.warm == 2);
  CHECK(config.defaults.pool.capsules == 2);
  CHECK(config.defaults.pool.min == 0);
  CHECK(config.defaults.pool.max == 64);
  CHECK(config.defaults.pool.idle_timeout == 600s);
  CHECK(config.defaults.pool.acquire_timeout == 30s);
  CHECK(config.defaults.pool.exhaustion == Exhaustion::kWait);
  CHECK(config.defaults.pool.zygote_jitter_ratio == 0.1);
  CHECK(config.defaults.breaker.deaths == 5);
  CHECK(config.defaults.breaker.window == 10s);
  CHECK(config.defaults.breaker.backoff_min == 100ms);
  CHECK(config.defaults.breaker.backoff_max == 30s);
  CHECK(config.defaults.run.timeout == 300s);
  CHECK(config.defaults.run.grace == 1s);
  CHECK(config.defaults.run.output_bytes == 64 * kMiB);
  CHECK(config.defaults.run.output_policy == OutputPolicy::kBlock);
  CHECK(config.defaults.worker.heartbeat_interval == 5s);
  CHECK(config.defaults.sandbox.namespaces == NamespaceMode::kAuto);
  CHECK(config.sessions.idle_timeout == 1h);
  CHECK(config.queue.capacity == 1024);
  CHECK(config.client.send_buffer_bytes == 4 * kMiB);
  CHECK(config.server.log_level == "info");
  CHECK(config.server.socket.empty());
  CHECK(config.default_profile.empty());
}

TEST_CASE("every default lies within its own bounds", "[config]") {
  for (const KnobInfo& knob : describe_knobs(default_config())) {
    INFO(knob.name);
    CHECK(knob.value == knob.standard);
    CHECK_FALSE(knob.description.empty());
    CHECK(knob.description.back() == '.');
    if (knob.min) CHECK((*knob.min <= knob.standard && knob.standard <= *knob.max));
    if (!knob.choices.empty()) {
      CHECK(std::count(knob.choices.begin(), knob.choices.end(), std::get<std::string>(knob.standard)) == 1);
    }
  }
}

TEST_CASE("names of knobs are unique and end in their unit", "[config]") {
  std::vector<std::string> names;
  for (const KnobInfo& knob : describe_knobs(default_config())) {
    INFO(knob.name);
    names.push_back(knob.name);
    const auto ends_in = [&](const std::string& end) {
      return knob.name.size() > end.size() && knob.name.compare(knob.name.size() - end.size(), end.size(), end) == 0;
    };
    if (knob.unit == "s") CHECK(ends_in("_s"));
    if (knob.unit == "bytes") CHECK((ends_in("_bytes") || ends_in("byte_burst")));
  }
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("an empty file is the defaults", "[config]") {
  CHECK(parsed("") == default_config());
  CHECK(parsed("# nothing\n\n") == default_config());
  CHECK(parsed("[pool]\n[profiles]\n[profiles.data]\n") == default_config());
}

TEST_CASE("the built-in profiles preload what common programs use", "[config]") {
  const Config config = default_config();
  REQUIRE(config.profiles.size() == 2);
  const auto& base = config.profiles.at("base").preload;
  const auto& data = config.profiles.at("data").preload;
  const auto has = [](const auto& modules, const std::string& name) {
    return std::find(modules.begin(), modules.end(), name) != modules.end();
  };
  CHECK(has(base, "json"));
  CHECK(has(base, "asyncio"));
  CHECK_FALSE(has(base, "numpy"));
  for (const char* module : {"json", "numpy", "pandas", "matplotlib", "matplotlib.pyplot", "cloudpickle"}) {
    CHECK(has(data, module));
  }
}

TEST_CASE("numbers, times, ratios, words and texts are read", "[config]") {
  const Config config = parsed(R"(
default_profile = "base"
[pool]
warm = 7
idle_timeout_s = 1.5
acquire_timeout_s = 3
zygote_jitter_ratio = 0.25
exhaustion = "fail_fast"
[run]
output_policy = "truncate"
output_bytes = 1_000_000
timeout_s = 0
[sandbox]
namespaces = "off"
[server]
socket = "/run/x.sock"
log_level = "debug"
)");
  CHECK(config.default_profile == "base");
  CHECK(config.defaults.pool.warm == 7);
  CHECK(config.defaults.pool.idle_timeout == 1500ms);
  CHECK(config.defaults.pool.acquire_timeout == 3s);
  CHECK(config.defaults.pool.zygote_jitter_ratio == 0.25);
  CHECK(config.defaults.pool.exhaustion == Exhaustion::kFailFast);
  CHECK(config.defaults.run.output_policy == OutputPolicy::kTruncate);
  CHECK(config.defaults.run.output_bytes == 1000000);
  CHECK(config.defaults.run.timeout == 0s);
  CHECK(config.defaults.sandbox.namespaces == NamespaceMode::kOff);
  CHECK(config.server.socket == "/run/x.sock");
  CHECK(config.server.log_level == "debug");
}

TEST_CASE("times of a fraction of a second are exact", "[config]") {
  CHECK(parsed("[breaker]\nbackoff_min_s = 0.3\n").defaults.breaker.backoff_min == 300ms);
  CHECK(parsed("[worker]\nheartbeat_interval_s = 0.1\n").defaults.worker.heartbeat_interval == 100ms);
}

TEST_CASE("top-level tables set every profile, a profile's own come on top", "[config]") {
  const Config config = parsed(R"(
[profiles.data.pool]
warm = 9
[profiles.small]
preload = ["json", "os.path"]
run.timeout_s = 5
[pool]
warm = 4
max = 10
)");
  CHECK(config.defaults.pool.warm == 4);
  CHECK(config.profiles.at("base").settings.pool.warm == 4);
  CHECK(config.profiles.at("data").settings.pool.warm == 9);
  CHECK(config.profiles.at("data").settings.pool.max == 10);
  CHECK(config.profiles.at("data").preload == default_config().profiles.at("data").preload);
  const Profile& small = config.profiles.at("small");
  CHECK(small.name == "small");
  CHECK(small.preload == std::vector<std::string>{"json", "os.path"});
  CHECK(small.settings.run.timeout == 5s);
  CHECK(small.settings.pool.warm == 4);
  CHECK(config.defaults.run.timeout == 300s);
}

TEST_CASE("a profile can preload other modules than the built-in ones, or none", "[config]") {
  CHECK(parsed("[profiles.data]\npreload = []\n").profiles.at("data").preload.empty());
}

TEST_CASE("an error names file, line, column, knob, what was found and what is allowed", "[config]") {
  CHECK(error_of("\n[pool]\n  max = 5000\n") ==
        "t.toml:3:9: pool.max: found 5000; allowed: an integer from 1 to 1024 workers");
  CHECK(error_of("[run]\ngrace_s = -1\n") == "t.toml:2:11: run.grace_s: found -1; allowed: a number from 0 to 3600 s");
  CHECK(error_of("[run]\noutput_policy = \"drop\"\n") ==
        "t.toml:2:17: run.output_policy: found \"drop\"; allowed: one of block, truncate, stop");
  CHECK(error_of("[pool]\nwarm = \"two\"\n") ==
        "t.toml:2:8: pool.warm: found \"two\"; allowed: an integer from 0 to 256 workers");
}

TEST_CASE("values of the wrong kind are refused", "[config]") {
  const auto [toml, found] = GENERATE(table<std::string, std::string>({
      {"pool.warm = 2.5", "found 2.5"},
      {"pool.warm = true", "found true"},
      {"pool.warm = [2]", "found an array"},
      {"pool.warm = 2024-01-01", "found a date or time"},
      {"pool.warm = -1", "found -1"},
      {"pool.warm = 9223372036854775807", "found 9223372036854775807"},
      {"pool.idle_timeout_s = nan", "found a number that is not finite"},
      {"pool.idle_timeout_s = inf", "found a number that is not finite"},
      {"pool.idle_timeout_s = \"1\"", "found \"1\""},
      {"pool.zygote_jitter_ratio = 0.95", "found 0.95"},
      {"server.socket = 7", "found 7"},
      {"server.log_level = \"loud\"", "found \"loud\""},
      {"pool = 3", "found 3"},
      {"profiles = 3", "found 3"},
      {"profiles.data = 3", "found 3"},
      {"profiles.data.preload = \"json\"", "found \"json\""},
      {"profiles.data.preload = [1]", "found 1"},
      {"default_profile = 1", "found 1"},
      {"default_profile.x = 1", "found a table"},
  }));
  INFO(toml);
  CHECK_THAT(error_of(toml), Catch::Contains(found) && Catch::Contains("allowed: "));
}

TEST_CASE("an unknown name is an error that names the nearest known one", "[config]") {
  const auto [toml, text] = GENERATE(table<std::string, std::string>({
      {"[pool]\nwram = 3", "t.toml:2:1: pool.wram: no such knob or table; the nearest is pool.warm"},
      {"[pool]\nidle_timeout = 3",
       "t.toml:2:1: pool.idle_timeout: no such knob or table; the nearest is pool.idle_timeout_s"},
      {"[pol]\n", "t.toml:1:2: pol: no such knob or table; the nearest is pool"},
      {"[run]\nidle_timeout_s = 3",
       "t.toml:2:1: run.idle_timeout_s: no such knob or table; the nearest is pool.idle_timeout_s"},
      {"defualt_profile = \"base\"",
       "t.toml:1:1: defualt_profile: no such knob or table; the nearest is default_profile"},
      {"[profile.data]", "t.toml:1:2: profile: no such knob or table; the nearest is profiles"},
      {"[profiles.data.pool]\nwram = 3",
       "t.toml:2:1: profiles.data.pool.wram: no such knob or table; the nearest is profiles.data.pool.warm"},
      {"[profiles.data]\npre_load = []",
       "t.toml:2:1: profiles.data.pre_load: no such knob or table; the nearest is profiles.data.preload"},
  }));
  INFO(toml);
  CHECK(error_of(toml) == text);
}

TEST_CASE("what is one for the whole manager cannot be set for a profile", "[config]") {
  CHECK(error_of("[profiles.data.queue]\ncapacity = 3\n") ==
        "t.toml:1:16: profiles.data.queue: is one for all profiles; set it in the top-level table [queue]");
}

TEST_CASE("knobs that belong together are checked together", "[config]") {
  CHECK(error_of("[pool]\nmin = 9\nmax = 4\n") ==
        "t.toml:2:7: pool.min: found 9; allowed: at most pool.max, which is 4");
  CHECK(error_of("[worker]\nsuspect_after = 3\n") ==
        "t.toml:2:17: worker.suspect_after: found 3; allowed: less than worker.lost_after, which is 3");
  CHECK(error_of("[breaker]\nbackoff_max_s = 0.05\n") ==
        "t.toml:2:17: breaker.backoff_min_s: found 0.1; allowed: at most breaker.backoff_max_s, which is 0.05");
  CHECK(error_of("[pool]\nmax = 4\n[profiles.data.pool]\nmin = 5\n") ==
        "t.toml:4:7: profiles.data.pool.min: found 5; allowed: at most pool.max, which is 4");
  CHECK(error_of("[run]\ntimeout_s = 20\nmax_timeout_s = 10\n") ==
        "t.toml:2:13: run.timeout_s: found 20; allowed: at most run.max_timeout_s, which is 10");
  CHECK(error_of("[run]\nmax_timeout_s = 10\n") ==
        "t.toml:2:17: run.timeout_s: found 300; allowed: at most run.max_timeout_s, which is 10");
  CHECK(error_of("[profiles.data.run]\nmax_output_bytes = 1024\n") ==
        "t.toml:2:20: profiles.data.run.output_bytes: found 67108864; allowed: at most run.max_output_bytes, which is "
        "1024");
  CHECK(parsed("[run]\ntimeout_s = 0\nmax_timeout_s = 10\n").defaults.run.timeout == 0s);  // no limit is no number
  CHECK(parsed("[pool]\nmin = 4\nmax = 4\n").defaults.pool.min == 4);
}

TEST_CASE("profile and module names keep to their grammar", "[config]") {
  const std::string long_name(65, 'a');
  for (const std::string& name : {std::string("\"\""), std::string("A"), std::string("a_b"), std::string("\"a b\""),
                                  std::string("\"../x\""), long_name}) {
    INFO(name);
    CHECK_THAT(error_of("[profiles." + name + "]\n"), Catch::Contains("allowed: 1 to 64 of a-z, 0-9 and -"));
  }
  for (const std::string module : {"", ".", "a.", ".a", "a..b", "1a", "a b", "a;b", "import os", "a-b", "os\\n"}) {
    INFO(module);
    CHECK_THAT(error_of("[profiles.x]\npreload = [\"" + module + "\"]\n"), Catch::Contains("a module name"));
  }
  CHECK_THAT(error_of("[profiles.x]\npreload = [\"" + std::string(129, 'm') + "\"]\n"),
             Catch::Contains("a module name"));
  CHECK(parsed("[profiles.x-1]\npreload = [\"_a.b9.C_\"]\n").profiles.at("x-1").preload.size() == 1);
}

TEST_CASE("the default profile must exist, be it defined in the file", "[config]") {
  CHECK(error_of("default_profile = \"dta\"\n") ==
        "t.toml:1:19: default_profile: found \"dta\"; allowed: one of the profiles base, data");
  CHECK(parsed("default_profile = \"mine\"\n[profiles.mine]\n").default_profile == "mine");
}

TEST_CASE("numbers of profiles and modules are bounded", "[config]") {
  std::string profiles;
  for (size_t i = 0; i < kProfiles - 2; ++i) profiles += "[profiles.p" + std::to_string(i) + "]\n";
  CHECK(parsed(profiles).profiles.size() == kProfiles);
  CHECK_THAT(error_of(profiles + "[profiles.one-more]\n"), Catch::Contains("more than allowed: 32"));
  CHECK(parsed(profiles + "[profiles.base.pool]\nwarm = 1\n").profiles.size() == kProfiles);

  std::string modules;
  for (size_t i = 0; i < kPreloadModules; ++i) modules += "\"m" + std::to_string(i) + "\",";
  CHECK(parsed("[profiles.x]\npreload = [" + modules + "]\n").profiles.at("x").preload.size() == kPreloadModules);
  CHECK_THAT(error_of("[profiles.x]\npreload = [" + modules + "\"z\"]\n"), Catch::Contains("at most 256"));
}

TEST_CASE("texts are bounded and printable", "[config]") {
  CHECK_THAT(error_of("[server]\nsocket = \"" + std::string(108, 'x') + "\"\n"), Catch::Contains("at most 107"));
  CHECK(parsed("[server]\nsocket = \"" + std::string(107, 'x') + "\"\n").server.socket.size() == 107);
  CHECK_THAT(error_of("[server]\nstate_dir = \"a\\u0000b\"\n"), Catch::Contains("printable"));
  CHECK_THAT(error_of("[server]\nstate_dir = \"a\\nb\"\n"), Catch::Contains("printable"));
}

TEST_CASE("what is not TOML is refused with its place", "[config]") {
  CHECK_THAT(error_of("[pool]\nwarm = = 3\n"), Catch::StartsWith("t.toml:2:8: not valid TOML: "));
  CHECK_THAT(error_of("[pool]\nwarm = 1\nwarm = 2\n"), Catch::StartsWith("t.toml:3:"));
  CHECK_THAT(error_of("[pool"), Catch::StartsWith("t.toml:1:"));
  CHECK_THAT(error_of("a = \"\xff\xfe\""), Catch::StartsWith("t.toml:1:"));
  CHECK_THAT(error_of(std::string_view("a\0b = 1", 7)), Catch::StartsWith("t.toml:1:"));
  CHECK_THAT(error_of("a = " + std::string(100000, '[')), Catch::StartsWith("t.toml:1:"));
}

TEST_CASE("a file that is too large is refused unread", "[config]") {
  const Result<Config> config = parse_config(std::string(kConfigBytes + 1, '#'), "big.toml");
  REQUIRE_FALSE(config);
  CHECK(config.error().code == Errc::kTooLarge);
  CHECK(parse_config(std::string(kConfigBytes, '#'), "big.toml").has_value());
}

TEST_CASE("of several problems the first in the file is named, and how many there are", "[config]") {
  CHECK(error_of("[server]\nhttp = 1\n[pool]\nmax = 0\nwarm = 1000\n") ==
        "t.toml:2:8: server.http: found 1; allowed: a text of at most 256 printable bytes (and 2 more)");
}

TEST_CASE("text from the file cannot drive a terminal or fill the log", "[config]") {
  const std::string message = error_of("[pool]\nwarm = \"\\u001b[31m" + std::string(1000, 'x') + "\"\n");
  CHECK(message.find('\x1b') == std::string::npos);
  CHECK(message.size() < 250);
  const std::string unknown = error_of("\"\\u001b[31m" + std::string(100000, 'k') + "\" = 1\n");
  CHECK(unknown.find('\x1b') == std::string::npos);
  CHECK(unknown.size() < 250);
}

TEST_CASE("knobs are described with their values, and profiles where they differ", "[config]") {
  const Config config =
      parsed("[pool]\nwarm = 3\n[profiles.data.pool]\nwarm = 5\n[profiles.data.run]\ntimeout_s = 9\n");
  const std::vector<KnobInfo> knobs = describe_knobs(config);
  const size_t of_profiles = knobs.size() - describe_knobs(default_config()).size();
  REQUIRE(of_profiles == 2);
  const auto find = [&](const std::string& name) {
    const auto found = std::find_if(knobs.begin(), knobs.end(), [&](const auto& knob) { return knob.name == name; });
    REQUIRE(found != knobs.end());
    return *found;
  };
  const KnobInfo warm = find("pool.warm");
  CHECK(warm.value == KnobValue(uint64_t{3}));
  CHECK(warm.standard == KnobValue(uint64_t{2}));
  CHECK(warm.min == KnobValue(uint64_t{0}));
  CHECK(warm.max == KnobValue(uint64_t{256}));
  CHECK(warm.unit == "workers");
  CHECK(find("profiles.data.pool.warm").value == KnobValue(uint64_t{5}));
  CHECK(find("profiles.data.run.timeout_s").value == KnobValue(9.0));
  const KnobInfo policy = find("run.output_policy");
  CHECK(policy.value == KnobValue(std::string("block")));
  CHECK(policy.choices == std::vector<std::string>{"block", "truncate", "stop"});
  CHECK_FALSE(policy.min);
}

TEST_CASE("output policies have the words of the wire", "[config]") {
  for (const OutputPolicy policy : {OutputPolicy::kBlock, OutputPolicy::kTruncate, OutputPolicy::kStop}) {
    CHECK(output_policy_from_string(to_string(policy)) == policy);
  }
  CHECK_FALSE(output_policy_from_string(""));
  CHECK_FALSE(output_policy_from_string("Block"));
}

TEST_CASE("a profile says what its programs find", "[config]") {
  const Config config = parsed(R"(
[profiles.lab]
network = ["PyPI.org:443", "[::1]:8080", "10.0.0.1:5432"]
subprocess = false
mounts = [{ source = "/srv/data", target = "/data" }]
packages = ["/opt/venv/lib/python3.11/site-packages"]
environment = { LANG = "de_DE.UTF-8", GREETING = "h\u00e9" }
environment_from_host = ["TZ"]
[profiles.lab.limits]
memory_bytes = 268435456
cpu_s = 2.5
[profiles.open]
network = "loopback"
)");
  const ProfileContent& lab = config.profiles.at("lab").content;
  CHECK(lab.network == NetworkMode::kProxy);
  CHECK(lab.allowed_hosts == std::vector<AllowedHost>{{"pypi.org", 443}, {"::1", 8080}, {"10.0.0.1", 5432}});
  CHECK_FALSE(lab.subprocess);
  CHECK(lab.mounts == std::vector<ReadOnlyMount>{{"/srv/data", "/data"}});
  CHECK(lab.packages.size() == 1);
  CHECK(lab.environment.at("GREETING") == "h\xC3\xA9");
  CHECK(lab.environment_from_host == std::vector<std::string>{"TZ"});
  CHECK(config.profiles.at("lab").settings.limits.memory_bytes == 256 * kMiB);
  CHECK(config.profiles.at("lab").settings.limits.soft_bytes() == 224 * kMiB);
  CHECK(config.profiles.at("lab").settings.limits.cpu == 2500ms);
  CHECK(config.profiles.at("open").content.network == NetworkMode::kLoopback);
  CHECK(config.profiles.at("base").content == ProfileContent{});
}

TEST_CASE("what a profile says is checked", "[config]") {
  const auto error = [](const std::string& line) { return error_of("[profiles.lab]\n" + line + "\n"); };
  CHECK(error("network = \"internet\"").find("profiles.lab.network: found \"internet\"") != std::string::npos);
  for (const char* host : {"\"pypi.org\"", "\"pypi.org:0\"", "\"pypi.org:65536\"", "\":443\"", "\"a b:1\"", "7"}) {
    INFO(host);
    CHECK(error(std::string("network = [") + host + "]").find("\"host:port\"") != std::string::npos);
  }
  CHECK(error("subprocess = 1").find("true or false") != std::string::npos);
  for (const char* path : {"data", "/", "/srv/../etc", "/srv/./x", "/srv/", "//srv"}) {
    INFO(path);
    CHECK(error(std::string("packages = [\"") + path + "\"]").find("absolute path") != std::string::npos);
    CHECK(error(std::string("mounts = [{ source = \"") + path + "\", target = \"/d\" }]").find("mounts") !=
          std::string::npos);
  }
  CHECK(error("mounts = [{ source = \"/a\" }]").find("target") != std::string::npos);
  CHECK(error("mounts = [{ source = \"/a\", target = \"/b\", mode = \"rw\" }]").find("target") != std::string::npos);
  CHECK(error("environment = { \"A B\" = \"x\" }").find("letters, digits and _") != std::string::npos);
  CHECK(error("environment = { A = 1 }").find("a text") != std::string::npos);
  CHECK(error("environment_from_host = [\"A=B\"]").find("variable's name") != std::string::npos);
  CHECK(error("netwrok = \"none\"").find("the nearest is profiles.lab.network") != std::string::npos);
}

TEST_CASE("the soft limit of memory is at most the hard one", "[config]") {
  CHECK(
      error_of("[limits]\nmemory_bytes = 67108864\nmemory_soft_bytes = 67108865\n").find("limits.memory_soft_bytes") !=
      std::string::npos);
}
