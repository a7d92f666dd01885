// SPDX-License-Identifier: Apache-2.0
// A harness without libFuzzer: replay FOLDER [INPUTS] runs every seed in FOLDER, then mutations of them, the same ones in
// every run. It stops after INPUTS inputs (20,000), or 5 seconds. What ends the program otherwise leaves its input as
// replay-finding in the working folder.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size);

#if defined(__SANITIZE_ADDRESS__)
#define REPLAY_UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REPLAY_UNDER_SANITIZER
#endif
#endif

namespace {

constexpr std::size_t longest = 4096;
constexpr unsigned seconds_an_input = 20;
constexpr rlim_t most_memory = rlim_t{1} << 30;

std::string input;  // the one that runs

/// Keeps the input that is to blame; only calls that a signal handler may make.
void keep_finding() {
  int const file = ::open("replay-finding", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return;
  for (std::size_t done = 0; done < input.size();) {
    ssize_t const n = ::write(file, input.data() + done, input.size() - done);
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  ::close(file);
}

extern "C" void on_signal(int number) {
  keep_finding();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

/// More memory than the cap is std::bad_alloc, which no harness catches: a finding. Sanitizers map terabytes by themselves.
void cap_memory() {
#ifndef REPLAY_UNDER_SANITIZER
  rlimit const cap{most_memory, most_memory};
  if (::setrlimit(RLIMIT_AS, &cap) != 0) std::perror("setrlimit");
#endif
}

void run(std::string text) {
  input = std::move(text);
  ::alarm(seconds_an_input);
  LLVMFuzzerTestOneInput(reinterpret_cast<unsigned char const*>(input.data()), input.size());
  ::alarm(0);
}

/// Seeds with a few bytes changed: single bits and bytes, ends cut off, parts of two seeds, lengths and numbers at the
/// ends of their ranges.
class mutator {
 public:
  explicit mutator(std::vector<std::string> const& seeds) : seeds_(seeds) {}

  [[nodiscard]] std::string next() {
    std::string text = any_seed();
    for (std::size_t n = 1 + below(4); n > 0; --n) change(text);
    text.resize(std::min(text.size(), longest));
    return text;
  }

 private:
  [[nodiscard]] std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  [[nodiscard]] std::string const& any_seed() { return seeds_[below(seeds_.size())]; }

  void change(std::string& text) {
    std::size_t const at = below(text.size());
    switch (below(8)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(below(256));
        break;
      case 2:
        text.resize(at);
        break;
      case 3:
        text.erase(at, 1 + below(16));
        break;
      case 4: {  // the head of one and the tail of another
        std::string const& other = any_seed();
        text = text.substr(0, at) + other.substr(below(other.size() + 1));
        break;
      }
      case 5: {
        std::string const part = text.substr(at, 1 + below(64));
        text.insert(below(text.size() + 1), part);
        break;
      }
      case 6:
        set_field(text, at);
        break;
      default:
        set_number(text, at);
    }
  }

  /// A little-endian integer of 1 to 8 bytes.
  void set_field(std::string& text, std::size_t at) {
    std::uint64_t const size = text.size();
    std::uint64_t const extremes[] = {0,
                                      1,
                                      size,
                                      size + 1,
                                      0x7f,
                                      0xff,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      std::uint64_t{1} << 61,
                                      ~std::uint64_t{0} >> 1,
                                      std::uint64_t{1} << 63,
                                      ~std::uint64_t{0}};
    std::uint64_t const value = extremes[below(std::size(extremes))];
    std::size_t const width = std::size_t{1} << below(4);
    for (std::size_t i = 0; i < width && at + i < text.size(); ++i)
      text[at + i] = static_cast<char>((value >> (8 * i)) & 0xff);
  }

  /// A number of a text, from the first digit at or behind `at`.
  void set_number(std::string& text, std::size_t at) {
    constexpr std::string_view digits = "0123456789";
    constexpr std::string_view extremes[] = {"0",     "-1",   "0.5",  "1e308",
                                             "1e999", "null", "true", "2147483648",
                                             "\"\"",  "[]",   "{}",   "9223372036854775808",
                                             "65537", "-0.0", "1e-9", "99999999999999999999999"};
    std::size_t const first = text.find_first_of(digits, at);
    if (first == text.npos) return;
    std::size_t const last = std::min(text.find_first_not_of(digits, first), text.size());
    text.replace(first, last - first, extremes[below(std::size(extremes))]);
  }

  std::vector<std::string> const& seeds_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "replay: got no folder of seeds, expected FOLDER [INPUTS]\n");
    return 2;
  }
  std::vector<std::string> names, seeds;
  for (auto const& entry : std::filesystem::directory_iterator(arguments[1]))
    names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  for (std::string const& name : names) {
    std::ifstream file(name, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "replay: %s holds no seed\n", arguments[1]);
    return 2;
  }
  long const inputs = count > 2 ? std::atol(arguments[2]) : 20000;
  for (int const number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGALRM})
    std::signal(number, on_signal);
  cap_memory();
  auto const start = std::chrono::steady_clock::now();
  long done = 0;
  for (std::string const& seed : seeds) {
    run(seed);
    ++done;
  }
  mutator mutate(seeds);
  while (done < inputs && std::chrono::steady_clock::now() - start < std::chrono::seconds(5)) {
    run(mutate.next());
    ++done;
  }
  std::printf("%ld inputs from %zu seeds\n", done, seeds.size());
}
