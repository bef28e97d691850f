//===- Main.cpp - nxdt-run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Trains what a YAML file or a plan describes. Links neither MLIR nor LLVM.
//
//===----------------------------------------------------------------------===//
#include "Compile.h"
#include "Options.h"
#include "Rank.h"
#include "Simulate.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Calibrate/Calibrate.h"
#include "runtime/Comm/Failure.h"

#include "c10/util/Exception.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace nxdt;

/// The OpenMP library spins for milliseconds at the end of each parallel region
/// unless told not to, and then a machine shared with anything else is a
/// hundred times slower (each barrier waits for a thread that is not on a
/// core). It reads its variables before main: set them and start again, once.
/// What the user has set counts.
static void sleepAtBarriers(char **argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT"))
    return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);
  // Not possible (no /proc): run as we are.
}

static int runNxdt(int argc, char **argv) {
  run::Options options = run::parseOptions({argv + 1, argv + argc});
  if (options.action == run::Options::Action::Help) {
    std::fputs(run::usage(), stdout);
    return 0;
  }
  if (options.action == run::Options::Action::HelpConfig) {
    std::fputs(helpConfig(options.configSection).c_str(), stdout);
    return 0;
  }
  sleepAtBarriers(argv);
  if (options.action == run::Options::Action::Simulate)
    return run::simulateStrategy(options);
  comm::ProcessEnvironment process =
      comm::readProcessEnvironment(comm::currentEnvironment());
  if (options.action == run::Options::Action::Calibrate) {
    if (!process.isLaunched())
      return run::launch(runtime::calibrationRanks(), {argv, argv + argc});
    return run::calibrateRank(options, process);
  }
  if (!process.isLaunched())
    if (int64_t ranks = run::localRanks(options); ranks > 1)
      return run::launch(ranks, {argv, argv + argc});
  return run::trainRank(options, process);
}

int main(int argc, char **argv) {
  auto fail = [](const char *message) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", message);
    return 1;
  };
  try {
    return runNxdt(argc, argv);
  } catch (const CompileFailed &) {
    return 1;
  } catch (const UserError &e) {
    return fail(e.what());
  } catch (const comm::CommError &e) {
    fail(e.what());
    return comm::kPeerFailureExitCode;
  } catch (const c10::Error &e) {
    return fail(e.what_without_backtrace());
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}
