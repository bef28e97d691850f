//===- Compile.cpp - runs the nxdt-opt beside this program -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compile.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nxdt::run {
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

/// A value in Hydra's single quotes.
std::string hydraQuoted(const std::string &text) {
  std::string out = "'";
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'')
      out += '\\';
    out += text[i];
  }
  return out + "'";
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

std::string compile(const Options &options) {
  fs::path compiler = compilerBesideThis();
  LoadOptions load;
  load.path = options.config;
  load.overrides = options.overrides;
  load.forExecution = true;
  std::string logDir = loadRunConfig(load).run.expManager.logDir;
  std::string folder = (fs::path(logDir) / "plan").string();
  std::vector<std::string> arguments = {compiler.string(), options.config};
  arguments.insert(arguments.end(), options.overrides.begin(),
                   options.overrides.end());
  // A log folder named by the time of day must be the same one for both.
  arguments.push_back("++exp_manager.explicit_log_dir=" + hydraQuoted(logDir));
  arguments.push_back("--emit=plan");
  arguments.push_back("-o");
  arguments.push_back(folder);
  runAndWait(arguments);
  return folder;
}

} // namespace nxdt::run
