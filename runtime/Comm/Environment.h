//===- Environment.h - rank, world size and address of this process -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_ENVIRONMENT_H
#define NXDT_RUNTIME_COMM_ENVIRONMENT_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace nxdt::comm {

using EnvironmentMap = std::map<std::string, std::string>;

/// What a launcher tells a process. Read once at the start.
struct ProcessEnvironment {
  int64_t rank = 0;
  int64_t worldSize = 1;
  /// Index among the processes of this host, and their number.
  int64_t localRank = 0;
  int64_t localSize = 1;
  /// Hosts, where every host has equally many processes; else 0 (unknown).
  int64_t nodes = 1;
  std::string masterAddress = "127.0.0.1";
  /// 0 only for a world of one process that nobody launched.
  int64_t masterPort = 0;
  /// "none", "torchrun", "Open MPI", "Slurm" or "PMI".
  std::string launcher = "none";
  /// torchrun's agent serves the store itself; rank 0 must not.
  bool agentServesStore = false;
  /// Keys of one attempt must not meet those of the one before (torchrun
  /// restarts workers against the same store).
  std::string storePrefix = "nxdt";

  bool isLaunched() const { return launcher != "none"; }
};

/// The launchers' variables, in this order of precedence: torchrun (RANK,
/// WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), Open MPI
/// (OMPI_COMM_WORLD_*), Slurm (SLURM_*), PMI (PMI_RANK, PMI_SIZE). For the last
/// three, MASTER_ADDR and MASTER_PORT win where given; else the address is this
/// host (all ranks local), or the first host of SLURM_STEP_NODELIST, and the
/// port is made from the job's id. A part of a launcher's variables, or numbers
/// that contradict each other, throw one UserError that names the variables.
/// An `srun`-less Slurm allocation (no SLURM_STEP_ID) is not a launch.
ProcessEnvironment readProcessEnvironment(const EnvironmentMap &env);
/// Of this process.
EnvironmentMap currentEnvironment();

/// First host of a Slurm list: "a[07-09,12]-x,b" -> "a07-x".
std::string firstSlurmHost(const std::string &nodeList);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_ENVIRONMENT_H
