//===- Connection.cpp - framed messages over TCP -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Connection.h"

#include "runtime/Comm/Failure.h"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace nxdt::comm {

/// Longest message: a broken or foreign peer must not fill the memory.
constexpr uint32_t kMaxMessageBytes = 16 * 1024 * 1024;

Listener::Listener() {
  socketFd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socketFd >= 0) {
    int off = 0;
    setsockopt(socketFd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_any;
    if (bind(socketFd, reinterpret_cast<sockaddr *>(&address),
             sizeof(address)) != 0) {
      close(socketFd);
      socketFd = -1;
    }
  }
  if (socketFd < 0) {
    socketFd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    if (socketFd < 0 || bind(socketFd, reinterpret_cast<sockaddr *>(&address),
                             sizeof(address)) != 0)
      throw CommError(std::string("cannot open a port for heartbeats: ") +
                      std::strerror(errno));
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  if (listen(socketFd, 4096) != 0 ||
      getsockname(socketFd, reinterpret_cast<sockaddr *>(&bound), &length) != 0)
    throw CommError(std::string("cannot open a port for heartbeats: ") +
                    std::strerror(errno));
  boundPort = ntohs(bound.ss_family == AF_INET6
                        ? reinterpret_cast<sockaddr_in6 *>(&bound)->sin6_port
                        : reinterpret_cast<sockaddr_in *>(&bound)->sin_port);
}

Listener::~Listener() {
  if (socketFd >= 0)
    close(socketFd);
}

Connection::Connection(int fd) : socketFd(fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

Connection::Connection(Connection &&other) noexcept
    : socketFd(other.socketFd), open(other.open), in(std::move(other.in)),
      out(std::move(other.out)) {
  other.socketFd = -1;
}

Connection::~Connection() {
  if (socketFd >= 0)
    close(socketFd);
}

static int tryConnect(const addrinfo &info, int timeoutMs) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  info.ai_protocol);
  if (fd < 0)
    return -1;
  if (connect(fd, info.ai_addr, info.ai_addrlen) == 0)
    return fd;
  if (errno == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    int error = 0;
    socklen_t length = sizeof(error);
    if (poll(&wait, 1, timeoutMs) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
        error == 0)
      return fd;
    if (error)
      errno = error;
  }
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

Connection Connection::connectTo(const std::string &host, int64_t port,
                                 double timeout_s) {
  auto end = std::chrono::steady_clock::now() +
             std::chrono::duration<double>(timeout_s);
  std::string reason;
  do {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *list = nullptr;
    int error =
        getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (error != 0)
      reason = gai_strerror(error);
    for (addrinfo *info = list; info; info = info->ai_next) {
      int fd = tryConnect(*info, 2000);
      if (fd >= 0) {
        freeaddrinfo(list);
        return Connection(fd);
      }
      reason = std::strerror(errno);
    }
    if (list)
      freeaddrinfo(list);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  } while (std::chrono::steady_clock::now() < end);
  throw CommError("cannot reach rank 0 at " + host + " port " +
                  std::to_string(port) + ": " + reason);
}

void Connection::send(char type, const std::string &text) {
  uint32_t length = htonl(static_cast<uint32_t>(text.size()) + 1);
  out.append(reinterpret_cast<const char *>(&length), sizeof(length));
  out += type;
  out += text;
  flush();
}

void Connection::flush() {
  while (open && !out.empty()) {
    ssize_t n =
        ::send(socketFd, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      out.erase(0, static_cast<size_t>(n));
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return;
    // What the peer said before it closed is still to be read.
    out.clear();
    return;
  }
}

void Connection::receive() {
  char buffer[16384];
  while (open) {
    ssize_t n = recv(socketFd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n > 0) {
      in.append(buffer, static_cast<size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return;
    open = false;
  }
}

bool Connection::next(std::pair<char, std::string> &message) {
  uint32_t length;
  if (in.size() < sizeof(length))
    return false;
  std::memcpy(&length, in.data(), sizeof(length));
  length = ntohl(length);
  if (length == 0 || length > kMaxMessageBytes) {
    open = false;
    in.clear();
    return false;
  }
  if (in.size() < sizeof(length) + length)
    return false;
  message.first = in[sizeof(length)];
  message.second = in.substr(sizeof(length) + 1, length - 1);
  in.erase(0, sizeof(length) + length);
  return true;
}

std::string Connection::localAddress() const {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  char text[NI_MAXHOST];
  if (getsockname(socketFd, reinterpret_cast<sockaddr *>(&address), &length) !=
          0 ||
      getnameinfo(reinterpret_cast<sockaddr *>(&address), length, text,
                  sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0)
    return "";
  std::string result = text;
  // IPv4 over a dual-stack socket.
  if (result.rfind("::ffff:", 0) == 0 && result.find('.') != std::string::npos)
    result = result.substr(7);
  return result;
}

bool isLoopbackAddress(const std::string &address) {
  return address.empty() || address == "::1" || address.rfind("127.", 0) == 0;
}

} // namespace nxdt::comm
