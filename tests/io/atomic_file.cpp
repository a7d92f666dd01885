// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE atomic_file
#include "lancet/io/atomic_file.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using lancet::atomic_file;
using lancet::write_file;
using lancet_test::check_throws;
using lancet_test::slurp;
using lancet_test::spill;
using lancet_test::temporary_folder;

namespace {
unsigned mode_of(std::string const& path) {
  struct stat status {};
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}
}  // namespace

BOOST_AUTO_TEST_CASE(content_of_all_pieces) {
  temporary_folder const folder;
  std::string const path = folder / "out";
  std::string expected;
  atomic_file file(path);
  for (std::size_t size : {0u, 1u, 65535u, 1u, 65536u, 65537u, 300000u, 3u}) {  // around the buffer's size
    std::string const piece(size, static_cast<char>('a' + expected.size() % 26));
    expected += piece;
    if (size % 2 == 0) {
      file.write(piece);
    } else {
      file.write(std::as_bytes(std::span(piece)));
    }
  }
  BOOST_TEST(file.size() == expected.size());
  BOOST_TEST(!std::filesystem::exists(path));
  file.commit();
  BOOST_TEST((slurp(path) == expected));
  BOOST_TEST(folder.entries() == 1);
  check_throws<lancet::usage_error>([&] { file.write("more"); }, "written to after commit()");
  check_throws<lancet::usage_error>([&] { file.commit(); }, "committed twice");
}

BOOST_AUTO_TEST_CASE(without_commit_nothing_changes) {
  temporary_folder const folder;
  write_file(folder / "old", "old");
  {
    atomic_file fresh(folder / "new");
    fresh.write("new");
    atomic_file file(folder / "old");
    file.write(std::string(1'000'000, 'x'));
    BOOST_TEST(folder.entries() == 3);
  }
  BOOST_TEST(folder.entries() == 1);
  BOOST_TEST(slurp(folder / "old") == "old");
}

BOOST_AUTO_TEST_CASE(modes) {
  temporary_folder const folder;
  mode_t const before = ::umask(027);
  write_file(folder / "new", "x");
  ::umask(before);
  BOOST_TEST(mode_of(folder / "new") == 0640u);  // not the 0600 of a temporary file
  BOOST_REQUIRE(::chmod((folder / "new").c_str(), 0604) == 0);
  write_file(folder / "new", "y");
  BOOST_TEST(mode_of(folder / "new") == 0604u);
}

BOOST_AUTO_TEST_CASE(links_are_written_through) {
  temporary_folder const folder;
  std::filesystem::create_directory(folder / "elsewhere");
  spill(folder / "elsewhere/target", "old");
  std::filesystem::create_symlink("elsewhere/target", folder / "link");
  write_file(folder / "link", "new");
  BOOST_TEST(std::filesystem::is_symlink(folder / "link"));
  BOOST_TEST(slurp(folder / "elsewhere/target") == "new");
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  write_file(folder / "dangling", "text");
  BOOST_TEST(slurp(folder / "dangling") == "text");
}

BOOST_AUTO_TEST_CASE(places_that_cannot_be_written) {
  temporary_folder const folder;
  check_throws<lancet::file_error>([&] { write_file(folder.path(), "x"); },
                                   "is a directory, cannot write a file there");
  check_throws<lancet::file_error>([&] { write_file(folder / "no/where", "x"); },
                                   "the folder does not exist");
  spill(folder / "file", "x");
  check_throws<lancet::file_error>([&] { write_file(folder / "file/below", "x"); },
                                   "cannot be written: Not a directory");
  BOOST_TEST(folder.entries() == 1);
}

BOOST_AUTO_TEST_CASE(full_disk) {
  // /dev/full takes nothing; and a device is never replaced by a file.
  check_throws<lancet::resource_error>([] { write_file("/dev/full", "x"); },
                                       "/dev/full: cannot write (1 bytes so far): No space left on device");
  check_throws<lancet::resource_error>([] { write_file("/dev/full", std::string(1'000'000, 'x')); },
                                       "No space left on device");
  BOOST_TEST(std::filesystem::is_character_file("/dev/full"));
  write_file("/dev/null", "x");
  BOOST_TEST(std::filesystem::is_character_file("/dev/null"));
}

BOOST_AUTO_TEST_CASE(disk_that_fills_up_half_way) {
  temporary_folder const folder;
  write_file(folder / "result", "old");
  // A limit on file sizes cuts a write short and then fails it, as a disk that fills up does.
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto const handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit const small{.rlim_cur = 100'001, .rlim_max = before.rlim_max};
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  check_throws<lancet::resource_error>([&] { write_file(folder / "result", std::string(1'000'000, 'x')); },
                                       "File too large");
  check_throws<lancet::resource_error>(
      [&] {
        atomic_file file(folder / "result");
        for (int i = 0; i < 100'000; ++i) file.write("a short line\n");
        file.commit();
      },
      "File too large");
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, handler);
  BOOST_TEST(slurp(folder / "result") == "old");
  BOOST_TEST(folder.entries() == 1);
}

BOOST_AUTO_TEST_CASE(free_space) {
  temporary_folder const folder;
  lancet::require_free_space(folder.path(), 1);
  check_throws<lancet::resource_error>([&] { lancet::require_free_space(folder.path(), ~std::uint64_t{0}); },
                                       "needs 18446744073709551615 bytes");
  check_throws<lancet::file_error>([&] { lancet::require_free_space(folder / "absent", 1); },
                                   "cannot ask for free space");
}

BOOST_AUTO_TEST_CASE(killed_while_writing) {
  // A child writes whole files of one letter, again and again, until it is killed. At any moment the file
  // must be whole.
  temporary_folder const folder;
  std::string const path = folder / "result";
  constexpr std::size_t size = 3'000'000;
  write_file(path, std::string(size, 'A'));
  constexpr int trials = 40;
  int replaced = 0, caught = 0;
  for (int trial = 0; trial < trials; ++trial) {
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(60);  // should the test itself die
      for (int i = 0;; ++i) {
        atomic_file file(path);
        for (std::size_t done = 0; done < size; done += 1000)
          file.write(std::string(1000, static_cast<char>('a' + i % 26)));
        file.commit();
      }
    }
    ::usleep(static_cast<useconds_t>(1000 + trial * 1700 % 20000));
    ::kill(child, SIGKILL);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_REQUIRE(WIFSIGNALED(status));
    std::string const text = slurp(path);
    BOOST_REQUIRE(text.size() == size);
    BOOST_REQUIRE(text.find_first_not_of(text[0]) == std::string::npos);
    replaced += text[0] != 'A' ? 1 : 0;
    caught += folder.entries() > 1 ? 1 : 0;  // it left its temporary file: the kill came in the middle
    for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path().extension() == ".tmp") std::filesystem::remove(entry.path());
    }
  }
  BOOST_TEST_MESSAGE(trials << " kills, " << caught << " in the middle of a file, " << replaced
                            << " after a first one");
  BOOST_TEST(caught > 0);
}

BOOST_AUTO_TEST_CASE(two_writers_of_one_file) {
  temporary_folder const folder;
  std::string const path = folder / "result";
  auto const writer = [&](char letter) {
    for (int i = 0; i < 50; ++i) write_file(path, std::string(200'000, letter));
  };
  std::thread other(writer, 'b');
  writer('a');
  other.join();
  std::string const text = slurp(path);
  BOOST_TEST(text.size() == 200'000u);
  BOOST_TEST(text.find_first_not_of(text[0]) == std::string::npos);
  BOOST_TEST(folder.entries() == 1);
}
