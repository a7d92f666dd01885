// SPDX-License-Identifier: Apache-2.0
// Fibers: functions that can be left in the middle and resumed, all on the calling thread.
//
// POSIX ucontext makes the stacks. It also saves signal masks, two system calls a switch, so that later
// switches are setjmp and longjmp where nothing forbids them: ten times faster.
#pragma once

#include <ucontext.h>
#include <csetjmp>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "lancet/core/view.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define LANCET_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LANCET_FIBER_ASAN 1
#endif
#endif
#if defined(LANCET_FIBER_ASAN)
#include <sanitizer/common_interface_defs.h>
#elif !defined(_FORTIFY_SOURCE)  // a fortified longjmp takes another stack for an attack
#define LANCET_FIBER_JUMPS 1
#endif

namespace lancet::device {

namespace detail {

struct stack_bounds {
  void const* bottom = nullptr;
  std::size_t bytes = 0;
};

// AddressSanitizer must be told of every change of stacks: before it, with the new stack's bounds, and after
// it, which gives the old stack's.
#if defined(LANCET_FIBER_ASAN)
inline void* before_switch(void const* bottom, std::size_t bytes) {
  void* kept = nullptr;
  __sanitizer_start_switch_fiber(&kept, bottom, bytes);
  return kept;
}
inline stack_bounds after_switch(void* kept) {
  stack_bounds from;
  __sanitizer_finish_switch_fiber(kept, &from.bottom, &from.bytes);
  return from;
}
#else
inline void* before_switch(void const*, std::size_t) { return nullptr; }
inline stack_bounds after_switch(void*) { return {}; }
#endif

/// A place to come back to.
struct continuation_point {
  ucontext_t context;
#if defined(LANCET_FIBER_JUMPS)
  jmp_buf jump;
  bool jumps = false;  ///< `jump` is filled
#endif
};

/// Goes on at `to`; returns when somebody goes on at `from`. No locals: a jump would spoil them.
[[gnu::noinline]] inline void go_on(continuation_point& from, continuation_point& to) {
#if defined(LANCET_FIBER_JUMPS)
  from.jumps = true;
  if (_setjmp(from.jump) != 0) return;
  if (to.jumps) _longjmp(to.jump, 1);
  setcontext(&to.context);
#else
  swapcontext(&from.context, &to.context);
#endif
}

}  // namespace detail

/// One function on a stack of its own. `resume` runs it until it calls `leave` or returns; what it throws
/// comes out of `resume`.
class fiber {
 public:
  static constexpr std::size_t stack_bytes = 64 * 1024;

  fiber() : stack_(new char[stack_bytes]) {}
  fiber(fiber const&) = delete;
  fiber& operator=(fiber const&) = delete;

  /// `resume` will begin with `f`. A function that was left and never resumed is forgotten.
  void start(std::function<void()> f) {
    function_ = std::move(f);
    if (std::exchange(done_, false) && entered_) return;  // it waits for its next function
    own_ = {};
    entered_ = true;
    getcontext(&own_.context);
    own_.context.uc_stack.ss_sp = stack_.get();
    own_.context.uc_stack.ss_size = stack_bytes;
    makecontext(&own_.context, &fiber::enter, 0);
  }
  void resume() {
    fiber* const outer = std::exchange(current(), this);
    void* const kept = detail::before_switch(stack_.get(), stack_bytes);
    detail::go_on(back_, own_);
    detail::after_switch(kept);
    current() = outer;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  /// Out of the running fiber, back to its `resume`.
  static void leave() {
    fiber& self = *current();
    void* const kept = detail::before_switch(self.caller_.bottom, self.caller_.bytes);
    detail::go_on(self.own_, self.back_);
    self.caller_ = detail::after_switch(kept);
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  [[nodiscard]] static fiber*& current() {
    thread_local fiber* running = nullptr;
    return running;
  }
  static void enter() {
    fiber& self = *current();
    self.caller_ = detail::after_switch(nullptr);
    while (true) {
      try {
        self.function_();
      } catch (...) {
        self.failure_ = std::current_exception();
      }
      self.done_ = true;
      leave();
    }
  }

  std::unique_ptr<char[]> stack_;
  detail::continuation_point own_{}, back_{};
  std::function<void()> function_;
  std::exception_ptr failure_;
  detail::stack_bounds caller_;
  bool done_ = true, entered_ = false;
};

}  // namespace lancet::device
