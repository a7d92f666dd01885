// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE atomic_folder
#include "lancet/io/atomic_folder.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using lancet::verify_manifest;
using lancet::write_file;
using lancet::write_folder_atomically;
using lancet_test::check_throws;
using lancet_test::slurp;
using lancet_test::spill;
using lancet_test::temporary_folder;

namespace {
void write_checkpoint(std::string const& path, std::string const& state) {
  write_folder_atomically(path, [&](std::string const& folder) {
    write_file(folder + "/weights", state + state);
    spill(folder + "/state", state);  // any writer will do
  });
}
}  // namespace

BOOST_AUTO_TEST_CASE(files_and_manifest) {
  temporary_folder const folder;
  write_checkpoint(folder / "step-1", "abc");
  BOOST_TEST(folder.entries() == 1);
  auto const files = verify_manifest(folder / "step-1");
  BOOST_REQUIRE(files.size() == 2u);
  BOOST_TEST(files[0].name == "state");
  BOOST_TEST(files[0].bytes == 3u);
  BOOST_TEST(files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(files[1].name == "weights");
  BOOST_TEST(slurp(folder / "step-1/weights") == "abcabc");
}

BOOST_AUTO_TEST_CASE(replacing) {
  temporary_folder const folder;
  write_checkpoint(folder / "last", "one");
  write_checkpoint((folder / "last") + "/", "two");
  BOOST_TEST(folder.entries() == 1);
  BOOST_TEST(slurp(folder / "last/state") == "two");
  (void)verify_manifest(folder / "last");
}

BOOST_AUTO_TEST_CASE(foreign_folders_stay) {
  temporary_folder const folder;
  std::filesystem::create_directory(folder / "mine");
  spill(folder / "mine/thesis", "text");
  check_throws<lancet::usage_error>([&] { write_checkpoint(folder / "mine", "x"); },
                                    "exists and has no manifest.json");
  BOOST_TEST(slurp(folder / "mine/thesis") == "text");
  BOOST_TEST(folder.entries() == 1);
  check_throws<lancet::file_error>([&] { write_checkpoint(folder / "no/where", "x"); },
                                   "cannot be made: No such file");
  check_throws<lancet::file_error>([&] { (void)verify_manifest(folder / "mine"); },
                                   "manifest.json: no such file");
}

BOOST_AUTO_TEST_CASE(a_failed_writer_leaves_nothing) {
  temporary_folder const folder;
  write_checkpoint(folder / "last", "one");
  BOOST_CHECK_THROW(write_folder_atomically(folder / "last",
                                            [](std::string const& inside) {
                                              write_file(inside + "/state", "two");
                                              throw std::runtime_error("interrupted");
                                            }),
                    std::runtime_error);
  BOOST_TEST(folder.entries() == 1);
  BOOST_TEST(slurp(folder / "last/state") == "one");
}

BOOST_AUTO_TEST_CASE(only_plain_files) {
  temporary_folder const folder;
  auto const attempt = [&](auto fill) { write_folder_atomically(folder / "out", fill); };
  check_throws<lancet::usage_error>(
      [&] { attempt([](std::string const& f) { std::filesystem::create_directory(f + "/sub"); }); },
      "got 'sub' in it");
  check_throws<lancet::usage_error>(
      [&] {
        attempt([](std::string const& f) { std::filesystem::create_symlink("/etc/passwd", f + "/link"); });
      },
      "got 'link' in it");
  check_throws<lancet::usage_error>(
      [&] { attempt([](std::string const& f) { write_file(f + "/manifest.json", "{}"); }); },
      "expected plain files besides manifest.json");
  check_throws<lancet::usage_error>(
      [&] { attempt([](std::string const& f) { write_file(f + "/.hidden", "x"); }); }, "got '.hidden' in it");
  BOOST_TEST(folder.entries() == 0);
}

BOOST_AUTO_TEST_CASE(damage_is_found) {
  temporary_folder const folder;
  std::string const path = folder / "step";
  write_checkpoint(path, "abc");
  spill(path + "/state", "abd");
  check_throws<lancet::file_error>([&] { (void)verify_manifest(path); }, "state: is damaged: SHA-256 ");
  spill(path + "/state", "ab");
  check_throws<lancet::file_error>([&] { (void)verify_manifest(path); },
                                   "state: got 2 bytes, the manifest says 3");
  std::filesystem::remove(path + "/state");
  check_throws<lancet::file_error>([&] { (void)verify_manifest(path); }, "state: no such file");
  auto const manifest = [&](std::string const& text) {
    spill(path + "/manifest.json", text);
    (void)verify_manifest(path);
  };
  check_throws<lancet::file_error>([&] { manifest(R"({"format": "lancet.manifest", "version": 1, "fil)"); },
                                   "not valid JSON");
  check_throws<lancet::file_error>([&] { manifest(R"({"format": "lancet.effects", "version": 1})"); },
                                   "format: got 'lancet.effects', expected 'lancet.manifest'");
  check_throws<lancet::file_error>([&] { manifest(R"({"format": "lancet.manifest", "version": 2})"); },
                                   "version: got 2, this lancet reads 1 to 1");
  check_throws<lancet::file_error>(
      [&] { manifest(R"({"format": "lancet.manifest", "version": 1, "files": 3})"); },
      "files: got 3, expected a list");
  for (std::string const name : {"../secret", "/etc/passwd", "", ".", "a\\u0000b", "..\\\\x"}) {
    check_throws<lancet::file_error>(
        [&] {
          manifest(R"({"format": "lancet.manifest", "version": 1, "files": [{"name": ")" + name +
                   R"(", "bytes": 1, "sha256": ""}]})");
        },
        "files[0]: name: got '");
  }
}

BOOST_AUTO_TEST_CASE(killed_while_writing) {
  temporary_folder const folder;
  std::string const path = folder / "last";
  write_checkpoint(path, std::string(100'000, 'A'));
  int caught = 0;
  for (int trial = 0; trial < 30; ++trial) {
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(60);  // should the test itself die
      for (int i = 0;; ++i) write_checkpoint(path, std::string(100'000, static_cast<char>('a' + i % 26)));
    }
    ::usleep(static_cast<useconds_t>(1000 + trial * 1700 % 20000));
    ::kill(child, SIGKILL);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_REQUIRE(WIFSIGNALED(status));
    BOOST_REQUIRE(verify_manifest(path).size() == 2u);
    caught += std::filesystem::exists(path + ".tmp") ? 1 : 0;
  }
  BOOST_TEST(caught > 0);
  write_checkpoint(path, "after");  // what was left behind is no obstacle
  BOOST_TEST(folder.entries() == 1);
  BOOST_TEST(slurp(path + "/state") == "after");
}

BOOST_AUTO_TEST_CASE(two_processes_at_once) {
  temporary_folder const folder;
  std::string const path = folder / "last";
  int to_child[2], to_parent[2];
  BOOST_REQUIRE(::pipe(to_child) == 0);
  BOOST_REQUIRE(::pipe(to_parent) == 0);
  char byte = 'x';
  pid_t const child = ::fork();
  if (child == 0) {
    write_folder_atomically(path, [&](std::string const& inside) {
      write_file(inside + "/state", "child");
      (void)!::write(to_parent[1], &byte, 1);
      (void)!::read(to_child[0], &byte, 1);
    });
    ::_exit(0);
  }
  BOOST_REQUIRE(::read(to_parent[0], &byte, 1) == 1);
  check_throws<lancet::usage_error>([&] { write_checkpoint(path, "parent"); },
                                    "another process is writing it");
  BOOST_REQUIRE(::write(to_child[1], &byte, 1) == 1);
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(WEXITSTATUS(status) == 0);
  BOOST_TEST(slurp(path + "/state") == "child");
  for (int const fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(fd);
}
