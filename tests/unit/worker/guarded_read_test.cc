// Reading that leads nowhere: the reader comes back, everybody else is as before.
#include "worker/guarded_read.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

namespace capsule {
namespace {

constexpr size_t kPage = 4096;
char* forbidden = nullptr;  // a page that nobody may read
std::atomic<int> opened{0};

void read_forbidden(int) { (void)*static_cast<volatile char*>(forbidden); }
void read_nothing(int) {}

// As a program's own handler would, that knows what to do about its fault.
void open_page(int, siginfo_t*, void*) {
  mprotect(forbidden, kPage, PROT_READ);
  ++opened;
}

void let_another_thread_fault(int) {
  std::thread([] { read_forbidden(0); }).join();
}

struct Page {
  Page() {
    void* memory = mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    forbidden = static_cast<char*>(memory);
  }
  ~Page() { munmap(forbidden, kPage); }
};

struct sigaction handler_of(int signal) {
  struct sigaction current {};
  sigaction(signal, nullptr, &current);
  return current;
}

}  // namespace

TEST_CASE("a fault of the reader ends the reading only, as often as it happens", "[worker]") {
  const Page page;
  const auto before = handler_of(SIGSEGV);
  for (int i = 0; i < 3; ++i) CHECK(read_guarded(read_forbidden, -1) == ReadOutcome::kCutShort);
  CHECK(read_guarded(read_nothing, -1) == ReadOutcome::kWhole);
  CHECK(handler_of(SIGSEGV).sa_handler == before.sa_handler);
}

TEST_CASE("the reader may block all signals, and does so afterwards", "[worker]") {
  const Page page;
  std::thread([] {
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    CHECK(read_guarded(read_forbidden, -1) == ReadOutcome::kCutShort);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGSEGV) == 1);
    CHECK(sigismember(&mask, SIGINT) == 1);
  }).join();
}

TEST_CASE("a fault of another thread meets the handler it would have met", "[worker]") {
  const Page page;
  struct sigaction own {
  }, before{};
  own.sa_sigaction = open_page;
  own.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &own, &before);
  opened = 0;
  CHECK(read_guarded(let_another_thread_fault, -1) == ReadOutcome::kWhole);
  CHECK(opened == 1);
  CHECK(handler_of(SIGSEGV).sa_sigaction == open_page);
  sigaction(SIGSEGV, &before, nullptr);
}

}  // namespace capsule
