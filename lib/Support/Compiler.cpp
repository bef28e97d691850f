//===- Compiler.cpp - the nxdt-opt beside this program -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/UserError.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nxdt {
namespace {

namespace fs = std::filesystem;

/// As a shell says it.
constexpr int kCannotStart = 127;

fs::path compilerBesideThis() {
  std::error_code error;
  fs::path self = fs::read_symlink("/proc/self/exe", error);
  fs::path compiler = self.parent_path() / "nxdt-opt";
  if (error || !fs::exists(compiler, error))
    throw UserError(compiler.string() +
                    ": not found; it compiles the configuration (a plan "
                    "compiled elsewhere runs without it: nxdt-run --plan DIR)");
  return compiler;
}

/// A child that ends with this process: one that nobody waits for any more must
/// not go on compiling.
pid_t spawn(const std::vector<std::string> &arguments) {
  std::vector<char *> argv;
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0)
    throw UserError(arguments[0] +
                    ": cannot be started: " + std::strerror(errno));
  if (child > 0)
    return child;
  // Between fork and exec: system calls only.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent)
    execv(argv[0], argv.data());
  _exit(kCannotStart);
}

void runAndWait(const std::vector<std::string> &arguments) {
  pid_t child = spawn(arguments);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw UserError(arguments[0] +
                      ": cannot be waited for: " + std::strerror(errno));
  if (WIFSIGNALED(status))
    throw UserError(arguments[0] + ": ended by signal " +
                    std::to_string(WTERMSIG(status)) + " (" +
                    strsignal(WTERMSIG(status)) + ")");
  if (WEXITSTATUS(status) == kCannotStart)
    throw UserError(arguments[0] + ": cannot be started");
  if (WEXITSTATUS(status) != 0)
    throw CompileFailed();
}

} // namespace

void runCompiler(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), compilerBesideThis().string());
  runAndWait(arguments);
}

} // namespace nxdt
