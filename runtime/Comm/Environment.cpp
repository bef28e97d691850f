//===- Environment.cpp - rank, world size and address of this process -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Environment.h"

#include "nxdt/Support/UserError.h"

#include <vector>

extern char **environ;

namespace nxdt::comm {

namespace {

/// Reads numbers of one launcher and says what is wrong in one sentence.
class Reader {
public:
  Reader(const EnvironmentMap &env, std::string launcher)
      : env(env), launcher(std::move(launcher)) {}

  bool has(const std::string &name) const {
    auto it = env.find(name);
    return it != env.end() && !it->second.empty();
  }

  std::string text(const std::string &name) const {
    return has(name) ? env.at(name) : "";
  }

  int64_t number(const std::string &name, int64_t low, int64_t high) const {
    if (!has(name))
      throw UserError(launcher + " sets " + name + ", but it is missing" +
                      seen());
    const std::string &value = env.at(name);
    if (value.size() > 9 ||
        value.find_first_not_of("0123456789") != std::string::npos)
      throw UserError(name + "='" + value + "' (" + launcher +
                      ") is not a number");
    int64_t result = std::stoll(value);
    if (result < low || result > high)
      throw UserError(name + "=" + value + " (" + launcher +
                      ") is not between " + std::to_string(low) + " and " +
                      std::to_string(high));
    return result;
  }

  int64_t number(const std::string &name, int64_t low, int64_t high,
                 int64_t otherwise) const {
    return has(name) ? number(name, low, high) : otherwise;
  }

  void note(const std::string &name) { names.push_back(name); }
  bool hasAny() const {
    for (const std::string &name : names)
      if (has(name))
        return true;
    return false;
  }

private:
  std::string seen() const {
    std::string result;
    for (const std::string &name : names)
      if (has(name))
        result +=
            (result.empty() ? " (given: " : ", ") + name + "=" + env.at(name);
    return result.empty() ? "" : result + ")";
  }

  const EnvironmentMap &env;
  std::string launcher;
  std::vector<std::string> names;
};

constexpr int64_t kMaxRanks = 1000000;

void checkCounts(const ProcessEnvironment &p) {
  auto fail = [&](const std::string &what) {
    throw UserError(p.launcher + "'s variables contradict each other: " + what);
  };
  auto str = [](int64_t n) { return std::to_string(n); };
  if (p.rank >= p.worldSize)
    fail("rank " + str(p.rank) + " of a world of " + str(p.worldSize) +
         " (ranks are 0 to " + str(p.worldSize - 1) + ")");
  if (p.localRank >= p.localSize)
    fail("local rank " + str(p.localRank) + " of " + str(p.localSize) +
         " processes on this host");
  if (p.localSize > p.worldSize)
    fail(str(p.localSize) + " processes on this host of a world of " +
         str(p.worldSize));
  if (p.localRank > p.rank)
    fail("local rank " + str(p.localRank) + " is above rank " + str(p.rank));
}

int64_t nodesOf(const ProcessEnvironment &p) {
  return p.worldSize % p.localSize == 0 ? p.worldSize / p.localSize : 0;
}

/// Ports of jobs of one user on one host should differ; any rule that all ranks
/// can compute does.
int64_t portOfJob(const std::string &job) {
  uint32_t hash = 2166136261u;
  for (char c : job)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return 20000 + hash % 10000;
}

/// Address and port for launchers that do not give them.
void setMaster(Reader &reader, ProcessEnvironment &p,
               const std::string &firstHost, const std::string &job) {
  p.masterPort =
      reader.number("MASTER_PORT", 1, 65535, portOfJob(p.launcher + job));
  if (reader.has("MASTER_ADDR")) {
    p.masterAddress = reader.text("MASTER_ADDR");
    return;
  }
  if (p.localSize == p.worldSize) {
    p.masterAddress = "127.0.0.1";
    return;
  }
  if (firstHost.empty())
    throw UserError(p.launcher + " runs this over several hosts and does not "
                                 "say where rank 0 is: set MASTER_ADDR (a name "
                                 "or address of rank 0's host) for all ranks");
  p.masterAddress = firstHost;
}

ProcessEnvironment readTorchrun(Reader &reader) {
  ProcessEnvironment p;
  p.launcher = "torchrun";
  p.worldSize = reader.number("WORLD_SIZE", 1, kMaxRanks);
  p.rank = reader.number("RANK", 0, kMaxRanks);
  p.localRank = reader.number("LOCAL_RANK", 0, kMaxRanks);
  if (!reader.has("MASTER_ADDR"))
    throw UserError("torchrun sets MASTER_ADDR, but it is missing (RANK=" +
                    reader.text("RANK") +
                    "): set it to a name or address of rank 0's host");
  p.masterAddress = reader.text("MASTER_ADDR");
  p.masterPort = reader.number("MASTER_PORT", 1, 65535);
  p.localSize = reader.number("LOCAL_WORLD_SIZE", 1, kMaxRanks, 0);
  if (p.localSize == 0) {
    // Not every imitation of torchrun sets it; one host is the common case.
    p.localSize = p.localRank == p.rank ? p.worldSize : p.localRank + 1;
    p.nodes = p.localRank == p.rank ? 1 : 0;
  } else {
    p.nodes = nodesOf(p);
  }
  p.agentServesStore = reader.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  if (reader.has("TORCHELASTIC_RESTART_COUNT"))
    p.storePrefix += "/" + reader.text("TORCHELASTIC_RESTART_COUNT");
  return p;
}

ProcessEnvironment readOpenMpi(Reader &reader) {
  ProcessEnvironment p;
  p.launcher = "Open MPI";
  p.worldSize = reader.number("OMPI_COMM_WORLD_SIZE", 1, kMaxRanks);
  p.rank = reader.number("OMPI_COMM_WORLD_RANK", 0, kMaxRanks);
  p.localRank = reader.number("OMPI_COMM_WORLD_LOCAL_RANK", 0, kMaxRanks);
  p.localSize = reader.number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, kMaxRanks);
  p.nodes = nodesOf(p);
  std::string job = reader.text("PMIX_NAMESPACE");
  setMaster(reader, p, "",
            job.empty() ? reader.text("OMPI_MCA_ess_base_jobid") : job);
  return p;
}

/// "4", "2(x3)", "2(x3),1": tasks per node; the number of one kind or 0.
int64_t slurmTasksPerNode(const std::string &text) {
  size_t end = text.find_first_not_of("0123456789");
  if (text.empty() || end == 0 || text.size() > 32 ||
      text.find(',') != std::string::npos)
    return 0;
  return std::stoll(text.substr(0, end));
}

ProcessEnvironment readSlurm(Reader &reader) {
  ProcessEnvironment p;
  p.launcher = "Slurm";
  std::string sizeName = reader.has("SLURM_STEP_NUM_TASKS")
                             ? "SLURM_STEP_NUM_TASKS"
                             : "SLURM_NTASKS";
  p.worldSize = reader.number(sizeName, 1, kMaxRanks);
  p.rank = reader.number("SLURM_PROCID", 0, kMaxRanks);
  p.localRank = reader.number("SLURM_LOCALID", 0, kMaxRanks);
  p.nodes =
      reader.number(reader.has("SLURM_STEP_NUM_NODES") ? "SLURM_STEP_NUM_NODES"
                                                       : "SLURM_NNODES",
                    1, kMaxRanks, p.worldSize == 1 ? 1 : 0);
  int64_t perNode = slurmTasksPerNode(reader.text(
      reader.has("SLURM_STEP_TASKS_PER_NODE") ? "SLURM_STEP_TASKS_PER_NODE"
                                              : "SLURM_TASKS_PER_NODE"));
  if (p.nodes == 1)
    perNode = p.worldSize;
  if (p.nodes > p.worldSize)
    throw UserError(
        "Slurm's variables contradict each other: " + std::to_string(p.nodes) +
        " nodes for " + std::to_string(p.worldSize) + " tasks");
  p.localSize = perNode ? perNode : p.localRank + 1;
  std::string list =
      reader.text(reader.has("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST"
                                                    : "SLURM_NODELIST");
  setMaster(reader, p, list.empty() ? "" : firstSlurmHost(list),
            reader.text("SLURM_JOB_ID") + "." + reader.text("SLURM_STEP_ID"));
  return p;
}

ProcessEnvironment readPmi(Reader &reader) {
  ProcessEnvironment p;
  p.launcher = "PMI";
  p.worldSize = reader.number("PMI_SIZE", 1, kMaxRanks);
  p.rank = reader.number("PMI_RANK", 0, kMaxRanks);
  bool hasLocal = reader.has("MPI_LOCALRANKID");
  if (hasLocal) {
    p.localRank = reader.number("MPI_LOCALRANKID", 0, kMaxRanks);
    p.localSize = reader.number("MPI_LOCALNRANKS", 1, kMaxRanks);
    p.nodes = nodesOf(p);
  } else {
    // Without it nobody says whether there are other hosts.
    if (p.worldSize > 1 && !reader.has("MASTER_ADDR"))
      throw UserError(
          "PMI gives PMI_RANK and PMI_SIZE=" + std::to_string(p.worldSize) +
          " but neither MPI_LOCALRANKID nor MASTER_ADDR: set "
          "MASTER_ADDR (127.0.0.1 on a single host) for all ranks");
    p.localRank = p.rank;
    p.localSize = p.worldSize;
    p.nodes = p.worldSize == 1 ? 1 : 0;
  }
  setMaster(reader, p, "", reader.text("PMI_ID"));
  return p;
}

} // namespace

std::string firstSlurmHost(const std::string &nodeList) {
  // Up to the first comma outside brackets.
  size_t depth = 0, end = 0;
  for (; end < nodeList.size(); ++end) {
    if (nodeList[end] == '[')
      ++depth;
    else if (nodeList[end] == ']' && depth > 0)
      --depth;
    else if (nodeList[end] == ',' && depth == 0)
      break;
  }
  std::string host;
  for (size_t i = 0; i < end; ++i) {
    if (nodeList[i] != '[') {
      host += nodeList[i];
      continue;
    }
    size_t close = nodeList.find(']', i);
    if (close == std::string::npos || close > end)
      throw UserError("Slurm's node list '" + nodeList +
                      "' has a '[' without ']'");
    for (++i; i < close && nodeList[i] != '-' && nodeList[i] != ','; ++i)
      host += nodeList[i];
    i = close;
  }
  if (host.empty())
    throw UserError("Slurm's node list '" + nodeList + "' names no host");
  return host;
}

ProcessEnvironment readProcessEnvironment(const EnvironmentMap &env) {
  Reader torchrun(env, "torchrun");
  // MASTER_* alone launch nothing: users set them for the other launchers.
  for (const char *name : {"RANK", "WORLD_SIZE", "LOCAL_RANK"})
    torchrun.note(name);
  Reader openMpi(env, "Open MPI");
  for (const char *name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                           "OMPI_COMM_WORLD_LOCAL_RANK"})
    openMpi.note(name);
  Reader slurm(env, "Slurm");
  for (const char *name : {"SLURM_PROCID", "SLURM_LOCALID"})
    slurm.note(name);
  Reader pmi(env, "PMI");
  for (const char *name : {"PMI_RANK", "PMI_SIZE"})
    pmi.note(name);

  ProcessEnvironment result;
  if (torchrun.hasAny())
    result = readTorchrun(torchrun);
  else if (openMpi.hasAny())
    result = readOpenMpi(openMpi);
  else if (slurm.has("SLURM_STEP_ID") && slurm.hasAny())
    result = readSlurm(slurm);
  else if (pmi.hasAny())
    result = readPmi(pmi);
  else
    return result;
  checkCounts(result);
  return result;
}

EnvironmentMap currentEnvironment() {
  EnvironmentMap result;
  for (char **entry = environ; *entry; ++entry) {
    std::string text = *entry;
    size_t equals = text.find('=');
    if (equals != std::string::npos)
      result[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return result;
}

} // namespace nxdt::comm
