// What became of each layer and how long it took, in the order in which they were tried.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "worker/sandbox/layers.h"

namespace capsule::sandbox {

class LayerLog {
 public:
  // Applies a layer, times it and notes how it went.
  template <class Act>
  Status apply(const char* name, Act act) {
    const Status done = timed(name, act);
    note(name, done);
    return done;
  }
  template <class Act>
  Status timed(const char* name, Act act) {
    const TimePoint started = now();
    const Status done = act();
    applied_.timings_us[std::string("layer_") + name] = static_cast<uint64_t>(to_microseconds(now() - started));
    return done;
  }

  void note(const char* name, const Status& done) { done ? on(name) : off(name, done.error().message); }
  void on(const char* name) { applied_.layers.push_back({name, "on", {}}); }
  void off(const char* name, std::string why) { applied_.layers.push_back({name, "off", std::move(why)}); }
  // Of one that was noted before.
  void degrade(const char* name, std::string why) { set(name, "degraded", std::move(why)); }
  void detail(const char* name, std::string text) { set(name, "on", std::move(text)); }
  void add(const char* name, const std::string& text) {
    if (Layer* layer = find(name)) layer->detail += (layer->detail.empty() ? "" : "; ") + text;
  }

  Applied take() && { return std::move(applied_); }

 private:
  Layer* find(const char* name) {
    const auto found = std::find_if(applied_.layers.begin(), applied_.layers.end(),
                                    [name](const Layer& layer) { return layer.name == name; });
    return found == applied_.layers.end() ? nullptr : &*found;
  }
  void set(const char* name, const char* state, std::string detail) {
    if (Layer* layer = find(name)) *layer = {name, state, std::move(detail)};
  }

  Applied applied_;
};

}  // namespace capsule::sandbox
