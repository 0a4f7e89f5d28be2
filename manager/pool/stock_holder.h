// Watches one worker from its fork until it is leased, for the pool.
#pragma once

#include "manager/pool/pool.h"

namespace capsule {

class Pool::StockHolder : public Worker::Holder {
 public:
  StockHolder(Pool& pool, uint64_t slot) : pool_(pool), slot_(slot) {}

  void worker_said(Message message) override {
    if (const auto* hello = std::get_if<Hello>(&message)) return pool_.worker_ready(slot_, *hello);
    pool_.stock_worker_failed(slot_, label::Recycle::kUnhealthy, "an idle worker spoke out of turn");
  }
  void worker_died(const Exited& report) override {
    pool_.stock_worker_failed(slot_, label::Recycle::kCrashed,
                              "a parked worker died: " + WaitStatus(static_cast<int>(report.status)).describe());
  }
  void worker_link_closed() override {
    pool_.stock_worker_failed(slot_, label::Recycle::kLost, "a parked worker closed its link");
  }
  void worker_lost(LostWhy) override {
    pool_.stock_worker_failed(slot_, label::Recycle::kLost, "a parked worker is lost");
  }

 private:
  Pool& pool_;
  uint64_t slot_;
};

}  // namespace capsule
