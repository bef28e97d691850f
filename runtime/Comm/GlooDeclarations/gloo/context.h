//===- gloo/context.h - names of Gloo that c10d's header mentions -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The torch wheel has Gloo inside libtorch_cpu.so but not its headers, which
// c10d's ProcessGroupGloo.hpp includes. These files declare the names it needs
// and define no behaviour: every function is libtorch's, every type that can be
// is incomplete, so that using one by accident does not compile. Only
// GlooTransport.cpp sees this folder.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_GLOO_DECLARATIONS
#define NXDT_GLOO_DECLARATIONS

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
public:
  Context() = delete;
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace transport {
class Device;
class UnboundBuffer;
} // namespace transport

namespace rendezvous {
class Store {
public:
  virtual ~Store();
  virtual void set(const std::string &key, const std::vector<char> &data) = 0;
  virtual std::vector<char> get(const std::string &key) = 0;
  virtual void wait(const std::vector<std::string> &keys) = 0;
  virtual void wait(const std::vector<std::string> &keys,
                    const std::chrono::milliseconds &timeout) = 0;
};
} // namespace rendezvous

} // namespace gloo

#endif // NXDT_GLOO_DECLARATIONS
