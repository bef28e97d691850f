//===- GlooTransport.h - c10d's Gloo between processes -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_GLOOTRANSPORT_H
#define NXDT_RUNTIME_COMM_GLOOTRANSPORT_H

#include "runtime/Comm/Transport.h"

#include <c10/util/intrusive_ptr.h>

#include <cstdint>
#include <memory>
#include <string>

namespace c10d {
class Store;
}

namespace nxdt::comm {

/// Network device that all groups of a process share.
class GlooDevice;
/// `address`: of this host, as its peers reach it. `interface`: a network
/// interface that wins over it, or "".
std::shared_ptr<GlooDevice> makeGlooDevice(const std::string &address,
                                           const std::string &interface);

/// Connects to all other members through `store` under keys that begin with
/// `prefix`; returns when connected. `index` of `size` is this one.
std::unique_ptr<Transport>
makeGlooTransport(const c10::intrusive_ptr<c10d::Store> &store,
                  const std::string &prefix, int64_t index, int64_t size,
                  const GlooDevice &device);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_GLOOTRANSPORT_H
