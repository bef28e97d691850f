//===- Processes.cpp - runs this test binary as ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Processes.h"

#include "RankPrograms.h"
#include "runtime/Comm/Environment.h"
#include "runtime/Comm/Launcher.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nxdt::comm::test {

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

std::string newMark() {
  static int count = 0;
  return std::to_string(getpid()) + "-" + std::to_string(++count);
}

/// Processes (zombies left out) whose environment holds the mark.
std::vector<pid_t> marked(const std::string &mark) {
  std::vector<pid_t> result;
  DIR *dir = opendir("/proc");
  while (dirent *entry = dir ? readdir(dir) : nullptr) {
    pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0)
      continue;
    std::string base = std::string("/proc/") + entry->d_name;
    std::ifstream file(base + "/environ", std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    // An empty environ is a zombie or not ours.
    if (text.find("NXDT_TEST_MARK=" + mark + '\0') != std::string::npos)
      result.push_back(pid);
  }
  if (dir)
    closedir(dir);
  return result;
}

struct Process {
  pid_t pid = -1;
  int pipe = -1;
  bool ended = false;
  int exitCode = -1;
  std::string output;
  double ended_s = 0;
};

Process spawn(const std::map<std::string, std::string> &extra) {
  EnvironmentMap env = currentEnvironment();
  for (const auto &[name, value] : extra)
    env[name] = value;
  std::vector<std::string> strings;
  for (const auto &[name, value] : env)
    strings.push_back(name + "=" + value);
  std::vector<char *> envp;
  for (std::string &s : strings)
    envp.push_back(s.data());
  envp.push_back(nullptr);
  char arg0[] = "nxdt_comm_process_tests";
  char *argv[] = {arg0, nullptr};
  Process process;
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0)
    std::abort();
  process.pid = fork();
  if (process.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipes[1], STDOUT_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    execve("/proc/self/exe", argv, envp.data());
    _exit(127);
  }
  close(pipes[1]);
  fcntl(pipes[0], F_SETFL, O_NONBLOCK);
  process.pipe = pipes[0];
  return process;
}

void readOutput(Process &process) {
  char buffer[8192];
  ssize_t n;
  while ((n = read(process.pipe, buffer, sizeof(buffer))) > 0)
    process.output.append(buffer, static_cast<size_t>(n));
}

/// Reads and reaps; false when all but `ignored` have ended.
bool step(std::vector<Process> &processes, Clock::time_point begin,
          int64_t ignored) {
  bool running = false;
  for (size_t i = 0; i < processes.size(); ++i) {
    Process &p = processes[i];
    readOutput(p);
    if (p.ended)
      continue;
    int status = 0;
    if (waitpid(p.pid, &status, WNOHANG) == p.pid) {
      readOutput(p);
      p.ended = true;
      p.ended_s = since(begin);
      p.exitCode =
          WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    } else if (static_cast<int64_t>(i) != ignored) {
      running = true;
    }
  }
  usleep(5000);
  return running;
}

/// Ranks print "pid R P" first and "ready R" when the action may come.
bool allReady(const std::vector<Process> &processes, int64_t ranks,
              std::map<int64_t, pid_t> &pids) {
  int64_t ready = 0;
  for (const Process &p : processes) {
    std::istringstream in(p.output);
    std::string line;
    while (std::getline(in, line)) {
      size_t at = line.find("pid ");
      int64_t rank = 0, pid = 0;
      if (at != std::string::npos &&
          std::sscanf(line.c_str() + at, "pid %ld %ld", &rank, &pid) == 2)
        pids[rank] = static_cast<pid_t>(pid);
      ready += line.find("ready ") != std::string::npos;
    }
  }
  return ready >= ranks;
}

/// Drives processes to their end; returns when the action ended.
Clock::time_point drive(std::vector<Process> &processes, int64_t ranks,
                        const std::function<void(RunningRanks &)> &action,
                        int64_t ignored, double limit_s,
                        Clock::time_point begin) {
  Clock::time_point acted = begin;
  bool done = !action;
  while (step(processes, begin, ignored)) {
    RunningRanks running;
    if (!done && allReady(processes, ranks, running.pids)) {
      running.launcher = processes[0].pid;
      action(running);
      acted = Clock::now();
      done = true;
    }
    if (since(begin) > limit_s)
      break;
  }
  return acted;
}

void endAll(std::vector<Process> &processes) {
  for (Process &p : processes) {
    if (!p.ended) {
      kill(p.pid, SIGKILL);
      waitpid(p.pid, nullptr, 0);
    }
    readOutput(p);
    close(p.pipe);
  }
}

} // namespace

RunResult runRanks(const std::string &program, int64_t ranks,
                   const std::map<std::string, std::string> &environment,
                   const std::function<void(RunningRanks &)> &action,
                   double limit_s) {
  std::string mark = newMark();
  std::map<std::string, std::string> env = environment;
  env["NXDT_TEST_MARK"] = mark;
  env["NXDT_TEST_PROGRAM"] = program;
  env["NXDT_TEST_LAUNCH"] = std::to_string(ranks);
  Clock::time_point begin = Clock::now();
  std::vector<Process> processes{spawn(env)};
  Clock::time_point acted = drive(processes, ranks, action, -1, limit_s, begin);
  RunResult result;
  result.seconds = since(begin);
  result.afterAction_s = since(acted);
  Clock::time_point ended = Clock::now();
  endAll(processes);
  result.exitCode = processes[0].exitCode;
  while (since(ended) < 1.0 && !marked(mark).empty())
    usleep(20000);
  std::vector<pid_t> left = marked(mark);
  result.leftOver = static_cast<int64_t>(left.size());
  for (pid_t pid : left)
    kill(pid, SIGKILL);
  result.output = processes[0].output;
  return result;
}

BareResult runBare(const std::string &program, int64_t ranks,
                   const std::map<std::string, std::string> &environment,
                   const std::function<void(RunningRanks &)> &action,
                   int64_t ignored, double limit_s) {
  // A port that was free a moment ago, as launchers do it.
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr *>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length) != 0)
    std::abort();
  close(fd);
  std::string mark = newMark();
  Clock::time_point begin = Clock::now();
  std::vector<Process> processes;
  for (int64_t r = 0; r < ranks; ++r) {
    std::map<std::string, std::string> env = environment;
    env["NXDT_TEST_MARK"] = mark;
    env["NXDT_TEST_PROGRAM"] = program;
    env["OMP_NUM_THREADS"] = "1";
    env["RANK"] = env["LOCAL_RANK"] = std::to_string(r);
    env["WORLD_SIZE"] = env["LOCAL_WORLD_SIZE"] = std::to_string(ranks);
    env["MASTER_ADDR"] = "127.0.0.1";
    env["MASTER_PORT"] = std::to_string(ntohs(address.sin_port));
    processes.push_back(spawn(env));
  }
  Clock::time_point acted =
      drive(processes, ranks, action, ignored, limit_s, begin);
  BareResult result;
  result.afterAction_s = since(acted);
  endAll(processes);
  for (const Process &p : processes) {
    result.exitCodes.push_back(p.exitCode);
    result.outputs.push_back(p.output);
  }
  return result;
}

int runAsChild(int argc, char **argv) {
  const char *program = std::getenv("NXDT_TEST_PROGRAM");
  if (!program)
    return -1;
  if (std::getenv("RANK"))
    return runRankProgram(program);
  LaunchOptions options;
  options.ranks = std::atoi(std::getenv("NXDT_TEST_LAUNCH"));
  options.arguments.assign(argv, argv + argc);
  return launchRanks(options);
}

} // namespace nxdt::comm::test
