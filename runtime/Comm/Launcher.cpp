//===- Launcher.cpp - starts the ranks of this host -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Launcher.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Comm/ExitCodes.h"
#include "runtime/Comm/Status.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nxdt::comm {

namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  pid_t pid = -1;
  int64_t rank = 0;
  int pipe = -1; ///< its output, for all but rank 0
  std::string line;
  bool ended = false;
  bool stopped = false;
  int status = 0; ///< of waitpid
};

[[noreturn]] void failWith(const std::string &what) {
  throw UserError("cannot start the ranks: " + what + ": " +
                  std::strerror(errno));
}

class Launcher {
public:
  explicit Launcher(const LaunchOptions &options) : options(options) {}
  ~Launcher();
  int run();

private:
  void openMasterPort();
  void openStatusFile();
  void takeSignals();
  void startAll();
  void start(int64_t rank);
  std::vector<std::string> environmentOf(int64_t rank) const;
  void loop();
  void readSignals();
  void reap();
  void note(Child &child);
  void escalate();
  void forwardOutput(Child &child, bool atEnd);
  void killAll(int signal);
  std::string lastWords(int64_t rank) const;
  int report() const;

  const LaunchOptions &options;
  std::vector<Child> children;
  int masterFd = -1;
  int64_t masterPort = 0;
  int statusFd = -1;
  char *statusPages = nullptr;
  int signalFd = -1;
  sigset_t oldMask;
  bool maskTaken = false;
  int forwarded = 0;   ///< last signal handed on
  int stoppedCode = 0; ///< of ranks that ended in order after a signal
  int culprit = -1;    ///< index of the first child that failed by itself
  bool failing = false;
  Clock::time_point failedAt;
  int escalation = 0;
};

Launcher::~Launcher() {
  for (Child &child : children) {
    if (!child.ended && child.pid > 0) {
      kill(-child.pid, SIGKILL);
      kill(child.pid, SIGKILL);
      waitpid(child.pid, nullptr, 0);
    }
    if (child.pipe >= 0)
      close(child.pipe);
  }
  if (statusPages)
    munmap(statusPages, options.ranks * kStatusBytes);
  for (int fd : {masterFd, statusFd, signalFd})
    if (fd >= 0)
      close(fd);
  if (maskTaken)
    sigprocmask(SIG_SETMASK, &oldMask, nullptr);
}

/// Bound, not listening: who comes before rank 0 listens is refused and tries
/// again until its timeout.
void Launcher::openMasterPort() {
  masterFd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (masterFd < 0 ||
      bind(masterFd, reinterpret_cast<sockaddr *>(&address), length) != 0 ||
      getsockname(masterFd, reinterpret_cast<sockaddr *>(&address), &length) !=
          0)
    failWith("no free port");
  masterPort = ntohs(address.sin_port);
}

void Launcher::openStatusFile() {
  statusFd = memfd_create("nxdt-status", MFD_CLOEXEC);
  size_t bytes = options.ranks * kStatusBytes;
  if (statusFd < 0 || ftruncate(statusFd, bytes) != 0)
    failWith("no shared memory");
  void *address =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, statusFd, 0);
  if (address == MAP_FAILED)
    failWith("no shared memory");
  statusPages = static_cast<char *>(address);
}

void Launcher::takeSignals() {
  sigset_t mask;
  sigemptyset(&mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    sigaddset(&mask, signal);
  sigprocmask(SIG_BLOCK, &mask, &oldMask);
  maskTaken = true;
  signalFd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signalFd < 0)
    failWith("no signal descriptor");
}

std::vector<std::string> Launcher::environmentOf(int64_t rank) const {
  EnvironmentMap env = currentEnvironment();
  // Threads of all ranks together: the cores.
  if (!env.count("OMP_NUM_THREADS"))
    env["OMP_NUM_THREADS"] =
        std::to_string(std::max<int64_t>(1, availableCores() / options.ranks));
  for (const auto &[name, value] : options.environment)
    env[name] = value;
  std::string count = std::to_string(options.ranks);
  env["RANK"] = env["LOCAL_RANK"] = std::to_string(rank);
  env["WORLD_SIZE"] = env["LOCAL_WORLD_SIZE"] = count;
  env["MASTER_ADDR"] = "127.0.0.1";
  env["MASTER_PORT"] = std::to_string(masterPort);
  env[kStatusFdVariable] = std::to_string(statusFd);
  if (rank == 0)
    env[kMasterFdVariable] = std::to_string(masterFd);
  else
    env.erase(kMasterFdVariable);
  std::vector<std::string> result;
  for (const auto &[name, value] : env)
    result.push_back(name + "=" + value);
  return result;
}

static std::vector<char *> pointersTo(std::vector<std::string> &strings) {
  std::vector<char *> result;
  for (std::string &s : strings)
    result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

void Launcher::start(int64_t rank) {
  std::vector<std::string> environment = environmentOf(rank);
  std::vector<std::string> arguments = options.arguments;
  std::vector<char *> envp = pointersTo(environment);
  std::vector<char *> argv = pointersTo(arguments);
  int pipes[2] = {-1, -1};
  if (rank > 0 && pipe2(pipes, O_CLOEXEC) != 0)
    failWith("no pipe");
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) {
    int saved = errno;
    close(pipes[0]);
    close(pipes[1]);
    errno = saved;
    failWith("fork");
  }
  if (pid == 0) {
    // Between fork and exec: system calls only.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      _exit(1);
    // A group of its own: what a rank starts is ended with it, and Ctrl-C
    // reaches ranks once, through the launcher.
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &oldMask, nullptr);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
      dup2(null, STDIN_FILENO);
    if (rank > 0) {
      dup2(pipes[1], STDOUT_FILENO);
      dup2(pipes[1], STDERR_FILENO);
    } else {
      fcntl(masterFd, F_SETFD, 0);
    }
    fcntl(statusFd, F_SETFD, 0);
    execve("/proc/self/exe", argv.data(), envp.data());
    _exit(127);
  }
  setpgid(pid, pid);
  Child child;
  child.pid = pid;
  child.rank = rank;
  if (rank > 0) {
    close(pipes[1]);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    child.pipe = pipes[0];
  }
  children.push_back(std::move(child));
}

void Launcher::startAll() {
  for (int64_t rank = 0; rank < options.ranks; ++rank)
    start(rank);
  close(masterFd);
  masterFd = -1;
}

void Launcher::killAll(int signal) {
  for (Child &child : children)
    if (!child.ended)
      kill(signal == SIGKILL ? -child.pid : child.pid, signal);
}

void Launcher::readSignals() {
  signalfd_siginfo info;
  while (read(signalFd, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGCHLD)
      continue;
    forwarded = static_cast<int>(info.ssi_signo);
    killAll(forwarded);
  }
}

void Launcher::note(Child &child) {
  bool bySignal = WIFSIGNALED(child.status);
  int code = bySignal ? 0 : WEXITSTATUS(child.status);
  if (!bySignal && code == 0)
    return;
  // A signal came, and the rank has finished what it was at.
  if (!bySignal && (code == 128 + SIGINT || code == 128 + SIGTERM)) {
    stoppedCode = code;
    return;
  }
  if (!failing) {
    failing = true;
    failedAt = Clock::now();
  }
  // Whom this launcher ends is not to blame.
  bool byUs = escalation > 0 || child.stopped;
  bool byPeer = !bySignal && code == kPeerFailureExitCode;
  if (culprit < 0 && !byUs && !byPeer)
    culprit = static_cast<int>(&child - children.data());
}

void Launcher::reap() {
  for (Child &child : children) {
    if (child.ended)
      continue;
    siginfo_t info{};
    if (waitid(P_PID, child.pid, &info,
               WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
      continue;
    if (info.si_code == CLD_STOPPED || info.si_code == CLD_CONTINUED) {
      child.stopped = info.si_code == CLD_STOPPED;
      waitid(P_PID, child.pid, &info, WSTOPPED | WCONTINUED | WNOHANG);
      continue;
    }
    // Before its id is free again: whatever it started.
    kill(-child.pid, SIGKILL);
    waitpid(child.pid, &child.status, 0);
    child.ended = true;
    forwardOutput(child, true);
    note(child);
  }
}

void Launcher::escalate() {
  if (!failing)
    return;
  double since = std::chrono::duration<double>(Clock::now() - failedAt).count();
  // A stopped rank will not end by itself, and gets no SIGTERM either.
  for (Child &child : children)
    if (!child.ended && child.stopped)
      kill(-child.pid, SIGKILL);
  if (escalation == 0 && since > options.patience_s) {
    escalation = 1;
    killAll(SIGTERM);
  } else if (escalation == 1 && since > 2 * options.patience_s) {
    escalation = 2;
    killAll(SIGKILL);
  }
}

static void writeAll(const std::string &text) {
  size_t begin = 0;
  while (begin < text.size()) {
    ssize_t n = write(STDERR_FILENO, text.data() + begin, text.size() - begin);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
      return;
    if (n > 0)
      begin += static_cast<size_t>(n);
  }
}

void Launcher::forwardOutput(Child &child, bool atEnd) {
  if (child.pipe < 0)
    return;
  char buffer[16384];
  ssize_t n;
  while ((n = read(child.pipe, buffer, sizeof(buffer))) > 0)
    child.line.append(buffer, static_cast<size_t>(n));
  if (n == 0 || atEnd) {
    close(child.pipe);
    child.pipe = -1;
    if (!child.line.empty() && child.line.back() != '\n')
      child.line += '\n';
  }
  std::string prefix = "[rank " + std::to_string(child.rank) + "] ";
  std::string text;
  size_t begin = 0, end;
  while ((end = child.line.find('\n', begin)) != std::string::npos) {
    text += prefix + child.line.substr(begin, end + 1 - begin);
    begin = end + 1;
  }
  child.line.erase(0, begin);
  writeAll(text);
}

void Launcher::loop() {
  while (true) {
    bool running = false;
    std::vector<pollfd> waits{{signalFd, POLLIN, 0}};
    for (Child &child : children) {
      running = running || !child.ended;
      if (child.pipe >= 0)
        waits.push_back({child.pipe, POLLIN, 0});
    }
    if (!running)
      return;
    poll(waits.data(), waits.size(), 100);
    readSignals();
    for (Child &child : children)
      forwardOutput(child, false);
    reap();
    escalate();
  }
}

std::string Launcher::lastWords(int64_t rank) const {
  const char *page = statusPages + rank * kStatusBytes;
  std::string text(page, strnlen(page, kStatusBytes));
  return text.empty() ? "nothing" : text;
}

int Launcher::report() const {
  if (!failing)
    return stoppedCode;
  char host[256] = "unknown";
  gethostname(host, sizeof(host) - 1);
  const Child *who = nullptr;
  std::string how;
  if (culprit >= 0) {
    who = &children[culprit];
  } else {
    for (const Child &child : children)
      if (child.stopped)
        who = &child;
    how = "was stopped";
  }
  if (!who) {
    // All say that another rank failed (they disagree, or the timeout).
    writeAll("error: the ranks ended because of the error above\n");
    return 1;
  }
  int code = 1;
  if (how.empty() && WIFSIGNALED(who->status)) {
    int signal = WTERMSIG(who->status);
    code = 128 + signal;
    if (signal == forwarded) {
      writeAll("error: ended by signal " + std::to_string(signal) + " (" +
               strsignal(signal) + ")\n");
      return code;
    }
    how = "was ended by signal " + std::to_string(signal) + " (" +
          strsignal(signal) + ")";
  } else if (how.empty()) {
    code = WEXITSTATUS(who->status);
    // The first rank writes to this stderr itself, and has said what is wrong.
    if (who->rank == 0 && code == 1)
      return code;
    how = "ended with exit code " + std::to_string(code);
  }
  writeAll("error: rank " + std::to_string(who->rank) + " (" + host + ", pid " +
           std::to_string(who->pid) + ") " + how +
           "; it last reported: " + lastWords(who->rank) +
           (children.size() > 1 ? "; all other ranks were ended\n" : "\n"));
  return code;
}

int Launcher::run() {
  openMasterPort();
  openStatusFile();
  takeSignals();
  startAll();
  loop();
  return report();
}

} // namespace

int64_t availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max<int64_t>(1, CPU_COUNT(&set));
  return std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
}

int launchRanks(const LaunchOptions &options) {
  if (options.ranks < 1)
    throw UserError("cannot start " + std::to_string(options.ranks) +
                    " ranks; at least 1");
  return Launcher(options).run();
}

} // namespace nxdt::comm
