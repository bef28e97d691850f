//===- Rank.cpp - one process of a run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Rank.h"
#include "Compile.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Calibrate/Calibrate.h"
#include "runtime/Comm/ExitCodes.h"
#include "runtime/Comm/Launcher.h"
#include "runtime/Comm/World.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Train/Trainer.h"

#include "c10/util/Exception.h"

#include <cstdio>
#include <fstream>
#include <unistd.h>

namespace nxdt::run {
namespace {

RunConfig configOf(const Options &options) {
  if (options.config.empty())
    return runtime::openPlanFolder(options.planFolder, options.overrides)
        .config;
  LoadOptions load;
  load.path = options.config;
  load.overrides = options.overrides;
  load.forExecution = true;
  return loadRunConfig(load).run;
}

/// Rank 0 compiles or opens the plan; the others get its bytes, and read the
/// configuration beside it.
runtime::PlanFolder openFolder(const Options &options, comm::World &world) {
  std::string dir = options.planFolder;
  bool compiles = !options.config.empty();
  if (compiles && world.rank() == 0) {
    comm::PhaseScope compiling(world.status(), comm::Phase::Compiling);
    dir = compile(options);
  }
  dir = world.broadcastBytes(dir, "the plan's folder");
  // nxdt-opt has told the notices, and the overrides are in the folder's
  // configuration.
  std::vector<std::string> overrides =
      compiles ? std::vector<std::string>() : options.overrides;
  comm::PhaseScope loading(world.status(), comm::Phase::Loading);
  runtime::PlanFolder folder;
  if (world.rank() == 0)
    folder = runtime::openPlanFolder(dir, overrides);
  std::string text = world.broadcastBytes(folder.planText, "the plan");
  if (world.rank() != 0)
    folder = runtime::openPlanFolder(dir, overrides, text);
  world.compareFingerprint(comm::hashText(text + folder.config.resolvedJson),
                           "plan and configuration");
  if (!compiles && world.rank() == 0)
    for (const std::string &notice : folder.notices)
      std::fprintf(stderr, "note: %s\n", notice.c_str());
  return folder;
}

/// The processes that a launcher has started must be those of the
/// configuration.
void checkProcesses(const RunConfig &config,
                    const comm::ProcessEnvironment &process) {
  int64_t devices = config.trainer.devices;
  int64_t nodes = config.trainer.numNodes;
  std::string wanted =
      "trainer.devices * trainer.num_nodes = " + std::to_string(devices) +
      " * " + std::to_string(nodes) + " = " + std::to_string(devices * nodes);
  if (process.worldSize != devices * nodes)
    throw UserError(process.launcher + " has started " +
                    std::to_string(process.worldSize) +
                    (process.worldSize == 1 ? " process" : " processes") +
                    ", but " + wanted);
  if (process.localSize != devices)
    throw UserError(process.launcher + " has started " +
                    std::to_string(process.localSize) +
                    " of the processes on this host, but trainer.devices = " +
                    std::to_string(devices) + " (" + wanted + ")");
}

int trainIn(comm::World &world, const Options &options,
            const comm::ProcessEnvironment &process) {
  runtime::PlanFolder folder = openFolder(options, world);
  if (process.isLaunched())
    checkProcesses(folder.config, process);
  world.createGroups(plan::meshOf(folder.plan()),
                     runtime::groupSpecs(folder.family),
                     runtime::channelSpecs(folder.family));
  int code =
      runtime::train(std::move(folder), stdout, {&world, process.localSize},
                     {options.trace, options.traceStep});
  world.finish();
  return code;
}

} // namespace

int64_t localRanks(const Options &options) {
  RunConfig config = configOf(options);
  if (config.trainer.numNodes > 1)
    throw UserError(
        "trainer.num_nodes = " + std::to_string(config.trainer.numNodes) +
        ": start nxdt-run on every node by torchrun, mpirun or srun; none of "
        "their variables (RANK and WORLD_SIZE, OMPI_COMM_WORLD_RANK, "
        "SLURM_PROCID) is set");
  return config.trainer.devices;
}

int launch(int64_t ranks, const std::vector<std::string> &arguments) {
  comm::LaunchOptions options;
  options.ranks = ranks;
  options.arguments = arguments;
  return comm::launchRanks(options);
}

int trainRank(const Options &options, const comm::ProcessEnvironment &process) {
  std::unique_ptr<comm::World> world = comm::World::create(
      process, comm::worldOptions(comm::currentEnvironment()));
  if (world->size() == 1)
    return trainIn(*world, options, process);
  try {
    return trainIn(*world, options, process);
  } catch (const CompileFailed &) {
    // It has said why; all others end, and nobody adds to it.
    world->fail("the configuration was not compiled");
    std::fflush(nullptr);
    _exit(comm::kPeerFailureExitCode);
  } catch (const c10::Error &e) {
    world->abort(std::runtime_error(e.what_without_backtrace()));
  } catch (const std::exception &e) {
    world->abort(e);
  }
}

int calibrateRank(const Options &options,
                  const comm::ProcessEnvironment &process) {
  std::unique_ptr<comm::World> world = comm::World::create(
      process, comm::worldOptions(comm::currentEnvironment()));
  plan::Mesh mesh = plan::Mesh::nxd(1, world->size(), 1, 1);
  world->createGroups(mesh, {"dp", runtime::worldSpec(mesh)}, {});
  std::string text = runtime::calibrate(*world, comm::availableCores());
  if (world->rank() == 0) {
    std::ofstream file(options.calibration);
    file << text;
    file.close();
    if (!file)
      world->abort(
          UserError("--calibrate: cannot write " + options.calibration));
  }
  world->finish();
  return 0;
}

} // namespace nxdt::run
