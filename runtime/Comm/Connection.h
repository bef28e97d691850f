//===- Connection.h - framed messages over TCP -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_CONNECTION_H
#define NXDT_RUNTIME_COMM_CONNECTION_H

#include <cstdint>
#include <string>
#include <utility>

namespace nxdt::comm {

/// A listening TCP socket on all addresses and a free port.
class Listener {
public:
  Listener();
  ~Listener();
  Listener(const Listener &) = delete;
  Listener &operator=(const Listener &) = delete;
  int fd() const { return socketFd; }
  int64_t port() const { return boundPort; }

private:
  int socketFd = -1;
  int64_t boundPort = 0;
};

/// Messages of one type byte and text, never blocking. Closed at the end.
class Connection {
public:
  explicit Connection(int fd);
  Connection(Connection &&other) noexcept;
  Connection &operator=(Connection &&) = delete;
  ~Connection();

  /// Tries every address of `host` for `timeout_s`. Throws CommError.
  static Connection connectTo(const std::string &host, int64_t port,
                              double timeout_s);

  int fd() const { return socketFd; }
  /// False once the peer has closed or the connection broke.
  bool isOpen() const { return open; }
  bool hasOutput() const { return !out.empty(); }
  /// Queues and sends what the socket takes now.
  void send(char type, const std::string &text);
  void flush();
  /// Reads what has arrived.
  void receive();
  /// Takes the next whole message; false if there is none.
  bool next(std::pair<char, std::string> &message);
  /// Bytes that the peer has not taken yet.
  size_t pendingBytes() const { return out.size(); }
  /// Numeric address of this end; "" if unknown.
  std::string localAddress() const;

private:
  int socketFd;
  bool open = true;
  std::string in;
  std::string out;
};

bool isLoopbackAddress(const std::string &address);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_CONNECTION_H
