#include "manager/files/placing.h"

namespace capsule {

Placing::Placing(Loop& loop, std::shared_ptr<const Upload> upload, std::shared_ptr<const Workspace> workspace,
                 Done done)
    : loop_(loop),
      storing_(std::move(upload), std::move(workspace)),
      done_(std::move(done)),
      self_(std::make_shared<Placing*>(this)) {
  turn_soon();
}

void Placing::turn_soon() {
  loop_.post([weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->turn();
  });
}

void Placing::turn() {
  const auto whole = storing_.step();
  if (whole && !*whole) return turn_soon();
  const Done done = std::move(done_);
  done(whole ? Result<Manifest>(storing_.take_manifest()) : tl::unexpected<Error>(whole.error()));
}

}  // namespace capsule
