#include "manager/pool/copy_maker.h"

#include "base/posix_io.h"

namespace capsule {

void CopyMaker::keep(const Origin& origin, UniqueFd link, const Branched& claim, Died died, Made made) {
  const uint64_t serial = ++last_serial_;
  auto socket = std::make_shared<UniqueFd>(std::move(link));
  origin.capsule->keep_copy(
      {origin.original, static_cast<pid_t>(claim.pid), origin.home},
      [this, serial, died = std::move(died), alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        auto settling = settling_.extract(serial);
        if (settling.empty()) return died();
        settling.mapped().made(failure(Errc::kClosed, "the copy ended before it was parked"));
      },
      [this, serial, socket, claim, made, alive = std::weak_ptr(alive_)](Result<CapsuleProcess::KeptCopy> kept) {
        if (alive.expired()) return;
        if (!kept) return made(tl::unexpected<Error>(kept.error()));
        ParkedCopy::Start start{std::move(*socket), std::move(kept->pidfd), kept->pid_at_home, claim.not_captured};
        auto copy = std::make_unique<ParkedCopy>(loop_, std::move(start), metrics_);
        copy->when_parked([this, serial] {
          loop_.post([this, serial, alive = std::weak_ptr(alive_)] {  // it is in the middle of a frame
            if (!alive.expired()) settled(serial);
          });
        });
        settling_.emplace(serial, Settling{std::move(copy), made});
      });
}

void CopyMaker::settled(uint64_t serial) {
  auto settling = settling_.extract(serial);
  if (!settling.empty()) settling.mapped().made(std::move(settling.mapped().copy));
}

void CopyMaker::copy_of(const std::shared_ptr<CapsuleProcess>& capsule, ParkedCopy& original, const std::string& name,
                        Died died, Made made) {
  auto link = make_stream_socketpair();
  if (!link) return made(tl::unexpected<Error>(link.error()));
  capsule->expect_copy(original.pid_in_capsule(), *capsule);
  auto ours = std::make_shared<UniqueFd>(std::move(link->first));
  const auto ended = [capsule, made, pid = original.pid_in_capsule()](Result<std::unique_ptr<ParkedCopy>> copy) {
    capsule->expect_no_copy(pid);
    made(std::move(copy));
  };
  original.copy(name, std::move(link->second),
                [this, capsule, ours, died, made = ended, pid = original.pid_in_capsule(),
                 alive = std::weak_ptr(alive_)](Result<Branched> claim) {
                  if (alive.expired()) return;
                  if (!claim) return made(tl::unexpected<Error>(claim.error()));
                  keep({capsule, capsule, pid}, std::move(*ours), *claim, died, made);
                });
}

}  // namespace capsule
